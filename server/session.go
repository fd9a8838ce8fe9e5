package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	ftpserver "github.com/fclairamb/ftpserverlib"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

// session is one client's control connection, and the net.Conn that the engine talks to
// in its place. Two goroutines meet here:
//
//   - the engine's command loop takes command lines by Read, which executes what the
//     session can do itself, and gives replies by Write, which corrects them and passes
//     them on. While a transfer runs it goes on reading, so that a client that goes away is
//     noticed at once;
//   - a transfer, if one is in progress, moves bytes and replies when it is done.
type session struct {
	server *Server
	id     string
	ip     netip.Addr
	log    *slog.Logger
	ctx    context.Context // ends with the session; transfers end with it
	cancel context.CancelFunc

	began    time.Time
	implicit bool
	left     chan struct{} // closed when the engine has left
	gone     chan struct{} // closed when the client has closed the control connection

	// Of the engine's command loop alone.
	in       *lineReader
	ahead    []string // lines read while a transfer was waited for
	pending  []byte   // command line that the engine has not read yet
	name     string   // of the last USER
	failures int
	account  *auth.User              // after login
	files    *driver.Driver          // after login
	engine   ftpserver.ClientContext // after login
	private  bool                    // PROT P
	ascii    bool                    // TYPE A
	rest     int64                   // of REST, for the next transfer
	tickets  *tickets                // of TLS; nil before it
	pbsz     bool                    // PBSZ was said
	epsvAll  bool                    // EPSV ALL
	port     dataPort                // for the next transfer; nil before PASV and the like
	verb     string                  // the command being executed
	utf8     bool                    // OPTS UTF8 ON
	hidden   facts                   // that OPTS MLST has not selected
	hash     int                     // OPTS HASH: which of hashNames
	replies  replyLines

	user string // after login; guarded by server.mu

	transfers sync.WaitGroup
	grace     time.Duration // see alive; of the transfer in progress

	writing sync.Mutex // one reply at a time

	mu       sync.Mutex
	conn     net.Conn // TLS after AUTH
	raw      net.Conn
	secure   bool
	running  *transfer // in progress, or nil
	active   time.Time
	farewell string // reply that ends the session as soon as it is idle
	waiting  bool   // the command loop waits for the end of running
	quit     bool   // the client has said QUIT
	isGone   bool   // gone is closed
}

var _ net.Conn = (*session)(nil)

func newSession(s *Server, conn net.Conn, implicit bool) *session {
	ctx, cancel := context.WithCancel(context.Background())
	id := newID()
	now := time.Now()
	return &session{
		server: s, id: id, ip: addrOf(conn.RemoteAddr()),
		log: s.Log.With("session", id, "remote", conn.RemoteAddr().String()),
		ctx: ctx, cancel: cancel,
		began: now, active: now, implicit: implicit,
		left: make(chan struct{}),
		gone: make(chan struct{}),
		conn: conn, raw: conn, in: newLineReader(conn),
	}
}

const (
	handshakeTimeout = 10 * time.Second
	replyTimeout     = 30 * time.Second // for a client to take a reply
)

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
	if !s.server.arrivals.hand(s) {
		return
	}
	<-s.left
	s.cancel()
	s.transfers.Wait()
	s.setDataPort(nil)
	s.reportLogout()
}

// lost notes that the client is gone. A transfer in progress is cut off. It may be called
// again: whoever reads on finds the same end.
func (s *session) lost() {
	s.mu.Lock()
	if !s.isGone {
		s.isGone = true
		close(s.gone)
	}
	cut := s.running != nil && !s.quit
	s.mu.Unlock()
	if cut {
		s.cut()
	}
}

// engineLeft is called once, when the engine has left the session.
func (s *session) engineLeft() {
	close(s.left)
	s.cut()
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
	s.wakeLocked()
}

