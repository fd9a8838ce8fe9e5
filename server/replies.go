package server

import (
	"bytes"
	"net"
	"time"
)

// replyTimeout is how long a client may take to read a reply, and half of that the least.
const replyTimeout = 30 * time.Second

// send writes to the client. A byte 0xFF in a name is doubled, as it begins Telnet commands
// (RFC 854; RFC 959, 4.1.3). The caller holds writing.
func (s *session) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	s.countNonsense(p)
	conn := s.connection()
	s.setWriteDeadline(conn)
	_, err := conn.Write(bytes.ReplaceAll(p, []byte{telnetIAC}, []byte{telnetIAC, telnetIAC}))
	if err != nil {
		s.cut(errClientGone) // half a reply cannot be mended
	}
	return err
}

// setWriteDeadline gives the client time to read. One deadline holds for many replies. The
// caller holds writing.
func (s *session) setWriteDeadline(conn net.Conn) {
	if now := time.Now(); s.writeBy.Sub(now) < replyTimeout/2 {
		s.writeBy = now.Add(replyTimeout)
		_ = conn.SetWriteDeadline(s.writeBy) // of a connection that is closed; writing tells
	}
}

// maxNonsense is how many commands in a row may be none.
const maxNonsense = 50

// countNonsense ends a session in which nothing makes sense any more. The caller holds
// writing.
func (s *session) countNonsense(reply []byte) {
	if !bytes.HasPrefix(reply, []byte("500 ")) {
		s.nonsense = 0
		return
	}
	if s.nonsense++; s.nonsense == maxNonsense {
		s.farewellNow("421 Too many commands that are none; connect again")
	}
}
