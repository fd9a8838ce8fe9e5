package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

// session is one client's control connection. Three goroutines meet here:
//
//   - the reader reads command lines (input.go) and passes them on. It never waits for a
//     command to be done, so that ABOR and a client that goes away are noticed at once;
//   - the command loop, which is run, takes the lines and executes them;
//   - a transfer, if one is in progress, moves bytes and replies when it is done
//     (transfer.go).
type session struct {
	server *Server
	id     string
	ip     netip.Addr
	log    *slog.Logger
	ctx    context.Context // ends with the session; transfers end with it
	cancel context.CancelFunc

	began    time.Time
	implicit bool
	gone     chan struct{} // closed when the client has closed the control connection

	in    *lineReader   // of the reader alone, but for AUTH TLS
	lines chan input    // from the reader to the command loop
	goOn  chan struct{} // from the command loop to the reader, which waits for it
	wake  chan struct{} // makes the command loop look at the session's state

	// Of the command loop alone.
	held     bool   // the reader waits for the end of the command
	name     string // of the last USER
	failures int
	account  *auth.User     // after login
	files    *driver.Driver // after login
	dir      string         // working directory, in the client's bytes
	tickets  *tickets       // of TLS; nil before it
	port     dataPort       // for the next transfer; nil before PASV and the like
	verb     string         // the command being executed
	ended    bool           // QUIT has been executed
	settings
	nonsense int // replies 500 without another between them; guarded by writing

	user string // after login; guarded by server.mu

	transfers sync.WaitGroup
	grace     time.Duration // see alive
	stays     bool          // see alive

	writing sync.Mutex // one reply at a time

	mu       sync.Mutex
	conn     net.Conn // TLS after AUTH
	raw      net.Conn
	secure   bool
	running  *transfer // in progress, or nil
	active   time.Time
	farewell string     // reply that ends the session as soon as it is idle
	ending   bool       // see endNow
	fresh    *auth.User // what the user is from the next command on; nil: he has not changed
	did      activity
	quit     bool // the client has said QUIT
	isGone   bool // gone is closed, for the client has closed the control connection
}

// settings are what a client has said, until REIN.
type settings struct {
	private    bool // PROT P
	pbsz       bool // PBSZ was said
	ascii      bool // TYPE A, and it converts line ends
	utf8       utf8Option
	language   string // of LANG; "": none, or English
	hidden     facts  // that OPTS MLST has not selected
	hash       int    // OPTS HASH: which of hashNames
	epsvAll    bool   // EPSV ALL
	rest       int64  // of REST, for the next transfer
	renameFrom string // of RNFR, for RNTO
}

// defaults are a client's settings before it has said anything. RFC 4217 has the data
// connections of implicit FTPS protected.
func (s *session) defaults() settings { return settings{private: s.implicit} }

func newSession(s *Server, conn net.Conn, implicit bool) *session {
	ctx, cancel := context.WithCancel(context.Background())
	id := newID()
	now := time.Now()
	inlineUrgent(conn)
	return &session{
		server: s, id: id, ip: addrOf(conn.RemoteAddr()),
		log: s.Log.With("session", id, "remote", conn.RemoteAddr().String()),
		ctx: ctx, cancel: cancel,
		began: now, active: now, implicit: implicit,
		gone: make(chan struct{}),
		dir:  "/",
		conn: conn, raw: conn, in: newLineReader(conn),
		lines: make(chan input, linesAhead),
		goOn:  make(chan struct{}),
		wake:  make(chan struct{}, 1),
	}
}

const handshakeTimeout = 10 * time.Second

func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// run lives as long as the session.
func (s *session) run() {
	s.log.Debug("connected")
	defer s.log.Debug("disconnected")
	defer s.cut()
	if s.implicit && s.startTLS() != nil {
		return
	}
	s.reply("220 %s", s.server.Banner)
	var reader sync.WaitGroup
	reader.Go(s.readLines)
	s.executeAll()
	s.transfers.Wait()
	s.close()
	reader.Wait()
	s.setDataPort(nil)
	s.reportLogout()
}

// cut ends the session at once. It may be called at any time, and again.
func (s *session) cut() {
	s.cancel()
	_ = s.raw.Close() // nobody reads or writes it any more
}

// endSoon ends the session with a reply as soon as it is idle.
func (s *session) endSoon(reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.farewell = reply
	s.wakeUp()
}

// wakeUp makes the command loop look at the session's state.
func (s *session) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// refuse answers a connection that is not admitted, and closes it.
func (s *session) refuse(reply string) {
	defer s.cut()
	if s.implicit {
		return // no reply without a handshake, and that would cost the server
	}
	_ = s.raw.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.raw.Write([]byte(reply + "\r\n")) // a courtesy
}

// executeAll is the command loop.
func (s *session) executeAll() {
	for !s.ended {
		line, err := s.nextLine()
		if err != nil {
			return
		}
		s.adopt()
		s.execute(line)
	}
}

func (s *session) transferring() bool { return s.current() != nil }

func (s *session) execute(line string) {
	defer s.recovered()
	s.forget(parseCommand(line))
	s.dispatch(line)
}

// forget drops what earlier commands have prepared for another one than this: a file that
// nobody means any more must not be renamed, nor another one be cut at a restart point.
func (s *session) forget(c command) {
	if s.transferring() {
		return // it has taken what was prepared
	}
	if c.verb != "RNTO" {
		s.renameFrom = ""
	}
	if !belongsToTransfer(c.verb) {
		s.rest = 0
	}
	if s.files != nil && (!belongsToTransfer(c.verb) || sends(c.verb)) {
		s.files.ForgetSpace()
	}
}

// belongsToTransfer tells transfers and the commands that clients send in preparation of
// one.
func belongsToTransfer(verb string) bool {
	switch verb {
	case "REST", "ALLO", "PASV", "EPSV", "PORT", "EPRT", "TYPE", "STRU", "MODE", "PBSZ", "PROT":
		return true
	}
	return movesFile(verb) || sends(verb)
}

// Path implements driver.Client.
func (s *session) Path() string { return s.dir }

// Verb implements driver.Client.
func (s *session) Verb() string { return s.verb }

func (s *session) connection() net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// startTLS makes the control connection a TLS one (RFC 4217).
func (s *session) startTLS() error {
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
	defer cancel()
	s.tickets = newTickets(s.server.TLS, s.server.TLSSessionReuse, s.id)
	conn := s.tickets.controlConn(s.raw)
	if err := conn.HandshakeContext(ctx); err != nil {
		s.log.Info("TLS handshake failed", "err", err)
		s.cut()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.secure = conn, true
	s.name, s.settings = "", s.defaults() // RFC 4217, 4: nothing said in clear counts
	s.in = newLineReader(conn)            // clear text sent before the handshake is dropped
	return nil
}

// close ends the session in good order.
func (s *session) close() {
	if conn := s.connection(); conn != s.raw {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = conn.Close() // says close_notify
	}
	s.cut()
}
