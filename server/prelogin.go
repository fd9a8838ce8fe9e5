package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"sync/atomic"

	"github.com/spdscheme/spdserver/guard"
)

// turnAway closes a connection that the gate does not let in. It must cost next to nothing:
// there may be many.
func (s *Server) turnAway(conn net.Conn, implicit bool, why error) {
	s.metrics.refused.Inc()
	s.Log.Debug("connection refused", "remote", conn.RemoteAddr().String(), "err", why)
	if errors.Is(why, guard.ErrPending) && !implicit {
		_, _ = conn.Write([]byte("421 Too many connections that are not logged in; try again later\r\n")) // fits into an empty buffer
	} else if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // nothing of it is remembered, in the kernel neither
	}
	_ = conn.Close() // nobody knows it yet
}

// said is what a client has said before its login. The zero value: nothing.
type said struct {
	commands int          // of the session's goroutine
	bytes    atomic.Int64 // that may still come, once early has set it
}

// saysTooMuch counts a command before the login; true: it was one too many.
func (s *session) saysTooMuch() bool {
	if s.account != nil || s.server.CommandsBeforeLogin <= 0 {
		return false
	}
	s.said.commands++
	return s.said.commands > s.server.CommandsBeforeLogin
}

// forget ends the counting, or begins it anew for who logs out again.
func (s *said) forget() {
	s.commands = 0
	s.bytes.Store(math.MaxInt64)
}

var errSaysTooMuch = errors.New("too much was said before the login")

// early is what command lines are read from: before the login there is an end to it, even if
// it is a single line.
func (s *session) early(conn net.Conn) io.Reader {
	if s.server.BytesBeforeLogin <= 0 {
		return conn
	}
	s.said.bytes.CompareAndSwap(0, s.server.BytesBeforeLogin)
	return &earlyReader{conn, &s.said.bytes}
}

// earlyReader ends when no more may be read.
type earlyReader struct {
	from io.Reader
	left *atomic.Int64
}

// Read implements io.Reader.
func (r *earlyReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if r.left.Add(-int64(n)) < 0 {
		return 0, errSaysTooMuch
	}
	return n, err
}

// shake is the handshake of the control connection, when its turn has come.
func (s *session) shake(ctx context.Context, conn *tls.Conn) error {
	done, err := s.server.Gate.Handshake(ctx)
	if err != nil {
		return err
	}
	defer done()
	return conn.HandshakeContext(ctx)
}
