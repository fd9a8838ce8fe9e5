package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/socket"
)

// bufferSize holds a request's headers, with a small body behind them, or an answer's
// headers, in bytes.
const bufferSize = 4 << 10

// maxHeaders is how long an answer's headers may be, in bytes.
const maxHeaders = 1 << 20

// conn is a connection that carries one request at a time.
type conn struct {
	net.Conn
	raw       net.Conn        // below TLS
	tcp       *net.TCPConn    // raw, if it is one
	system    syscall.RawConn // of tcp
	transport *Transport
	endpoint  endpoint
	limit     io.LimitedReader // Conn, as in reads it
	in        *bufio.Reader
	out       *bufio.Writer
	own       map[string]bool // headers that are not the request's own to set; see send
	least     int             // bytes that wake a reader; see wakeAt
	idleSince time.Time
}

func newConn(t *Transport, key endpoint, raw, secure net.Conn) *conn {
	c := &conn{Conn: secure, raw: raw, transport: t, endpoint: key, least: 1}
	if c.tcp, _ = raw.(*net.TCPConn); c.tcp != nil {
		c.system, _ = c.tcp.SyscallConn() // fails for nil only
	}
	c.limit = io.LimitedReader{R: c.Conn, N: math.MaxInt64}
	c.in = bufio.NewReaderSize(&c.limit, bufferSize)
	c.out = bufio.NewWriterSize(c.Conn, bufferSize)
	c.own = ownHeaders()
	return c
}

// plain tells whether the connection is TCP without TLS.
func (c *conn) plain() bool { return c.tcp != nil && c.Conn == c.raw }

// cut closes a connection in the middle of something. TLS would try to say goodbye first,
// and wait seconds for a store that takes nothing more.
func (c *conn) cut() { _ = c.raw.Close() } // it is of no use any more

// usable tells whether an idle connection is still open. The store has nothing to say
// before it is asked: whatever has come is the connection's end.
func (c *conn) usable() bool {
	return (c.tcp == nil || c.silent()) && (c.plain() || c.empty())
}

// silent tells whether nothing waits in the socket.
func (c *conn) silent() bool {
	silent := false
	err := c.system.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		silent = errors.Is(err, unix.EAGAIN)
	})
	return err == nil && silent
}

// empty tells whether nothing waits in TLS.
func (c *conn) empty() bool {
	err := c.SetReadDeadline(time.Unix(1, 0)) // read what is there, and no more
	_, peekErr := c.in.Peek(1)
	err = cmp.Or(err, c.SetReadDeadline(time.Time{}))
	return err == nil && errors.Is(peekErr, os.ErrDeadlineExceeded)
}

// roundTrip sends a request and reads the answer's headers.
func (c *conn) roundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // wakes whoever reads or writes
	resp, err := c.exchange(req)
	if err != nil {
		stop()
		c.cut()
		return nil, reason(ctx, err)
	}
	keep := !resp.Close && resp.ProtoAtLeast(1, 1)
	switch {
	case resp.Body == http.NoBody || resp.ContentLength == 0:
		resp.Body = http.NoBody
		c.done(stop, keep)
	case resp.ContentLength > 0:
		resp.Body = &body{ctx: ctx, conn: c, from: c.in, left: resp.ContentLength, stop: stop, keep: keep}
	default: // chunked, or up to the connection's end
		resp.Body = &body{ctx: ctx, conn: c, from: resp.Body, left: -1, stop: stop, keep: keep && len(resp.TransferEncoding) > 0}
	}
	return resp, nil
}

