package server

import (
	"crypto/rand"
	"strings"
)

// doStou stores a file under a name that nobody has (RFC 959, 4.1.3): the client's proposal
// and random letters, of which there are enough that no two names meet. Should they do so all
// the same, the file that is there stays, and the client is refused.
func (s *session) doStou(c command) {
	if c.arg == "" || strings.HasSuffix(c.arg, "/") {
		c.arg += "file"
	}
	const letters = 10 // of 32: 50 bits
	c.arg += "." + strings.ToLower(rand.Text()[:letters])
	s.doTransfer(c)
}

// opening is the text behind 150. The name of STOU's file is where RFC 1123, 4.1.2.9, wants
// it.
func (c command) opening() string {
	if c.verb == "STOU" {
		return "FILE: " + c.arg
	}
	return "Opening data connection"
}

// complete is the text behind 226.
func (c command) complete() string {
	if c.verb == "STOU" {
		return "Transfer complete; the file is " + c.arg
	}
	return "Transfer complete"
}
