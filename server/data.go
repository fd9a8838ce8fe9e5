package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// openData opens the data connection of a transfer and, after PROT P, protects it.
func (s *session) openData(ctx context.Context, port dataPort) (net.Conn, error) {
	var deadline time.Time
	if s.server.ConnectTimeout > 0 {
		deadline = time.Now().Add(s.server.ConnectTimeout)
	}
	conn, err := port.open(ctx, deadline)
	if err != nil {
		return nil, fmt.Errorf("open data connection: %w", err)
	}
	if !s.private {
		return conn, nil
	}
	return s.tickets.dataConn(&watchedConn{Conn: conn, corks: &s.server.corks}), nil
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
	if secure, ok := conn.(*tls.Conn); ok {
		_ = secure.SetWriteDeadline(time.Now().Add(time.Second)) // for close_notify
	}
	return conn.Close()
}
