package encoding

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What follows the "=" of an escape: a letter and upper-case hex digits.
const (
	byteEscapeLen = len("xE9")
	bmpEscapeLen  = len("u4E2D")
	longEscapeLen = len("U01F600")
)

// byteEscape reads "xE9" at the beginning of s. Bytes of ASCII need no escape.
func byteEscape(s string) (b byte, ok bool) {
	n, ok := hexAfter(s, 'x', byteEscapeLen)
	return byte(n), ok && n >= utf8.RuneSelf
}

// runeEscape reads "u4E2D" or "U01F600" at the beginning of s, and returns its length; 0
// if there is none, or not the one that appendRuneEscape writes.
func runeEscape(s string) (r rune, size int) {
	if n, ok := hexAfter(s, 'u', bmpEscapeLen); ok && n >= utf8.RuneSelf && utf8.ValidRune(rune(n)) {
		return rune(n), bmpEscapeLen
	}
	if n, ok := hexAfter(s, 'U', longEscapeLen); ok && n > 0xFFFF && utf8.ValidRune(rune(n)) {
		return rune(n), longEscapeLen
	}
	return 0, 0
}

// hexAfter reads letter and the hex digits after it, size bytes in all.
func hexAfter(s string, letter byte, size int) (n int, ok bool) {
	if len(s) < size || s[0] != letter {
		return 0, false
	}
	for i := 1; i < size; i++ {
		digit := strings.IndexByte("0123456789ABCDEF", s[i])
		if digit < 0 {
			return 0, false
		}
		n = n<<4 | digit
	}
	return n, true
}

func appendByteEscape(text []byte, b byte) []byte { return fmt.Appendf(text, "=x%02X", b) }

func appendRuneEscape(wire []byte, r rune) []byte {
	if r > 0xFFFF {
		return fmt.Appendf(wire, "=U%06X", r)
	}
	return fmt.Appendf(wire, "=u%04X", r)
}

// lacking reads the escape, without its "=", of a character that set lacks.
func lacking(set charset, s string) (r rune, size int) {
	r, size = runeEscape(s)
	if size == 0 || has(set, r) {
		return 0, 0
	}
	return r, size
}

// begunByLacking tells whether text begins with a character that set lacks, or with the
// letters of its escape.
func begunByLacking(set charset, text string) bool {
	if _, size := lacking(set, text); size > 0 || text == "" {
		return size > 0
	}
	r, _ := utf8.DecodeRuneInString(text)
	return !has(set, r)
}

// escapesByte tells whether wire begins with the letters of a byte's escape, and the
// byte would be bad in their place.
func escapesByte(set charset, wire string) bool {
	b, ok := byteEscape(wire)
	return ok && !begins(set, b, wire[byteEscapeLen:])
}

// begunByBad tells whether wire begins with a byte that begins no character.
func begunByBad(set charset, wire string) bool {
	if wire == "" {
		return false
	}
	_, size := set.first(wire)
	return size == 0
}

// begins tells whether b begins a character when tail follows it.
func begins(set charset, b byte, tail string) bool {
	_, size := set.first(string([]byte{b}) + tail[:min(len(tail), utf8.UTFMax)])
	return size > 0
}

// has tells whether set has the character r.
func has(set charset, r rune) bool {
	var code [8]byte
	_, ok := set.put(code[:0], r)
	return ok
}

// equals counts the equals signs that s begins with.
func equals(s string) int { return len(s) - len(strings.TrimLeft(s, "=")) }

func appendEquals(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '=')
	}
	return dst
}
