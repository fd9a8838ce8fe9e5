package server

import (
	"errors"
	"strings"
)

// errForeign: the client does not speak FTP.
var errForeign = errors.New("not FTP")

// tlsHandshake is what a TLS connection begins with (RFC 8446, 5.1), and no command.
const tlsHandshake = 22

// foreign tells whether a line belongs to another protocol. Whoever makes a browser or
// another server send its requests here, with commands of FTP among their lines, must not
// get them executed.
func foreign(line string) bool {
	verb, rest, _ := strings.Cut(strings.ToUpper(line), " ")
	switch verb {
	case "PROXY", // of a balancer that is not trusted
		"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "PRI", "PROPFIND", // HTTP
		"OPTIONS", "DESCRIBE", "INVITE", "REGISTER", "SUBSCRIBE", // RTSP and SIP
		"EHLO", "HELO", "LHLO", "MAIL", "RCPT", // SMTP
		"PING", "CONFIG", "EVAL", "FLUSHALL": // Redis
		return true
	}
	switch words := strings.Fields(rest); {
	case line == tooLongLine:
		return false
	case strings.HasPrefix(verb, "SSH-"), strings.HasPrefix(verb, "\x00"), strings.HasPrefix(verb, "\x03"):
		return true
	case strings.ContainsAny(verb, ":{}[]<>*$"): // headers, JSON, XML, Redis
		return true
	case len(words) > 0:
		protocol, _, versioned := strings.Cut(words[len(words)-1], "/")
		return versioned && (protocol == "HTTP" || protocol == "SIP" || protocol == "RTSP")
	}
	return false
}

// dropForeign ends a session of another protocol without a reply, which would only tell
// what is here.
func (s *session) dropForeign() {
	s.log.Info("not an FTP client")
	s.server.metrics.refused.Inc()
	s.cut(errOver)
}
