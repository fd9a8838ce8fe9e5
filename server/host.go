package server

import (
	"crypto/tls"
	"net/netip"
	"strings"
)

// doHost takes the name of the server that the client wants (RFC 7151). There is one here,
// whatever it is called; but it must be the name that TLS was begun with.
func (s *session) doHost(c command) {
	switch sni := s.serverName(); {
	case s.account != nil || s.name != "":
		s.reply("503 HOST comes before USER")
	case !isHost(c.arg):
		s.reply("501 HOST needs the name of a server")
	case sni != "" && !strings.EqualFold(strings.TrimSuffix(c.arg, "."), sni):
		s.reply("504 TLS was begun with another name")
	default:
		s.reply("220 %s", s.server.Banner)
	}
}

// serverName is what the client has called the server when TLS began; "" if nothing.
func (s *session) serverName() string {
	conn, ok := s.connection().(*tls.Conn)
	if !ok {
		return ""
	}
	return conn.ConnectionState().ServerName
}

// isHost tells whether a text is a domain name, an IPv4 address, or an IPv6 address in
// brackets (RFC 7151, 3.1).
func isHost(text string) bool {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	if len(text) > 254 { // RFC 1035, 2.3.4
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if len(label) < 1 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(c rune) bool { return c != '-' && isNoWord(c) }) {
			return false
		}
	}
	return true
}
