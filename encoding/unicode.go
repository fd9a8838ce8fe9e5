package encoding

import "unicode/utf8"

// unicodeSet is UTF-8 (RFC 3629): no surrogates, no overlong codes.
type unicodeSet struct{}

var _ charset = unicodeSet{}

func (unicodeSet) name() string { return "UTF-8" }

func (unicodeSet) first(wire string) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(wire)
	if r == utf8.RuneError && size == 1 {
		return 0, 0
	}
	return r, size
}

func (unicodeSet) put(dst []byte, r rune) ([]byte, bool) { return utf8.AppendRune(dst, r), true }