// wakeLocked ends a Read of the control connection, so that the command loop looks at the
// session's state. The caller holds mu, as whoever sets another deadline does.
func (s *session) wakeLocked() {
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is closed needs no wake
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

// Read implements net.Conn for the engine: it returns command lines to execute.
func (s *session) Read(p []byte) (int, error) {
	for len(s.pending) == 0 {
		line, err := s.nextLine()
		if err != nil {
			return 0, err
		}
		forward := s.dispatch(line)
		if forward != "" {
			s.pending = []byte(forward + "\r\n")
		}
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

// nextLine waits for a command line. io.EOF ends the session: the client is gone, was
// silent too long, or the server drains.
func (s *session) nextLine() (string, error) {
	if len(s.ahead) > 0 {
		line := s.ahead[0]
		s.ahead = s.ahead[1:]
		return line, nil
	}
	for {
		farewell, err := s.expectLine()
		if err != nil {
			return "", io.EOF
		}
		if farewell != "" {
			s.reply("%s", farewell)
			return "", io.EOF
		}
		if line, err := s.readLine(); !errors.Is(err, os.ErrDeadlineExceeded) {
			return line, err
		}
	}
}

// expectLine sets how long the next line may take; or it returns the reply to end the
// session with, if it is time for that.
func (s *session) expectLine() (farewell string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if farewell := s.dueFarewell(); farewell != "" {
		return farewell, nil
	}
	return "", s.conn.SetReadDeadline(s.patience())
}

// readLine reads a line, and notes what everybody must know at once: that the client is
// gone, or will be.
func (s *session) readLine() (string, error) {
	line, err := s.in.next()
	switch {
	case err == nil:
		s.noteLine(line)
		return line, nil
	case errors.Is(err, errLineTooLong):
		s.noteLine("")
		return tooLongLine, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", err
	}
	s.lost()
	return "", io.EOF
}

func (s *session) noteLine(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
	if parseCommand(line).verb == "QUIT" {
		s.quit = true
	}
}

// patience is until when the session waits for the next line; zero: for ever. The caller
// holds mu.
func (s *session) patience() time.Time {
	var until time.Time
	if s.server.IdleTimeout > 0 && s.running == nil {
		until = s.active.Add(s.server.IdleTimeout)
	}
	if login := s.began.Add(s.server.LoginTimeout); s.account == nil && s.server.LoginTimeout > 0 &&
		(until.IsZero() || login.Before(until)) {
		until = login
	}
	return until
}

// dueFarewell is the reply to end the session with, if it is time for that. The caller
// holds mu.
func (s *session) dueFarewell() string {
	switch {
	case s.running != nil:
		return ""
	case s.farewell != "":
		return s.farewell
	case s.account == nil && s.server.LoginTimeout > 0 && time.Since(s.began) >= s.server.LoginTimeout:
		return "421 Login took too long; connect again"
	case s.server.IdleTimeout > 0 && time.Since(s.active) >= s.server.IdleTimeout:
		return "421 Idle too long; connect again"
	}
	return ""
}

func (s *session) transferring() bool { return s.current() != nil }

// linesAhead is how many command lines are read while they cannot be executed.
const linesAhead = 16

// waitTransfer waits until no transfer is in progress, and reads ahead meanwhile; false if
// the session ended first.
func (s *session) waitTransfer() bool {
	defer s.setWaiting(false)
	for s.setWaiting(true) {
		if len(s.ahead) >= linesAhead {
			break
		}
		line, err := s.readLine()
		switch {
		case err == nil:
			s.ahead = append(s.ahead, line)
		case !errors.Is(err, os.ErrDeadlineExceeded): // the client is gone; what it said before still counts
			s.transfers.Wait()
			return s.ctx.Err() == nil
		}
	}
	s.transfers.Wait()
	return s.ctx.Err() == nil
}

// setWaiting says whether the end of the transfer must wake the command loop; false if
// there is no transfer.
func (s *session) setWaiting(waiting bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = waiting && s.running != nil
	if s.waiting {
		_ = s.conn.SetReadDeadline(time.Time{}) // a connection that is closed fails in the read
	}
	return s.waiting
}

// Path implements driver.Client: the working directory is the engine's.
func (s *session) Path() string { return s.engine.Path() }

// GetLastCommand implements driver.Client.
func (s *session) GetLastCommand() string { return s.verb }

// Write implements net.Conn for the engine: replies, any number of lines at a time.
func (s *session) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var out bytes.Buffer
	for line := range s.replies.add(p) {
		out.WriteString(line)
		out.WriteString("\r\n")
	}
	if err := s.send(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes to the client. The caller holds writing.
func (s *session) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	conn := s.connection()
	if err := conn.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err := conn.Write(p)
	if err != nil {
		s.cut() // half a reply cannot be mended
	}
	return err
}

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
	s.in = newLineReader(conn) // clear text sent before the handshake is dropped
	return nil
}

// Close implements net.Conn for the engine.
func (s *session) Close() error {
	if conn := s.connection(); conn != s.raw {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = conn.Close() // says close_notify
	}
	s.cut()
	return nil
}

// LocalAddr implements net.Conn.
func (s *session) LocalAddr() net.Addr { return s.raw.LocalAddr() }

// RemoteAddr implements net.Conn; sessionOf finds the session by it.
func (s *session) RemoteAddr() net.Addr { return sessionAddr{s.raw.RemoteAddr(), s} }

// SetDeadline implements net.Conn. The session keeps time itself.
func (s *session) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn; see SetDeadline.
func (s *session) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn; see SetDeadline.
func (s *session) SetWriteDeadline(time.Time) error { return nil }
