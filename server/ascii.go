package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
)

// lfReader makes the CRLF of TYPE A (RFC 959, 3.1.1.1) the LF that files hold. A CR that
// no LF follows stays.
type lfReader struct {
	net.Conn
	in *bufio.Reader
}

func newLFReader(conn net.Conn) *lfReader {
	return &lfReader{Conn: conn, in: bufio.NewReaderSize(conn, 32<<10)}
}

// Read implements io.Reader.
func (r *lfReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	for n < len(p) {
		b, err := r.in.ReadByte()
		if err != nil {
			return n, err
		}
		if b == '\r' {
			if next, err := r.in.Peek(1); err == nil && next[0] == '\n' {
				continue // the LF comes next
			}
		}
		p[n] = b
		n++
		if r.in.Buffered() == 0 {
			break // do not wait for more
		}
	}
	return n, nil
}

// NetConn is the connection below TLS, or nil.
func (r *lfReader) NetConn() net.Conn {
	if secure, ok := r.Conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return nil
}

// crlfWriter makes the LF of files the CRLF of TYPE A. One that is a CRLF already stays.
type crlfWriter struct {
	net.Conn
	lastCR bool
}

// Write implements io.Writer.
func (w *crlfWriter) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+len(p)/16)
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			out = append(out, rest...)
			w.lastCR = rest[len(rest)-1] == '\r'
			break
		}
		out = append(out, rest[:i]...)
		if i > 0 {
			w.lastCR = rest[i-1] == '\r'
		}
		if !w.lastCR {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		w.lastCR = false
		rest = rest[i+1:]
	}
	if _, err := w.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

var (
	_ io.Reader = (*lfReader)(nil)
	_ io.Writer = (*crlfWriter)(nil)
)
