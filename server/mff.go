package server

import (
	"strings"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// doMff sets facts of a file (draft-somers-ftp-mfxx, 5). Modify is the one that can be set.
func (s *session) doMff(c command) {
	facts, path, _ := strings.Cut(c.arg, " ")
	t, err := parseFacts(facts)
	if err == nil && path == "" {
		err = errFacts()
	}
	if err == nil {
		err = s.files.SetTime(path, t)
	}
	if err != nil {
		s.replyError(err)
	} else {
		s.replyFact(t, path)
	}
}

func errFacts() error {
	return &driver.Reply{Code: 501, Text: "Use MFF Modify=YYYYMMDDhhmmss; path"}
}

// parseFacts reads "Modify=time;". Its error is a reply.
func parseFacts(facts string) (t time.Time, err error) {
	known := false
	for fact := range strings.SplitSeq(strings.TrimSuffix(facts, ";"), ";") {
		name, value, ok := strings.Cut(fact, "=")
		switch {
		case !ok || name == "":
			return t, errFacts()
		case !strings.EqualFold(name, "Modify"):
			return t, &driver.Reply{Code: 504, Text: "Only the fact Modify can be set"}
		case known:
			return t, errFacts()
		}
		if t, err = parseTime(value); err != nil {
			return t, err
		}
		known = true
	}
	return t, nil
}
