package lm

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Script is a set of writing systems; one bit each.
type Script uint16

// The scripts that models exist for, and Other for all the rest.
const (
	Latin Script = 1 << iota
	Cyrillic
	Greek
	Hebrew
	Arabic
	Thai
	EastAsian // Han, kana, Hangul
	Other
	none Script = 0
)

// glyph is what the rules have to know of a character.
type glyph struct {
	script Script // none: no letter
	upper  bool
	lower  bool
	cost   Cost // of what is no letter
}

// Below tableEnd, and for punctuation and the like, glyphs are looked up in tables; of others,
// there are few.
const (
	tableEnd   = 0x0E80
	symbolsAt  = 0x2000
	symbolsEnd = 0x2600
)

// letters knows the characters in the tables.
type letters struct {
	glyphs  [tableEnd]glyph
	symbols [symbolsEnd - symbolsAt]glyph
	base    [tableEnd]rune // a letter of Latin or Greek without its accents
	accents [tableEnd]Cost // what its accents cost in a language that lacks them
}

// commonAccents are seen in foreign words and names everywhere: café, Müller. Macrons are
// how names of places are written that are not of the Latin script: Kandahār.
const (
	commonAccents = "áàäçéèêëíïñóôöúüÁÀÄÇÉÈÊËÍÏÑÓÔÖÚÜάέήίόύώ"
	macrons       = "āēīōūĀĒĪŌŪ"
)

func newLetters() *letters {
	l := &letters{}
	for r := range rune(tableEnd) {
		l.glyphs[r] = newGlyph(r)
		if l.glyphs[r].script&(Latin|Greek) != 0 {
			l.base[r], l.accents[r] = baseLetter(r), oddAccent
		}
	}
	for i := range l.symbols {
		l.symbols[i] = newGlyph(symbolsAt + rune(i))
	}
	for _, r := range commonAccents {
		l.accents[r] = accentCost
	}
	for _, r := range macrons {
		l.accents[r] = macronCost
	}
	return l
}

func (l *letters) glyph(r rune) glyph {
	if r < tableEnd {
		return l.glyphs[r]
	}
	if symbolsAt <= r && r < symbolsEnd {
		return l.symbols[r-symbolsAt]
	}
	if 0x3400 <= r && r < 0xFF00 && eastAsian(r) {
		return glyph{script: EastAsian} // without a look at the marks
	}
	return newGlyph(r)
}

// What characters cost that are no letters.
const (
	digitCost    Cost = 42
	asciiCost    Cost = 51      // space and punctuation
	innerCost    Cost = 5 * nat // what may stand within a word: Don’t
	quoteCost    Cost = 7 * nat
	eastMarkCost Cost = 5 * nat // punctuation of East Asia
	wideCost     Cost = 6 * nat // a digit or letter of double width
	commonCost   Cost = 7 * nat
	symbolCost   Cost = 12 * nat
	hiddenCost   Cost = 8 * nat // marks that are not seen: where words may break, which way they run
	phoneticCost Cost = 13 * nat
	drawingCost  Cost = 14 * nat
	controlCost  Cost = 18 * nat
)

// Punctuation other than ASCII.
const (
	eastMarks     = "\u3000、。，．：；？！「」『』（）【】《》〈〉〔〕［］｛｝－／～＿＆＋＝％＃＠"
	innerSymbols  = "’\u02bb\u02bc\u200c\u0640" // within words
	quotes        = "«»–—“”„‘‚…¡¿"              // beside words
	hiddenSymbols = "\u00ad\u200d\u200e\u200f"
	commonSymbols = "•·№°§©®€×" // by themselves
)

func newGlyph(r rune) glyph {
	switch {
	case r < ' ' || r == 0x7F:
		return glyph{cost: controlCost}
	case '0' <= r && r <= '9':
		return glyph{cost: digitCost}
	case r < utf8.RuneSelf && !unicode.IsLetter(r):
		return glyph{cost: asciiCost}
	}
	switch {
	case strings.ContainsRune(innerSymbols, r):
		return glyph{cost: innerCost}
	case strings.ContainsRune(quotes, r):
		return glyph{cost: quoteCost}
	case strings.ContainsRune(eastMarks, r):
		return glyph{cost: eastMarkCost}
	case wide(r):
		return glyph{cost: wideCost}
	case strings.ContainsRune(commonSymbols, r):
		return glyph{cost: commonCost}
	case strings.ContainsRune(hiddenSymbols, r):
		return glyph{cost: hiddenCost}
	case 0x250 <= r && r < 0x300 && r != 'ə':
		return glyph{cost: phoneticCost}
	case !unicode.IsPrint(r) && !unicode.IsMark(r) && r != 0xA0:
		return glyph{cost: controlCost}
	}
	script := ScriptOf(r)
	if 0x2500 <= r && r < 0x2580 { // lines of text terminals
		return glyph{cost: drawingCost}
	}
	if r == 'ª' || r == 'º' { // 2ª copia, nº 5
		return glyph{cost: commonCost}
	}
	if script == none {
		return glyph{cost: symbolCost}
	}
	g := glyph{script: script}
	if script&(Latin|Cyrillic|Greek) != 0 {
		g.upper, g.lower = unicode.IsUpper(r), unicode.IsLower(r)
	}
	return g
}

// ScriptOf returns the script of a letter or accent; 0 for what is neither.
func ScriptOf(r rune) Script {
	switch {
	case strings.ContainsRune(eastMarks, r) || wide(r):
		return none
	case eastAsian(r):
		return EastAsian
	case 0x590 <= r && r < 0x600: // points, geresh and maqaf, too
		return Hebrew
	case !unicode.IsLetter(r) && !unicode.IsMark(r):
		return none
	case r < 0x250, r == 'ə', 0x1E00 <= r && r < 0x1F00:
		return Latin
	case 0x370 <= r && r < 0x400, 0x1F00 <= r && r < 0x2000:
		return Greek
	case 0x400 <= r && r < 0x530:
		return Cyrillic
	case 0x600 <= r && r < 0x700:
		return Arabic
	case 0xE00 <= r && r < tableEnd:
		return Thai
	case 0x300 <= r && r < 0x370:
		return Latin // accents by themselves, as macOS writes them
	}
	return Other
}

// wide tells whether r is a digit or letter of ASCII in double width.
func wide(r rune) bool {
	return '０' <= r && r <= '９' || 'Ａ' <= r && r <= 'Ｚ' || 'ａ' <= r && r <= 'ｚ'
}

// eastAsian tells whether r is in a block of East Asia.
func eastAsian(r rune) bool {
	return 0x3000 <= r && r <= 0x9FFF || 0xAC00 <= r && r <= 0xD7A3 || 0xF900 <= r && r <= 0xFAFF || 0xFF00 <= r && r <= 0xFFEF ||
		0x20000 <= r && r <= 0x3FFFF
}

// Fold returns the letter that models know r by: in lower case, and of the two ways to
// write Romanian the one that charsets have.
func Fold(r rune) rune {
	switch r = unicode.ToLower(r); r {
	case 'ș':
		return 'ş'
	case 'ț':
		return 'ţ'
	}
	return r
}

// baseLetter returns a letter of Latin without its accents, in lower case.
func baseLetter(r rune) rune {
	r = unicode.ToLower(r)
	switch r {
	case 'ø', 'œ':
		return 'o'
	case 'đ', 'ð':
		return 'd'
	case 'ł':
		return 'l'
	case 'ß':
		return 's'
	case 'æ':
		return 'a'
	case 'þ':
		return 't'
	case 'ı':
		return 'i'
	case 'ə':
		return 'e'
	}
	base, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r)))
	return base
}
