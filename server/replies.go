package server

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"github.com/spdscheme/spdserver/driver"
)

// replyLines puts the engine's output together to lines and corrects them. It is guarded
// by session.writing.
type replyLines struct {
	partial []byte
	code    string // of the multi-line reply being written; "" outside of one
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

// final tells whether a line ends a reply that ends a command (RFC 959, 4.2): its code is
// not preliminary, and no more lines follow.
func (r *replyLines) final(line string) bool {
	if len(line) < 4 || !isCode(line[:3]) {
		return false
	}
	code, separator := line[:3], line[3]
	switch {
	case r.code == "" && separator == '-':
		r.code = code
		return false
	case separator != ' ' || r.code != "" && r.code != code:
		return false
	}
	r.code = ""
	return code[0] != '1'
}

// passivePort finds the port in the reply to PASV or EPSV (RFC 959, 2428).
func passivePort(line string) (port int, ok bool) {
	var fields [6]int
	if _, at, found := strings.Cut(line, "("); found && strings.HasPrefix(line, "227 ") {
		n, _ := fmt.Sscanf(at, "%d,%d,%d,%d,%d,%d", &fields[0], &fields[1], &fields[2], &fields[3], &fields[4], &fields[5])
		return fields[4]<<8 + fields[5], n == len(fields)
	}
	if _, at, found := strings.Cut(line, "(|||"); found && strings.HasPrefix(line, "229 ") {
		n, _ := fmt.Sscanf(at, "%d", &port)
		return port, n == 1
	}
	return 0, false
}

func isCode(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// correct makes a line of the engine's what the client should read.
func correct(line string) string {
	if code, text, ok := driver.FindReply(line); ok {
		return fmt.Sprintf("%d %s", code, text)
	}
	if rest, ok := strings.CutPrefix(line, " %s"); ok { // STAT of a directory
		return " " + rest
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

// corrections are for replies of the engine that carry a wrong code, or the text of a Go
// error with addresses in it.
func corrections() []correction {
	const passiveFailed = "425 No passive connection can be opened now; try again later"
	return []correction{
		{"421 Could not listen for passive connection: couldn't fetch public IP", "425 PASV is for IPv4; use EPSV"},
		{"421 Could not listen for passive connection", passiveFailed},
		{"421 PORT command is disabled", "502 Active mode is disabled; use PASV or EPSV"},
		{"421 EPRT command is disabled", "502 Active mode is disabled; use PASV or EPSV"},
		{"425 ", "425 Data connection could not be opened"},
		{"550 unable to open transfer: no transfer connection", "425 Use PASV, EPSV, PORT or EPRT first"},
		{"550 Issue during transfer", "426 Data connection failed; transfer aborted"},
		{"501 Problem parsing", "501 Address not understood"},
		{"501 Your request does not meet", "500 Data connections may only go to your own address"},
		{"500 Unhandled internal error", "451 Internal error; try again later"},
		{"500 Error:", "451 Internal error; try again later"},
		{"530 Authentication error", "421 Login is not possible now; try again later"},
		{"331 OK", "331 Password required"},
		{"230 Password ok, continue", "230 Logged in"},
	}
}
