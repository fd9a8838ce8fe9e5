package server

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/spdscheme/spdserver/driver"
)

// doStat tells how the session is and what it does, or what LIST would say about a path
// (RFC 959, 4.1.3). It is one reply, and so is sent in one piece.
func (s *session) doStat(c command) {
	if c.arg != "" {
		s.statPath(c)
		return
	}
	lines := []string{"211-Status of this session", "Connected from " + s.ip.String()}
	if s.account == nil {
		lines = append(lines, "Not logged in")
	} else {
		lines = append(lines, "Logged in as "+s.account.Name, "Working directory "+quoted(s.files.Shown(s.Path())))
	}
	lines = append(lines,
		"TYPE "+either(s.ascii, "A", "I")+", STRU F, MODE S",
		"Control connection "+either(s.isSecure(), "protected by TLS", "in clear text"),
		"Data connections "+either(s.private, "protected by TLS", "in clear text"),
		s.progress())
	s.reply("%s\r\n211 End of status", strings.Join(lines, "\r\n "))
}

func either(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}

// progress tells about the transfer in progress.
func (s *session) progress() string {
	t := s.current()
	if t == nil {
		return "No transfer in progress"
	}
	what := t.command.verb
	if t.command.arg != "" {
		what += " " + t.command.arg
	}
	conn := t.connection()
	if conn == nil {
		return what + ": about to begin"
	}
	received, sent := bytesMoved(conn)
	if sends(t.command.verb) {
		return fmt.Sprintf("%s: %d bytes sent", what, sent)
	}
	return fmt.Sprintf("%s: %d bytes received", what, received)
}

// maxStatus bounds a listing on the control connection, in bytes.
const maxStatus = 1 << 20

var errStatusTooLong = errors.New("too much for a reply")

// statusText is what a listing writes to.
type statusText struct {
	bytes.Buffer
}

// Write implements io.Writer.
func (t *statusText) Write(p []byte) (int, error) {
	if t.Len()+len(p) > maxStatus {
		return 0, &driver.Reply{Code: 504, Text: "Too many entries for STAT; use LIST", Cause: errStatusTooLong}
	}
	return t.Buffer.Write(p)
}

// statPath lists a path: 212 for a directory, 213 for a file.
func (s *session) statPath(c command) {
	l, err := s.openListing(s.ctx, c)
	if err != nil {
		s.replyError(err)
		return
	}
	var text statusText
	l.out.to = &text
	if err = l.write(); err == nil {
		err = l.out.flush()
	}
	if err = l.source.Close(err); err != nil {
		s.replyError(err)
		return
	}
	code := 213
	if l.source.IsDir() {
		code = 212
	}
	s.reply("%d-Status of %s\r\n%s%d End of status", code, c.arg, indented(text.String()), code)
}

// indented puts a space before each line, so that none looks like the end of the reply.
func indented(lines string) string {
	var out strings.Builder
	for line := range strings.Lines(lines) {
		out.WriteString(" " + line)
	}
	return out.String()
}
