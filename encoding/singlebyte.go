package encoding

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// singleByte is a charset with a byte for each character.
type singleByte struct {
	title string
	table *charmap.Charmap
}

var _ charset = (*singleByte)(nil)

func newSingleByte(title string, table *charmap.Charmap) *singleByte {
	return &singleByte{title, table}
}

func (s *singleByte) name() string { return s.title }

func (s *singleByte) first(wire string) (r rune, size int) {
	r = s.table.DecodeByte(wire[0])
	if r == utf8.RuneError || control(r) {
		return 0, 0
	}
	return r, 1
}

func (s *singleByte) put(dst []byte, r rune) ([]byte, bool) {
	b, ok := s.table.EncodeRune(r)
	if !ok || control(r) {
		return dst, false
	}
	return append(dst, b), true
}

// control tells whether r is a control character of the upper half. Nobody names files
// with those: ISO-8859-1 and the gaps of Windows code pages only seem to have them.
func control(r rune) bool { return 0x80 <= r && r < 0xA0 }
