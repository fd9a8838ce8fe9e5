package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// transfer is a command in progress that ABOR ends, and beside which STAT and NOOP are
// answered: one with a data connection, or one that reads a whole file.
type transfer struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	command command
	began   time.Time
	rest    int64 // where it begins
	inOrder bool  // the client had sent more commands behind it: none may overtake another

	mu      sync.Mutex
	conn    net.Conn // when there is one
	id      string   // in the audit trail, once it is followed
	told    int64    // bytes that were told of
	toldEnd bool
}

var errAborted = errors.New("aborted by the client")

// doTransfer is RETR, STOR, STOU, APPE, LIST, NLST or MLSD.
func (s *session) doTransfer(c command) {
	rest, port := s.rest, s.port
	s.rest = 0
	switch {
	case c.arg == "" && movesFile(c.verb):
		s.reply("501 %s needs a path", c.verb)
	case s.server.TLSRequired && !s.private:
		s.reply("522 Data connections must be protected; use PROT P")
	case port == nil:
		s.reply("425 Use PASV, EPSV, PORT or EPRT first")
	default:
		s.port = nil
		s.transfer(c, rest, port)
	}
}

func movesFile(verb string) bool {
	return verb == "RETR" || verb == "STOR" || verb == "STOU" || verb == "APPE"
}

// sends tells whether a transfer goes to the client.
func sends(verb string) bool {
	return verb == "RETR" || verb == "LIST" || verb == "NLST" || verb == "MLSD"
}

func (s *session) transfer(c command, rest int64, port dataPort) {
	t := &transfer{command: c, rest: rest}
	s.beginTransfer(t)
	defer s.endTransfer(t)
	s.replyTransfer(t, s.runTransfer(t, port))
}

func (s *session) beginTransfer(t *transfer) {
	t.ctx, t.cancel = context.WithCancelCause(s.ctx)
	t.began = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = t
	switch {
	case s.isGone && !s.quit: // see lost
		t.cancel(errClientGone)
	case s.aborts > 0: // see note
		t.cancel(errAborted)
	}
}

func (s *session) endTransfer(t *transfer) {
	t.cancel(nil)
	if errors.Is(context.Cause(t.ctx), errAborted) {
		s.aborted = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = nil
}

// runTransfer finds what is to be moved, opens the data connection and moves the bytes.
func (s *session) runTransfer(t *transfer, port dataPort) error {
	m, err := s.prepare(t)
	if err != nil {
		port.drop()
		return err
	}
	conn, err := s.openData(t.ctx, port)
	if err != nil {
		m.fail(err)
		s.log.Debug("no data connection", "err", err)
		return &driver.Reply{Code: 425, Text: "Data connection could not be opened", Cause: err}
	}
	t.setConn(conn)
	s.reply("150 %s", t.command.opening())
	stop := context.AfterFunc(t.ctx, func() { _ = conn.Close() }) // wakes whoever reads or writes it
	if err = s.handshake(t.ctx, conn); err != nil {
		m.fail(err)
	} else {
		err = m.move(conn)
	}
	stop()
	if closeErr := closeData(conn); err == nil && closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		s.log.Debug("data connection not closed cleanly", "err", closeErr)
	}
	return err
}

// replyTransfer tells how a transfer has ended. One that was done before ABOR came is done.
func (s *session) replyTransfer(t *transfer, err error) {
	switch {
	case err == nil:
		s.reply("226 %s", t.command.complete())
	case t.aborted():
		s.reply("426 Transfer aborted")
	default:
		s.replyError(err)
	}
}

// aborted tells whether the client, or the server, has ended the transfer early.
func (t *transfer) aborted() bool {
	cause := context.Cause(t.ctx)
	return errors.Is(cause, errAborted) || errors.Is(cause, errEnded)
}

func (t *transfer) setConn(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn = conn
}

// connection is the data connection, or nil if there is none yet.
func (t *transfer) connection() net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conn
}

// current is the transfer in progress, or nil.
func (s *session) current() *transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// doAbor follows the reply of the transfer that it has ended, if there was one; see note
// (RFC 959, 4.1.3 and 4.2.2).
func (s *session) doAbor(command) {
	s.setDataPort(nil)
	if s.aborted {
		s.reply("226 ABOR successful")
	} else {
		s.reply("225 No transfer in progress")
	}
	s.aborted = false
}

// replyError answers with what the driver says about an error.
func (s *session) replyError(err error) {
	reply, ok := errors.AsType[*driver.Reply](err)
	if !ok {
		reply = &driver.Reply{Code: 426, Text: "Data connection failed; transfer aborted"}
	}
	s.reply("%d %s", reply.Code, reply.Text)
}
