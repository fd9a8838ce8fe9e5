package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// openData opens the data connection of a transfer and, after PROT P, protects it.
func (s *session) openData(ctx context.Context, port dataPort) (net.Conn, error) {
	if s.server.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.server.ConnectTimeout)
		defer cancel()
	}
	conn, err := port.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open data connection: %w", err)
	}
	if !s.private {
		return conn, nil
	}
	return s.tickets.dataConn(&watchedConn{Conn: conn}), nil
}

// handshake protects a data connection, once the client has read 150. Its errors are
// replies.
func (s *session) handshake(ctx context.Context, conn net.Conn) error {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return &driver.Reply{Code: 426, Text: "TLS handshake on the data connection failed", Cause: err}
	}
	if err := s.tickets.check(secure); err != nil {
		return &driver.Reply{Code: 522, Text: "Data connections must resume the control connection's TLS session", Cause: err}
	}
	return nil
}

// closeData ends a data connection; under TLS with close_notify.
func closeData(conn net.Conn) error {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // for close_notify
	return conn.Close()
}

// watchedConn is the connection below TLS.
type watchedConn struct {
	net.Conn
	ended atomic.Bool
}

// Read implements net.Conn.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

// Ended tells whether the connection itself has been read to its end. It is not when the
// client has said close_notify, as one that is killed has not (RFC 4217, 12.4).
func (c *watchedConn) Ended() bool { return c.ended.Load() }
