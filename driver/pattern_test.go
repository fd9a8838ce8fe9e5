package driver

import (
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct{ pattern, head, matching, other string }{
		{"*.txt", "", "a.txt .txt", "a.txt.x atxt"},
		{"a*b", "a", "ab axb a*b", "abx b"},
		{"img-?", "img-", "img-1 img-中", "img- img-12"},
		{"[ab]", "", "a b", "c [ab] ab"},
		{"[!ab]", "", "c !", "a b"},
		{"[^ab]", "", "c", "a b"},
		{"x[0-9]", "x", "x5", "xa x"},
		{`a\*`, `a\`, `a\b a\*`, "a* ab"},
		{"[", "[", "[", "a"},
		{"x[a", "x[a", "x[a", "xa"},
		{"plain", "plain", "plain", "plai plainer"},
		{`a\b`, `a\b`, `a\b`, "ab"},
	} {
		p := newPattern(c.pattern)
		if p.head != c.head {
			t.Errorf("%s: head %q, want %q", c.pattern, p.head, c.head)
		}
		for base := range strings.FieldsSeq(c.matching) {
			if !p.matches(base) {
				t.Errorf("%s does not match %s", c.pattern, base)
			}
		}
		for base := range strings.FieldsSeq(c.other) {
			if p.matches(base) {
				t.Errorf("%s matches %s", c.pattern, base)
			}
		}
	}
}

// Whatever matches begins with the head, or the store would not list it.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*", "a*b", "[a-z]?", "[!x]", "[", `\`, `a\*`, "x[]-]", "**", "é?"} {
		f.Add(seed, "abc")
	}
	f.Fuzz(func(t *testing.T, pattern, base string) {
		p := newPattern(pattern)
		if p.matches(base) && !strings.HasPrefix(base, p.head) {
			t.Errorf("%q matches %q, which does not begin with %q", pattern, base, p.head)
		}
		if !strings.HasPrefix(pattern, p.head) || p.glob == "" && !p.matches(pattern) {
			t.Errorf("%q: %+v", pattern, p)
		}
		if own(pattern) < 0 || fixed(pattern, own(pattern)) == "" {
			t.Errorf("%q: %d components", pattern, own(pattern))
		}
	})
}
