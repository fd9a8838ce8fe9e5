package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dataPort is where the next data connection comes from: a port that the client connects
// to (PASV, EPSV) or one of the client's (PORT, EPRT). One of open and drop is called.
type dataPort interface {
	// open waits for the connection, until ctx ends or the deadline passes; zero: there is none.
	open(ctx context.Context, deadline time.Time) (net.Conn, error)
	// drop forgets it.
	drop()
}

// activePort is an address of the client's (RFC 959, PORT).
type activePort struct {
	from net.IP // the address that the client has connected to
	to   netip.AddrPort
}

func (a activePort) open(ctx context.Context, deadline time.Time) (net.Conn, error) {
	dialer := net.Dialer{
		Deadline:  deadline,
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

// doPasv opens a port for the client to connect to (RFC 959, 4.1.2).
func (s *session) doPasv(c command) {
	if s.refuseAfterAll(c) {
		return
	}
	if port := s.openPassive(); port != nil {
		n := port.number()
		s.reply("227 Entering Passive Mode (%s,%d,%d)", strings.ReplaceAll(s.passiveIP().String(), ".", ","), n>>8, n&255)
	}
}

// doEpsv opens a port on the address that the client has connected to, of whatever family.
// ALL promises that no other command will ask for a data connection (RFC 2428, 3 and 4).
func (s *session) doEpsv(c command) {
	switch arg := strings.ToUpper(c.arg); {
	case arg == "ALL":
		s.epsvAll = true
		s.reply("200 Only EPSV is accepted from now on")
	case arg != "" && !isNumber(arg):
		s.reply("501 EPSV takes a network protocol, ALL, or nothing")
	case arg != "" && arg != s.family():
		s.reply("522 Network protocol not supported, use (%s)", s.family())
	default:
		if port := s.openPassive(); port != nil {
			s.reply("229 Entering Extended Passive Mode (|||%d|)", port.number())
		}
	}
}

// openPassive replaces the data port by a passive one; nil if there is none, and the
// client knows. A session holds one port, even for a moment: its old one may be the last.
func (s *session) openPassive() *passivePort {
	s.setDataPort(nil)
	port, err := s.server.passive.take(s)
	if err != nil {
		s.log.Warn("no passive port", "err", err)
		s.reply("425 No passive port is free; try again later")
		return nil
	}
	s.port = port
	return port
}

// refuseAfterAll answers what EPSV ALL rules out.
func (s *session) refuseAfterAll(c command) bool {
	if s.epsvAll {
		s.reply("503 %s is not accepted after EPSV ALL", c.verb)
	}
	return s.epsvAll
}

// family is the number of the control connection's network protocol (RFC 2428, 2).
func (s *session) family() string {
	if s.ip.Is4() {
		return "1"
	}
	return "2"
}

// passiveIP is the address in the reply to PASV: the configured one, or that which the
// client has connected to. PASV cannot name an IPv6 address; clients take 0.0.0.0 as that
// of the control connection.
func (s *session) passiveIP() netip.Addr {
	if s.server.PublicIP != nil {
		if ip, ok := s.server.PublicIP(s.ip); ok {
			return ip
		}
	}
	if ip := addrOf(s.raw.LocalAddr()); ip.Is4() {
		return ip
	}
	return netip.IPv4Unspecified()
}

// doActive takes the address of PORT or EPRT. It must be the client's own, so that nobody
// can be attacked through us, and no port below 1024 (RFC 2577, 3).
func (s *session) doActive(c command) {
	if s.refuseAfterAll(c) {
		return
	}
	addr, err := parsePort(c.arg)
	if c.verb == "EPRT" {
		addr, err = parseEprt(c.arg, s.family())
	}
	switch {
	case !s.server.ActiveMode:
		s.reply("502 Active mode is disabled; use PASV or EPSV")
	case errors.Is(err, errFamily):
		s.reply("522 Network protocol not supported, use (%s)", s.family())
	case err != nil:
		s.reply("501 %s needs an address and a port", c.verb)
	case addr.Addr().Is4() != s.ip.Is4():
		s.reply("522 Network protocol not supported, use (%s)", s.family())
	case addr.Addr() != s.ip:
		s.log.Warn("data connection to a foreign address refused", "address", addr.String())
		s.reply("500 Data connections may only go to your own address")
	case addr.Port() < 1024:
		s.reply("500 Data connections may not go to ports below 1024")
	default:
		local, _ := ownAddr(s.raw).(*net.TCPAddr) // it always is
		s.setDataPort(activePort{from: local.IP, to: addr})
		s.reply("200 %s command successful", c.verb)
	}
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
		n, ok := parseNumber(f, 8)
		if !ok {
			return netip.AddrPort{}, errAddress
		}
		b[i] = byte(n) //nolint:gosec // it has 8 bits
	}
	ip := netip.AddrFrom4([4]byte(b[:4]))
	return netip.AddrPortFrom(ip, uint16(b[4])<<8|uint16(b[5])), nil
}

// parseEprt reads |family|address|port| with any delimiter, for a session of a family
// (RFC 2428, 2).
func parseEprt(arg, family string) (netip.AddrPort, error) {
	if arg == "" {
		return netip.AddrPort{}, errAddress
	}
	fields := strings.Split(arg, arg[:1])
	if len(fields) != 5 || fields[4] != "" {
		return netip.AddrPort{}, errAddress
	}
	switch {
	case !isNumber(fields[1]):
		return netip.AddrPort{}, errAddress
	case fields[1] != family: // whatever its addresses look like
		return netip.AddrPort{}, errFamily
	}
	ip, err := netip.ParseAddr(fields[2])
	port, ok := parseNumber(fields[3], 16)
	if err != nil || !ok || ip.Zone() != "" || ip.Is4() != (fields[1] == "1") {
		return netip.AddrPort{}, errAddress
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil //nolint:gosec // it has 16 bits
}

// parseNumber reads a number of so many bits, as it is usually written: in digits, and
// without zeros before them.
func parseNumber(text string, bits int) (uint64, bool) {
	if !isNumber(text) || text[0] == '0' && text != "0" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, bits)
	return n, err == nil
}