// reason is why a request has failed: its context has ended, or err.
func reason(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// done gives the connection back after an answer.
func (c *conn) done(stop func() bool, keep bool) {
	if stop() && keep && c.in.Buffered() == 0 && c.wakeAt(1) == nil { // not stopped: its deadline may have passed
		c.transport.keep(c)
		return
	}
	_ = c.Close() // read to the end
}

// exchange sends a request and reads the answer's headers. A store that answers before it
// has the whole body, and hangs up, has still said why.
func (c *conn) exchange(req *http.Request) (*http.Response, error) {
	sendErr := c.send(req)
	if bodyErr, ok := errors.AsType[*BodyError](sendErr); ok {
		return nil, bodyErr
	}
	resp, err := c.answer(req)
	if sendErr != nil && (err != nil || resp.StatusCode < http.StatusBadRequest) {
		return nil, fmt.Errorf("send request: %w", sendErr)
	}
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	resp.Close = resp.Close || sendErr != nil
	return resp, nil
}

// answer reads the headers of the final answer, and skips those before.
func (c *conn) answer(req *http.Request) (*http.Response, error) {
	c.limit.N = maxHeaders
	defer func() { c.limit.N = math.MaxInt64 }()
	for {
		resp, err := http.ReadResponse(c.in, req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the store switches protocols")
		case resp.StatusCode >= http.StatusOK: // not "100 Continue" and the like
			return resp, nil
		}
	}
}

// BodyError is a fault of a request's body, not of the connection.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "request body: " + e.Err.Error() }
func (e *BodyError) Unwrap() error { return e.Err }

// send writes a request (RFC 9112, section 3).
func (c *conn) send(req *http.Request) error {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	fmt.Fprintf(c.out, "%s %s HTTP/1.1\r\nHost: %s\r\n", req.Method, req.URL.RequestURI(), host)
	if req.ContentLength > 0 || req.Method == http.MethodPut || req.Method == http.MethodPost {
		fmt.Fprintf(c.out, "Content-Length: %d\r\n", req.ContentLength)
	}
	if err := req.Header.WriteSubset(c.out, c.own); err != nil {
		return err
	}
	if _, err := c.out.WriteString("\r\n"); err != nil {
		return err
	}
	if req.Body != nil || req.ContentLength > 0 {
		if err := c.sendBody(cmp.Or[io.Reader](req.Body, http.NoBody), req.ContentLength); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// ownHeaders are those that send writes itself, or does not use.
func ownHeaders() map[string]bool {
	return map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Connection": true, "Expect": true}
}

// sendBody writes size bytes: a few behind the headers, in the same packet.
func (c *conn) sendBody(from io.Reader, size int64) error {
	to := &counter{to: c.out, left: size}
	if size > int64(c.out.Available()) {
		if err := c.out.Flush(); err != nil {
			return err
		}
		to.to = bulk{c}
		if l, ok := c.lend(from, size); ok {
			defer l.close()
			to.to = l
		}
	}
	var err error
	if w, ok := from.(io.WriterTo); ok {
		_, err = w.WriteTo(to)
	} else {
		_, err = io.Copy(to, struct{ io.Reader }{from})
	}
	switch {
	case to.err != nil:
		return to.err
	case err != nil:
		return &BodyError{err}
	case to.left > 0:
		return &BodyError{fmt.Errorf("%d bytes are missing", to.left)}
	}
	return nil
}

// bulk writes a large body.
type bulk struct{ *conn }

func (b bulk) Write(p []byte) (int, error) {
	if len(p) >= socket.Worth && b.plain() {
		return socket.Write(b.system, p)
	}
	return b.Conn.Write(p)
}

// counter lets no more through than was promised, and tells its own errors from the body's.
type counter struct {
	to   io.Writer
	left int64
	err  error
}

var errTooLong = errors.New("longer than was said")

func (w *counter) Write(p []byte) (int, error) {
	if int64(len(p)) > w.left {
		return 0, errTooLong
	}
	n, err := w.to.Write(p)
	w.left -= int64(n)
	w.err = err
	return n, err
}

// Flush sends what has been gathered, for a body that pauses.
func (w *counter) Flush() error {
	if gathers, ok := w.to.(*bufio.Writer); ok {
		w.err = gathers.Flush()
	}
	return w.err
}
