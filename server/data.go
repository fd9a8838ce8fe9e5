package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// dataPort is where the next data connection comes from: a port that the client connects
// to (PASV, EPSV) or one of the client's (PORT, EPRT). One of open and drop is called.
type dataPort interface {
	// open waits for the connection, until ctx ends.
	open(ctx context.Context) (net.Conn, error)
	// drop forgets it.
	drop()
}

// activePort is an address of the client's (RFC 959, PORT).
type activePort struct {
	from net.IP // the address that the client has connected to
	to   netip.AddrPort
}

func (a activePort) open(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: a.from},
		KeepAlive: -1, // Control sets it
		Control:   func(_, _ string, conn syscall.RawConn) error { return keepAlive(conn) },
	}
	dialer.SetMultipathTCP(false)
	return dialer.DialContext(ctx, "tcp", a.to.String())
}

func (activePort) drop() {}

// setDataPort replaces the data port.
func (s *session) setDataPort(p dataPort) {
	if s.port != nil {
		s.port.drop()
	}
	s.port = p
}

// doPassive opens a port for the client to connect to (RFC 959, PASV; RFC 2428, EPSV).
func (s *session) doPassive(c command) string {
	if !s.loggedIn() {
		return ""
	}
	var quads string
	if c.verb == "PASV" {
		quads = strings.ReplaceAll(s.passiveIP(), ".", ",")
	}
	port, err := s.server.passive.take(s)
	if err != nil {
		s.log.Warn("no passive port", "err", err)
		s.reply("425 No passive port is free; try again later")
		return ""
	}
	s.setDataPort(port)
	n := port.number()
	if c.verb == "PASV" {
		s.reply("227 Entering Passive Mode (%s,%d,%d)", quads, n>>8, n&255)
	} else {
		s.reply("229 Entering Extended Passive Mode (|||%d|)", n)
	}
	return ""
}

// passiveIP is the address in the reply to PASV: the configured one, or that which the
// client has connected to. PASV cannot name an IPv6 address; clients take 0.0.0.0 as that
// of the control connection.
func (s *session) passiveIP() string {
	if s.server.PublicIP != "" {
		return s.server.PublicIP
	}
	if ip := addrOf(s.raw.LocalAddr()); ip.Is4() {
		return ip.String()
	}
	return "0.0.0.0"
}

// doActive takes the address of PORT or EPRT. It must be the client's own, so that nobody
// can be attacked through us, and no port below 1024 (RFC 2577, 3).
func (s *session) doActive(c command) string {
	if !s.loggedIn() {
		return ""
	}
	parse := parsePort
	if c.verb == "EPRT" {
		parse = parseEprt
	}
	addr, err := parse(c.arg)
	switch {
	case !s.server.ActiveMode:
		s.reply("502 Active mode is disabled; use PASV or EPSV")
	case errors.Is(err, errFamily):
		s.reply("522 Network protocol not supported; use (1,2)")
	case err != nil:
		s.reply("501 %v", err)
	case addr.Addr().Unmap() != s.ip:
		s.log.Warn("data connection to a foreign address refused", "address", addr.String())
		s.reply("500 Data connections may only go to your own address")
	case addr.Port() < 1024:
		s.reply("500 Data connections may not go to ports below 1024")
	default:
		local, _ := s.raw.LocalAddr().(*net.TCPAddr) // it always is
		s.setDataPort(activePort{from: local.IP, to: addr})
		s.reply("200 %s command successful", c.verb)
	}
	return ""
}

var (
	errFamily  = errors.New("unknown network protocol")
	errAddress = errors.New("address not understood")
)

// parsePort reads h1,h2,h3,h4,p1,p2 (RFC 959, 4.1.2).
func parsePort(arg string) (netip.AddrPort, error) {
	fields := strings.Split(arg, ",")
	if len(fields) != 6 {
		return netip.AddrPort{}, errAddress
	}
	var b [6]byte
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 8)
		if err != nil {
			return netip.AddrPort{}, errAddress
		}
		b[i] = byte(n)
	}
	ip := netip.AddrFrom4([4]byte(b[:4]))
	return netip.AddrPortFrom(ip, uint16(b[4])<<8|uint16(b[5])), nil
}

// parseEprt reads |family|address|port| with any delimiter (RFC 2428, 2).
func parseEprt(arg string) (netip.AddrPort, error) {
	if arg == "" {
		return netip.AddrPort{}, errAddress
	}
	fields := strings.Split(arg, arg[:1])
	if len(fields) != 5 {
		return netip.AddrPort{}, errAddress
	}
	if fields[1] != "1" && fields[1] != "2" {
		return netip.AddrPort{}, errFamily
	}
	ip, err := netip.ParseAddr(fields[2])
	port, portErr := strconv.ParseUint(fields[3], 10, 16)
	if err != nil || portErr != nil || ip.Is4() != (fields[1] == "1") {
		return netip.AddrPort{}, errAddress
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

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
	return tls.Server(&watchedConn{Conn: conn}, s.server.TLS), nil
}

// handshake protects a data connection, once the client has read 150.
func handshake(ctx context.Context, conn net.Conn) error {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return secure.HandshakeContext(ctx)
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
