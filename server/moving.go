package server

import (
	"io"
	"net"
	"os"

	"github.com/spdscheme/spdserver/driver"
)

// mover moves the bytes of a transfer. One of the two is called.
type mover interface {
	// move moves everything over the connection, and returns when it is stored or sent.
	move(conn net.Conn) error
	// fail ends the transfer without a connection.
	fail(err error)
}

// prepare finds what is to be moved; an error is the reply that takes the place of 150.
func (s *session) prepare(t *transfer) (mover, error) {
	switch t.command.verb {
	case "RETR":
		file, err := s.openFile(t, os.O_RDONLY, t.rest)
		return &sending{file: file, ascii: s.ascii}, err
	case "STOR":
		file, err := s.openFile(t, os.O_WRONLY|os.O_CREATE, t.rest)
		return &receiving{file: file, ascii: s.ascii}, err
	case "STOU":
		file, err := s.openFile(t, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0)
		return &receiving{file: file, ascii: s.ascii}, err
	case "APPE":
		file, err := s.openFile(t, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0)
		return &receiving{file: file, ascii: s.ascii}, err
	}
	return s.openListing(t.ctx, t.command)
}

func (s *session) openFile(t *transfer, flags int, offset int64) (driver.File, error) {
	return s.files.OpenTransfer(t.ctx, t.command.arg, flags, offset)
}

// receiving is STOR and APPE.
type receiving struct {
	file  driver.File
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
	file  driver.File
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
func failFile(file driver.File, err error) {
	file.TransferError(err)
	_ = file.Close() // the error is known
}

// readInto lets the file read the connection itself. io.Copy would ask a TCP connection
// to write.
func readInto(file driver.File, from io.Reader) (int64, error) {
	if f, ok := file.(io.ReaderFrom); ok {
		return f.ReadFrom(from)
	}
	return io.Copy(file, from)
}
