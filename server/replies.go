package server

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// replyTimeout is how long a client may take to read a reply.
const replyTimeout = 30 * time.Second

// Write implements net.Conn for the engine: replies, any number of lines at a time.
func (s *session) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var out bytes.Buffer
	for line := range s.replies.add(p) {
		out.WriteString(line)
		out.WriteString("\r\n")
	}
	if err := s.send(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes to the client. A byte 0xFF in a name is doubled, as it begins Telnet commands
// (RFC 854; RFC 959, 4.1.3). The caller holds writing.
func (s *session) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	s.countNonsense(p)
	conn := s.connection()
	if err := conn.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err := conn.Write(bytes.ReplaceAll(p, []byte{telnetIAC}, []byte{telnetIAC, telnetIAC}))
	if err != nil {
		s.cut() // half a reply cannot be mended
	}
	return err
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

// replyLines puts the engine's output together to lines and corrects them. It is guarded
// by session.writing.
type replyLines struct {
	partial []byte
}

// add takes output and yields the lines that are complete, corrected, without CRLF.
func (r *replyLines) add(p []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		r.partial = append(r.partial, p...)
		for {
			line, rest, found := bytes.Cut(r.partial, []byte("\n"))
			if !found {
				return
			}
			corrected := correct(strings.TrimSuffix(string(line), "\r"))
			r.partial = rest
			if !yield(corrected) {
				return
			}
		}
	}
}

// correct makes a line of the engine's what the client should read.
func correct(line string) string {
	if code, text, ok := driver.FindReply(line); ok {
		return fmt.Sprintf("%d %s", code, text)
	}
	for _, c := range corrections() {
		if strings.HasPrefix(line, c.engine) {
			return c.reply
		}
	}
	return line
}

type correction struct {
	engine string // how the engine's reply begins
	reply  string
}

// corrections are for replies of the engine that say less, or more, than a client should
// read.
func corrections() []correction {
	return []correction{
		{"500 Unhandled internal error", "451 Internal error; try again later"},
		{"500 Error:", "451 Internal error; try again later"},
		{"530 Authentication error", "421 Login is not possible now; try again later"},
		{"331 OK", "331 Password required"},
		{"230 Password ok, continue", "230 Logged in"},
	}
}
