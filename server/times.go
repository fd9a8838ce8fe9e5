package server

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// timeLayout is a time-val of RFC 3659, 2.3: UTC. time.Parse takes a fraction behind it, too.
const timeLayout = "20060102150405"

// doMdtm tells when a file was modified (RFC 3659, 3). "MDTM time path" sets it, as some
// clients do, unless a file of just that name is there and none of the shorter one.
func (s *session) doMdtm(c command) {
	when, path, found := strings.Cut(c.arg, " ")
	if !found || path == "" || !looksLikeTime(when) {
		s.tellTime(s.files.Lookup(c.verb, c.arg))
		return
	}
	t, err := parseTime(when)
	if err == nil {
		err = s.files.SetTime(path, t)
	}
	switch {
	case err == nil:
		s.replyFact(t, path)
	case errors.Is(err, errTime) || errors.Is(err, fs.ErrNotExist):
		if found, lookupErr := s.files.Lookup(c.verb, c.arg); lookupErr == nil {
			s.tellTime(found, nil)
			return
		}
		s.replyError(err)
	default:
		s.replyError(err)
	}
}

func (s *session) tellTime(found driver.Entry, err error) {
	switch {
	case err != nil:
		s.replyError(err)
	case !found.Timed():
		s.reply("550 The time of this directory is not known")
	default:
		s.reply("213 %s", found.ModTime().UTC().Format(timeLayout))
	}
}

// doMfmt sets a file's modification time (draft-somers-ftp-mfxx, 3).
func (s *session) doMfmt(c command) {
	when, path, _ := strings.Cut(c.arg, " ")
	if path == "" {
		s.reply("501 Use MFMT YYYYMMDDhhmmss path")
		return
	}
	t, err := parseTime(when)
	if err == nil {
		err = s.files.SetTime(path, t)
	}
	if err != nil {
		s.replyError(err)
	} else {
		s.replyFact(t, path)
	}
}

// replyFact says what time a file has now.
func (s *session) replyFact(t time.Time, path string) {
	s.reply("213 Modify=%s; %s", t.Format(timeLayout), path)
}

var errTime = errors.New("not a time")

// parseTime reads a time-val: 14 digits and perhaps a fraction. Its error is a reply.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(timeLayout, text)
	if err != nil || !looksLikeTime(text) || t.IsZero() { // the zero time means none
		return time.Time{}, &driver.Reply{Code: 501, Text: "Times are written YYYYMMDDhhmmss", Cause: errTime}
	}
	return t, nil
}

func looksLikeTime(text string) bool {
	digits, fraction, found := strings.Cut(text, ".")
	return len(digits) == len(timeLayout) && isNumber(digits) && (!found || isNumber(fraction))
}
