package wire

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/socket"
	"github.com/spdscheme/spdserver/store"
)

// body is what follows an answer's headers.
type body struct {
	ctx  context.Context // the request's
	conn *conn
	from io.Reader
	left int64 // bytes; -1: from tells the end
	stop func() bool
	keep bool // the connection can carry another request afterwards
	end  error
}

var (
	_ io.ReadCloser = (*body)(nil)
	_ store.Splicer = (*body)(nil)
)

// Read implements io.Reader. Fewer bytes than were promised are io.ErrUnexpectedEOF.
func (b *body) Read(p []byte) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	if b.left >= 0 {
		p = p[:min(int64(len(p)), b.left)]
	}
	if len(p) >= socket.Worth && b.left >= 0 && b.conn.plain() && b.conn.in.Buffered() == 0 {
		n, err := b.take(len(p), func() (int, error) { return socket.Read(b.conn.system, p) })
		return n, b.received(n, err)
	}
	if err := b.conn.wakeAt(1); err != nil {
		return 0, b.received(0, err)
	}
	n, err := b.from.Read(p)
	return n, b.received(n, err)
}

// SpliceInto implements store.Splicer, but for bodies under TLS or in chunks.
func (b *body) SpliceInto(pipe, n int) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	if b.left < 0 || !b.conn.plain() {
		return 0, errors.ErrUnsupported
	}
	n = int(min(int64(n), b.left))
	if n <= 0 {
		return 0, nil
	}
	var err error
	if b.conn.in.Buffered() > 0 { // came with the headers
		n, err = b.copyInto(pipe, n)
	} else {
		n, err = b.take(n, func() (int, error) { return socket.SpliceFrom(b.conn.system, pipe, n) })
	}
	return n, b.received(n, err)
}

func (b *body) copyInto(pipe, n int) (int, error) {
	p, _ := b.conn.in.Peek(min(n, b.conn.in.Buffered())) // they are there
	n, err := unix.Write(pipe, p)
	n = max(n, 0)
	_, _ = b.conn.in.Discard(n) // they are there
	return n, err
}

// Large pieces are taken, as long as that does not take long and so many bytes are to come
// that the last of them do not wait in vain.
const (
	gatherSize = 512 << 10 // bytes that wait in a connection, at best, before they are taken
	gatherTime = 100 * time.Millisecond
)

// take takes up to n bytes from the connection.
func (b *body) take(n int, from func() (int, error)) (int, error) {
	if b.left > 2*gatherSize {
		taken, err := b.gather(min(n, gatherSize), from)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return taken, err
		}
	}
	if err := b.conn.wakeAt(1); err != nil {
		return 0, err
	}
	return from()
}

// gather takes bytes once so many are there. If they do not come within gatherTime, it is
// os.ErrDeadlineExceeded: a slow store must not look like one that stands still.
func (b *body) gather(many int, from func() (int, error)) (int, error) {
	if err := b.conn.wakeAt(many); err != nil {
		return 0, err
	}
	if err := b.wakeIn(time.Now().Add(gatherTime)); err != nil {
		return 0, err
	}
	taken, err := from()
	return taken, cmp.Or(err, b.wakeIn(time.Time{}))
}

// wakeIn sets the time at which reading ends; the zero time is never. If the request has been
// cancelled, that is at once.
func (b *body) wakeIn(at time.Time) error {
	err := b.conn.SetReadDeadline(at)
	if b.ctx.Err() != nil { // the deadline that told us so may just have been replaced
		err = b.conn.SetReadDeadline(time.Unix(1, 0))
	}
	return err
}

// wakeAt makes the kernel wake a reader when so many bytes wait (SO_RCVLOWAT in socket(7)).
func (c *conn) wakeAt(least int) error {
	if least == c.least {
		return nil
	}
	c.least = least
	var setErr error
	err := c.system.Control(func(fd uintptr) {
		setErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, least)
	})
	return cmp.Or(err, os.NewSyscallError("setsockopt", setErr))
}

// received counts n bytes, and gives the connection back behind the last one.
func (b *body) received(n int, err error) error {
	if b.left >= 0 {
		b.left -= int64(n)
	}
	switch {
	case b.left == 0, b.left < 0 && err == io.EOF:
		b.end = io.EOF
		b.conn.done(b.stop, b.keep)
		b.conn = nil
		if n > 0 {
			return nil
		}
	case err == io.EOF:
		b.end = io.ErrUnexpectedEOF
	case err != nil && b.ctx.Err() != nil:
		b.end = context.Cause(b.ctx)
	default:
		return err
	}
	return b.end
}

// Close ends the request. A body that was not read to its end costs the connection.
func (b *body) Close() error {
	if b.conn == nil {
		return nil
	}
	b.stop()
	b.conn.cut() // what is still to come is not wanted
	b.conn, b.end = nil, errClosed
	return nil
}

var errClosed = errors.New("body is closed")
