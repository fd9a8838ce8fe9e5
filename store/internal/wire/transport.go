// Package wire speaks HTTP/1.1 to an object store in the goroutine that asks.
//
// net/http gives each connection two goroutines of its own, and copies bodies through their
// buffers. Here a request is written and its answer read by the caller: a small request is
// one write and one read, a large body is written by itself, and the body of an answer can
// go to another socket without entering the process (splice(2)).
package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Transport is an http.RoundTripper over connections that it keeps. Its fields must not be
// changed after the first request. Close it after use.
type Transport struct {
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS         *tls.Config   // for https
	IdleTimeout time.Duration // how long an unused connection is kept; 0 means a minute
	MaxIdle     int           // connections kept unused; 0 means 256

	mu     sync.Mutex
	idle   []*conn // the one used last at the end
	prune  *time.Timer
	closed bool
}

var _ http.RoundTripper = (*Transport)(nil)

const (
	defaultIdleTimeout = time.Minute
	defaultMaxIdle     = 256
)

// RoundTrip implements http.RoundTripper. A body needs a ContentLength. What io.WriterTo
// writes of a body that implements it is not copied. The body of the answer implements
// SpliceInto, see there, if the connection can.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }() // it has been read, or is not needed
	}
	if req.ContentLength < 0 || len(req.TransferEncoding) > 0 {
		return nil, errors.New("request body of unknown length")
	}
	c, err := t.connection(req)
	if err != nil {
		return nil, reason(req.Context(), err)
	}
	return c.roundTrip(req)
}

// connection is one that is idle, or a new one.
func (t *Transport) connection(req *http.Request) (*conn, error) {
	key := endpoint{req.URL.Scheme, addrOf(req)}
	for {
		c := t.take(key)
		switch {
		case c == nil:
			return t.dial(req.Context(), key)
		case c.usable():
			return c, nil
		}
		_ = c.Close() // the store has closed it
	}
}

// endpoint is what connections differ in.
type endpoint struct{ scheme, addr string }

func addrOf(req *http.Request) string {
	port := "80"
	if req.URL.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(req.URL.Hostname(), cmp.Or(req.URL.Port(), port))
}

// take removes the idle connection that was used last.
func (t *Transport) take(key endpoint) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range slices.Backward(t.idle) {
		if c.endpoint == key {
			t.idle = slices.Delete(t.idle, i, i+1)
			return c
		}
	}
	return nil
}

func (t *Transport) dial(ctx context.Context, key endpoint) (*conn, error) {
	raw, err := t.DialContext(ctx, "tcp", key.addr)
	if err != nil {
		return nil, err
	}
	if key.scheme != "https" {
		return newConn(t, key, raw, raw), nil
	}
	secure, err := t.secure(ctx, raw, key.addr)
	if err != nil {
		_ = raw.Close() // never used
		return nil, err
	}
	return newConn(t, key, raw, secure), nil
}

func (t *Transport) secure(ctx context.Context, raw net.Conn, addr string) (net.Conn, error) {
	config := t.TLS.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr) // made by JoinHostPort
	}
	config.NextProtos = []string{"http/1.1"}
	c := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return c, nil
}

const handshakeTimeout = 10 * time.Second

// keep makes a connection idle.
func (t *Transport) keep(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.idle) >= cmp.Or(t.MaxIdle, defaultMaxIdle) {
		_ = c.Close() // nobody uses it
		return
	}
	c.idleSince = time.Now()
	t.idle = append(t.idle, c)
	if t.prune == nil {
		t.prune = time.AfterFunc(t.idleTimeout(), t.closeOld)
	}
}

func (t *Transport) idleTimeout() time.Duration { return cmp.Or(t.IdleTimeout, defaultIdleTimeout) }

// closeOld closes what nobody has used for long, and comes again if others are left.
func (t *Transport) closeOld() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = slices.DeleteFunc(t.idle, func(c *conn) bool {
		old := time.Since(c.idleSince) >= t.idleTimeout()
		if old {
			_ = c.Close() // nobody uses it
		}
		return old
	})
	t.prune = nil
	if len(t.idle) > 0 {
		t.prune = time.AfterFunc(t.idleTimeout()/2, t.closeOld)
	}
}

// CloseIdleConnections closes the connections that no request uses. The name is the one that
// http.Client looks for.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.idle {
		_ = c.Close() // nobody uses it
	}
	t.idle = nil
}

// Close closes the idle connections, and those in use once their answers have been read.
func (t *Transport) Close() {
	t.CloseIdleConnections()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.prune != nil {
		t.prune.Stop()
	}
}
