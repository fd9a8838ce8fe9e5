package server

import (
	"strconv"
	"strings"
)

// onlyParameter is for STRU and MODE (RFC 959, 4.1.2): one value is supported, which is the
// default.
func (s *session) onlyParameter(value string) func(command) {
	return func(c command) {
		switch {
		case c.arg == "":
			s.reply("501 %s needs a parameter", c.verb)
		case strings.EqualFold(c.arg, value):
			s.reply("200 %s is %s", c.verb, value)
		default:
			s.reply("504 Only %s %s is supported", c.verb, value)
		}
	}
}

// doType notes the representation type for transfers (RFC 959, 3.1.1).
func (s *session) doType(c command) {
	switch strings.ReplaceAll(strings.ToUpper(c.arg), " ", "") {
	case "I", "L8":
		s.ascii = false
		s.reply("200 TYPE is I: bytes as they are stored")
	case "A", "AN":
		s.ascii = !s.server.ASCIIBinary
		s.reply("200 TYPE is A: %s", map[bool]string{true: "line ends are converted", false: "bytes as they are stored"}[s.ascii])
	case "", "L":
		s.reply("501 TYPE needs a parameter; use TYPE I")
	default:
		s.reply("504 Only TYPE I and TYPE A are supported")
	}
}

// doRest takes the restart point of the next transfer (RFC 3659, 5).
func (s *session) doRest(c command) {
	n, ok := parseSize(c.arg)
	switch {
	case !ok:
		s.reply("501 REST needs a number of bytes")
	case s.ascii && n > 0:
		s.reply("501 REST counts bytes as stored; use TYPE I first")
	default:
		s.rest = n
		s.reply("350 The next transfer begins at byte %d", n)
	}
}

// doAllo announces the size of the next upload. The record size of "n R m" means nothing:
// files here have no records (RFC 959, 4.1.3).
func (s *session) doAllo(c command) {
	n, ok := parseAllo(c.arg)
	switch {
	case !ok:
		s.reply("501 ALLO needs a number of bytes")
	case s.ascii: // what comes is not what is stored
		s.reply("202 ALLO means nothing in TYPE A")
	default:
		if err := s.files.Allocate(n); err != nil {
			s.replyError(err)
		} else {
			s.reply("200 The next upload will have %d bytes", n)
		}
	}
}

// parseAllo reads "n" or "n R m".
func parseAllo(arg string) (int64, bool) {
	words := strings.Split(arg, " ")
	if len(words) == 3 && strings.EqualFold(words[1], "R") {
		if _, ok := parseSize(words[2]); !ok {
			return 0, false
		}
	} else if len(words) != 1 {
		return 0, false
	}
	return parseSize(words[0])
}

// parseSize reads a number from 0 to 2^63-1, written in digits alone.
func parseSize(text string) (int64, bool) {
	if !isNumber(text) {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
