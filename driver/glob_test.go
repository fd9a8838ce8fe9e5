package driver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/store"
)

// matches checks what LIST shows for a pattern.
func (s *session) matches(pattern string, want ...string) {
	s.t.Helper()
	entries, err := s.list("LIST", pattern)
	if err != nil {
		s.t.Errorf("LIST %s: %v", pattern, err)
		return
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		s.t.Errorf("LIST %s: %q, want %q", pattern, names, want)
	}
}

func TestWildcards(t *testing.T) {
	s := newSession(t)
	for _, key := range []string{"a/x.c", "a/x.h", "a/y/z.c", "a-b/x.c", "b.c", "b\\", "[x]/1", "x/2", "a./x.c"} {
		s.plant("alice/"+key, "x")
	}
	s.matches("a/*.c", "x.c")
	s.matches("*/x.?", "a/x.c", "a/x.h", "a-b/x.c", "a./x.c")
	s.matches("a*/x.c", "a/x.c", "a-b/x.c", "a./x.c")
	s.matches("a*", "a", "a-b", "a.")
	s.matches("a?", "a.")
	s.matches("*\\", "b\\")
	s.matches("[x]/*", "1") // there is a directory of that name
	s.matches("[xy]/*", "x/2")
	s.matches("*/*/*", "a/y/z.c")
	for _, p := range []string{"*.d", "missing/*", "b.c/*", "[", "x[", "a/[!xy]*", "[^a]x/*", strings.Repeat("x", 255) + "*"} {
		_, err := s.list("LIST", p)
		s.mustFail(550, err)
	}
	_, err := s.list("LIST", "x*"+strings.Repeat("/*", 8))
	s.mustFail(501, err)
	_, err = s.list("MLSD", "*/x.c")
	s.mustFail(550, err)
}

// The store lists only what begins like the pattern.
func TestWildcardsNarrow(t *testing.T) {
	s := newSession(t)
	for i := range 3 * store.PageSize {
		s.plant(fmt.Sprintf("alice/%04d", i), "")
	}
	s.requests.take()
	s.matches("012?", "0120", "0121", "0122", "0123", "0124", "0125", "0126", "0127", "0128", "0129")
	if seen := s.requests.take(); len(seen) != 2 { // is there a file of that name?
		t.Errorf("requests %v", seen)
	}
}
