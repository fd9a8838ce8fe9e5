package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/guard"
)

// session is one client's control connection. Its goroutine, run, reads a command line
// (input.go), executes it, transfers included, and reads the next. While a command takes
// long, a watch reads ahead (watch.go).
type session struct {
	server *Server
	id     string
	ip     netip.Addr
	log    *slog.Logger
	ctx    context.Context // ends with the session; transfers end with it
	cancel context.CancelCauseFunc

	began    time.Time
	implicit bool
	visit    *guard.Visit
	said     said          // before the login
	gone     chan struct{} // closed when the client has closed the control connection
	watch    watch

	reading sync.Mutex   // held by who reads the control connection
	in      *lineReader  // guarded by reading
	waiting waitingLines // guarded by reading

	// Of the session's goroutine alone.
	name     string // of the last USER
	failures int
	account  *auth.User     // after login
	files    *driver.Driver // after login
	dir      string         // working directory, in the client's bytes
	tickets  *tickets       // of TLS; nil before it
	port     dataPort       // for the next transfer; nil before PASV and the like
	verb     string         // the command being executed
	moreSent bool           // the client had sent more commands behind it
	aborted  bool           // a transfer was in progress when the next ABOR came
	ended    bool           // QUIT has been executed
	settings

	user string // after login; guarded by server.mu

	grace time.Duration // see alive
	stays bool          // see alive

	writing  sync.Mutex // one reply at a time
	nonsense int        // replies 500 without another between them; guarded by writing
	writeBy  time.Time  // the deadline of writing; guarded by writing

	mu       sync.Mutex
	conn     net.Conn // TLS after AUTH
	raw      net.Conn
	secure   bool
	clientCN string    // common name of the client's certificate, if it was verified
	running  *transfer // in progress, or nil
	aborts   int       // ABORs that have been read, but not executed yet
	active   time.Time
	wakes    time.Time  // the deadline of reading; zero: none
	farewell string     // reply that ends the session as soon as it is idle
	ending   bool       // see endNow
	fresh    *auth.User // what the user is from the next command on; nil: he has not changed
	did      activity
	quit     bool // the client has said QUIT
	isGone   bool // gone is closed
}

// settings are what a client has said, until REIN.
type settings struct {
	private    bool // PROT P
	pbsz       bool // PBSZ was said
	ascii      bool // TYPE A, and it converts line ends
	utf8       utf8Option
	language   string // of LANG; "": none, or English
	client     string // of CLNT; "": not said
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
	ctx, cancel := context.WithCancelCause(context.Background())
	id := newID()
	now := time.Now()
	inlineUrgent(conn)
	sess := &session{
		server: s, id: id, ip: addrOf(conn.RemoteAddr()),
		log: s.Log.With("session", id, "remote", conn.RemoteAddr().String()),
		ctx: ctx, cancel: cancel,
		began: now, active: now, implicit: implicit,
		gone: make(chan struct{}),
		dir:  "/",
		conn: conn, raw: conn, in: newLineReader(conn),
	}
	sess.watch.session = sess
	return sess
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
	s.server.counts.connections.Add(1)
	s.tellHook(s.server.Connected)
	defer s.tellHook(s.server.Disconnected)
	defer s.log.Debug("disconnected")
	defer s.cut(errOver)
	if s.implicit && s.startTLS() != nil {
		return
	}
	s.reply("220 %s", s.server.Banner)
	s.executeAll()
	s.close()
	s.setDataPort(nil)
	s.reportLogout()
}

// Why a session's context has ended.
var (
	errOver       = errors.New("session is over")
	errClientGone = errors.New("control connection closed")
)

// cut ends the session at once. It may be called at any time, and again.
func (s *session) cut(cause error) {
	s.cancel(cause)
	_ = s.raw.Close() // nobody reads or writes it any more
}

// refuse answers a connection that is not admitted, and closes it.
func (s *session) refuse(reply string) {
	defer s.cut(errOver)
	if s.implicit {
		return // no reply without a handshake, and that would cost the server
	}
	_ = s.raw.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.raw.Write([]byte(reply + "\r\n")) // a courtesy
}

// executeAll executes what the client says, until it says no more.
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

// execute executes a command line. Nothing is read ahead before the login, for a stranger's
// lines would take memory, and beside a command that may end in a TLS handshake.
func (s *session) execute(line string) {
	defer s.recovered()
	c := parseCommand(line)
	if s.account != nil && c.verb != "REIN" {
		s.server.lookout.begin(&s.watch)
		defer s.endWatch()
	}
	s.forget(c)
	s.dispatch(line)
}

func (s *session) endWatch() {
	if s.server.lookout.end(&s.watch) {
		s.watch.end()
	}
}

// forget drops what earlier commands have prepared for another one than this: a file that
// nobody means any more must not be renamed, nor another one be cut at a restart point.
func (s *session) forget(c command) {
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
	if err := s.shake(ctx, conn); err != nil {
		s.log.Info("TLS handshake failed", "err", err)
		s.cut(errClientGone)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.secure = conn, true
	s.name, s.settings = "", s.defaults() // RFC 4217, 4: nothing said in clear counts
	s.clientCN = clientName(s.server.TLS, conn.ConnectionState())
	s.in = newLineReader(s.early(conn)) // clear text sent before the handshake is dropped
	return nil
}

// close ends the session in good order. What the client has said behind its last command is
// dropped: data that nobody has read would make its system drop our last reply.
func (s *session) close() {
	discardInput(s.raw)
	if conn := s.connection(); conn != s.raw {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = conn.Close() // says close_notify
	}
	s.cut(errOver)
}
