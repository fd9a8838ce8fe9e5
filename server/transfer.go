package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	ftpserver "github.com/fclairamb/ftpserverlib"

	"github.com/spdscheme/spdserver/driver"
)

// transfer is a command with a data connection, in progress. It runs beside the command
// loop, so that ABOR, STAT and NOOP are answered at once.
type transfer struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed behind the final reply
	command command
}

var errAborted = errors.New("aborted by the client")

// doTransfer starts RETR, STOR, APPE, LIST, NLST or MLSD.
func (s *session) doTransfer(c command) string {
	rest := s.rest
	s.rest = 0
	if !s.loggedIn() {
		return ""
	}
	switch {
	case s.server.TLSRequired && !s.private:
		s.reply("522 Data connections must be protected; use PROT P")
		return ""
	case s.port == nil:
		s.reply("425 Use PASV, EPSV, PORT or EPRT first")
		return ""
	}
	switch c.verb {
	case "RETR", "STOR", "APPE":
		if c.arg == "" {
			s.reply("501 %s needs a path", c.verb)
			return ""
		}
	}
	move, err := s.prepare(c, rest)
	port := s.port
	s.port = nil
	if err != nil {
		port.drop()
		s.replyError(err)
		return ""
	}
	s.startTransfer(c, port, move)
	return ""
}

// mover moves the bytes of a transfer. One of the two is called.
type mover interface {
	// move moves everything over the connection, and returns when it is stored or sent.
	move(conn net.Conn) error
	// fail ends the transfer without a connection.
	fail(err error)
}

// prepare finds what is to be moved; an error is the reply that takes the place of 150.
func (s *session) prepare(c command, rest int64) (mover, error) {
	path := c.arg
	switch c.verb {
	case "RETR":
		file, err := s.files.GetHandle(path, os.O_RDONLY, rest)
		return &sending{file: file, ascii: s.ascii}, err
	case "STOR":
		file, err := s.files.GetHandle(path, os.O_WRONLY|os.O_CREATE, rest)
		return &receiving{file: file, ascii: s.ascii}, err
	case "STOU":
		file, err := s.files.GetHandle(path, os.O_WRONLY|os.O_CREATE, 0)
		return &receiving{file: file, ascii: s.ascii}, err
	case "APPE":
		file, err := s.files.GetHandle(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0)
		return &receiving{file: file, ascii: s.ascii}, err
	}
	return s.prepareListing(s.ctx, c)
}

func (s *session) startTransfer(c command, port dataPort, m mover) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	t := &transfer{ctx: ctx, cancel: cancel, done: make(chan struct{}), command: c}
	s.mu.Lock()
	s.running = t
	cut := s.isGone && !s.quit // see lost
	s.mu.Unlock()
	if cut {
		s.cut()
	}
	s.transfers.Go(func() {
		defer s.endTransfer(t)
		s.runTransfer(t, port, m)
	})
}

// runTransfer opens the data connection, moves the bytes and replies.
func (s *session) runTransfer(t *transfer, port dataPort, m mover) {
	conn, err := s.openData(t.ctx, port)
	if err != nil {
		m.fail(err)
		s.log.Debug("no data connection", "err", err)
		if t.aborted() {
			s.reply("426 Transfer aborted")
		} else {
			s.reply("425 Data connection could not be opened")
		}
		return
	}
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
	switch {
	case t.aborted():
		s.reply("426 Transfer aborted")
	case err != nil:
		s.replyError(err)
	default:
		s.reply("226 %s", t.command.complete())
	}
}

func (t *transfer) aborted() bool { return errors.Is(context.Cause(t.ctx), errAborted) }

// endTransfer lets the next command go on.
func (s *session) endTransfer(t *transfer) {
	t.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.active = nil, time.Now()
	s.wakeUp()
	close(t.done)
}

// current is the transfer in progress, or nil.
func (s *session) current() *transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// doAbor ends the transfer in progress: 426 for it, then 226 for ABOR (RFC 959, 4.1.3).
func (s *session) doAbor(command) string {
	if t := s.current(); t != nil {
		t.cancel(errAborted)
		<-t.done
	} else if s.port != nil {
		s.setDataPort(nil)
	}
	s.reply("226 ABOR successful")
	return ""
}

// replyError answers with what the driver says about an error.
func (s *session) replyError(err error) {
	reply, ok := errors.AsType[*driver.Reply](err)
	if !ok {
		reply = &driver.Reply{Code: 426, Text: "Data connection failed; transfer aborted"}
	}
	s.reply("%d %s", reply.Code, reply.Text)
}

// receiving is STOR and APPE.
type receiving struct {
	file  ftpserver.FileTransfer
	ascii bool
}

func (r *receiving) move(conn net.Conn) error {
	var from io.Reader = conn
	if r.ascii {
		from = newLFReader(conn)
	}
	if _, err := readInto(r.file, from); err != nil {
		r.fail(err)
		return err
	}
	return r.file.Close()
}

func (r *receiving) fail(err error) { failFile(r.file, err) }

// sending is RETR.
type sending struct {
	file  ftpserver.FileTransfer
	ascii bool
}

func (s *sending) move(conn net.Conn) error {
	var to io.Writer = conn
	if s.ascii {
		to = &crlfWriter{Conn: conn}
	}
	_, err := io.Copy(to, s.file)
	if err != nil {
		s.fail(err)
		return err
	}
	return s.file.Close()
}

func (s *sending) fail(err error) { failFile(s.file, err) }

// failFile ends a file's transfer that has failed.
func failFile(file ftpserver.FileTransfer, err error) {
	if f, ok := file.(ftpserver.FileTransferError); ok {
		f.TransferError(err)
	}
	_ = file.Close() // the error is known
}

// readInto lets the file read the connection itself. io.Copy would ask a TCP connection
// to write.
func readInto(file ftpserver.FileTransfer, from io.Reader) (int64, error) {
	if f, ok := file.(io.ReaderFrom); ok {
		return f.ReadFrom(from)
	}
	return io.Copy(file, from)
}
