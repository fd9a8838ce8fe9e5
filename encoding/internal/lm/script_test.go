package lm

import "testing"

func TestTablesHaveTheirGlyphs(t *testing.T) {
	l := newLetters()
	for r := range rune(0x3000) {
		if got, want := l.glyph(r), newGlyph(r); got != want {
			t.Errorf("%U: %+v, want %+v", r, got, want)
		}
	}
}
