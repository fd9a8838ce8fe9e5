package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// Balancers may pass connections on with a header that tells whose they are (PROXY protocol,
// versions 1 and 2: haproxy's proxy-protocol.txt).

// headerTimeout is how long a balancer may take to say whose connection it is.
const headerTimeout = 5 * time.Second

// passedOn is a connection by way of a balancer. Its addresses are those of the client's own
// connection, to the balancer.
type passedOn struct {
	*net.TCPConn
	remote, local net.Addr
}

// RemoteAddr is the client's address.
func (c *passedOn) RemoteAddr() net.Addr { return c.remote }

// LocalAddr is the address that the client has connected to.
func (c *passedOn) LocalAddr() net.Addr { return c.local }

// ownAddr is the address of this machine that a connection has come to.
func ownAddr(conn net.Conn) net.Addr {
	if c, ok := conn.(*passedOn); ok {
		return c.TCPConn.LocalAddr()
	}
	return conn.LocalAddr()
}

// isBalancer tells whether headers are read from there.
func (s *Server) isBalancer(addr netip.Addr) bool {
	for _, n := range s.ProxyProtocolFrom {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// awaitHeader receives a balancer's connection when it has said whose it is, beside the
// accept loop.
func (s *Server) awaitHeader(conn net.Conn, implicit bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		_ = conn.Close() // nothing was said
		return
	}
	s.active.Go(func() {
		client, err := s.readHeader(conn)
		if err != nil {
			s.metrics.refused.Inc()
			s.Log.Info("connection refused", "remote", conn.RemoteAddr().String(), "err", err)
			_ = conn.Close() // nothing was said
			return
		}
		s.receive(client, implicit)
	})
}

// readHeader reads the header until the server drains.
func (s *Server) readHeader(conn net.Conn) (net.Conn, error) {
	done, woken := make(chan struct{}), make(chan struct{})
	if err := conn.SetReadDeadline(time.Now().Add(headerTimeout)); err != nil {
		return nil, err
	}
	go func() { // until done
		defer close(woken)
		select {
		case <-s.drained:
			_ = conn.SetReadDeadline(time.Unix(1, 0)) // of a connection that is closed: as good
		case <-done:
		}
	}()
	client, err := readProxyHeader(conn)
	close(done)
	<-woken
	if err != nil {
		return nil, fmt.Errorf("PROXY header: %w", err)
	}
	return client, conn.SetReadDeadline(time.Time{})
}

// clientOf is whose data connection it is; the zero Addr: nobody can tell.
func (s *Server) clientOf(conn *net.TCPConn, by time.Time) netip.Addr {
	if !s.isBalancer(addrOf(conn.RemoteAddr())) {
		return addrOf(conn.RemoteAddr())
	}
	if limit := time.Now().Add(headerTimeout); by.IsZero() || limit.Before(by) {
		by = limit
	}
	_ = conn.SetReadDeadline(by) // or reading fails, too
	client, err := readProxyHeader(conn)
	if err != nil {
		return netip.Addr{}
	}
	_ = conn.SetReadDeadline(time.Time{}) // or reading fails, too
	return addrOf(client.RemoteAddr())
}

var errNoHeader = errors.New("there is none")

// readProxyHeader reads the header and not a byte more. A balancer that speaks for itself, as
// to see whether we are alive, keeps its own address.
func readProxyHeader(conn net.Conn) (net.Conn, error) {
	raw, err := rawHeader(conn)
	if err != nil {
		return nil, err
	}
	header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, err
	}
	tcp, isTCP := conn.(*net.TCPConn)
	remote, local, ok := header.TCPAddrs()
	if header.Command.IsLocal() || !ok || !isTCP {
		return conn, nil
	}
	return &passedOn{tcp, remote, local}, nil
}

const (
	// beginning is how much of a header there is at least, in both versions.
	beginning = 12
	// maxHeader1 is the longest header of version 1.
	maxHeader1 = 107
	// maxHeader2 bounds those of version 2, which may have anything behind the addresses.
	maxHeader2 = 4 << 10
)

// rawHeader reads the bytes of a header.
func rawHeader(r io.Reader) ([]byte, error) {
	raw := make([]byte, beginning, maxHeader1)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	switch {
	case bytes.Equal(raw, proxyproto.SIGV2):
		return rest2(r, raw)
	case bytes.HasPrefix(raw, proxyproto.SIGV1):
		return rest1(r, raw)
	}
	return nil, errNoHeader
}

// rest1 reads to the end of the line: there may be a command behind it.
func rest1(r io.Reader, raw []byte) ([]byte, error) {
	var b [1]byte
	for !bytes.HasSuffix(raw, []byte("\r\n")) {
		if len(raw) == maxHeader1 {
			return nil, errNoHeader
		}
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, err
		}
		raw = append(raw, b[0])
	}
	return raw, nil
}

// rest2 reads as much as the header says.
func rest2(r io.Reader, raw []byte) ([]byte, error) {
	var next [4]byte // version and command, family, length
	if _, err := io.ReadFull(r, next[:]); err != nil {
		return nil, err
	}
	length := int(next[2])<<8 | int(next[3])
	if length > maxHeader2 {
		return nil, errNoHeader
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, err
	}
	return append(append(raw, next[:]...), rest...), nil
}
