// Package encoding turns the bytes of file names into UTF-8 text and back.
//
// FTP says nothing of the charset of a file name (RFC 959), or that it should be UTF-8
// (RFC 2640), and clients send what their system speaks. A Codec knows one charset; a
// Detector finds out which one a session speaks.
//
// # Nothing is lost
//
// For each charset, Decode and Encode are inverse to each other on all byte strings and
// all valid UTF-8 text:
//
//	Encode(Decode(wire)) == wire
//	Decode(Encode(text)) == text
//
// so what a client stored under some bytes, it finds under the same bytes, and no two
// names fall together. Two escapes make that possible, both plain ASCII:
//
//	=xE9       in text: the byte E9, which means nothing at its place in the charset
//	=u4E2D     on the wire: the character U+4E2D, which the charset lacks
//	=U01F600   on the wire: the same for characters above U+FFFF
//
// Digits are upper-case hex, two, four and six of them. A name that holds such letters
// already is left alone unless it would be misread: only then the equals signs in front
// of them are doubled. So "a=b", "=E9" and, in a charset that has U+4E2D, "=u4E2D" are
// themselves.
//
// # Why it is a bijection
//
// Every charset here is a prefix code: reading from the left, each position either begins
// exactly one character or holds a byte that begins none. A byte of a character whose
// code is not the one Encode would choose (Big5 and Shift_JIS have some characters twice)
// counts as the latter. Then between a run of equals signs and what follows it, exactly
// one of these holds, and each row of n pairs with one row of m:
//
//	text                              wire
//	n × "=", "xE9", bad there         n even: n/2 × "=", "xE9"; n odd: (n-1)/2 × "=", byte E9
//	n even: n/2 × "=", "u4E2D"        n × "=", "u4E2D", lacking
//	n odd: (n-1)/2 × "=", U+4E2D      (the same)
//	n × "=", anything else            n × "=", the same
//
// "Bad there" means that the byte would begin no character in front of what follows it
// on the wire, and "lacking" that the charset has no such character.
package encoding

import (
	"strings"
	"unicode/utf8"
)

// Codec translates between one charset and UTF-8. The zero Codec is UTF-8. A Codec may
// be used concurrently.
type Codec struct{ set charset }

// charset is one character set, as a prefix code that has ASCII as it is.
type charset interface {
	// name is what IANA prefers.
	name() string
	// first returns the character that wire begins with and the length of its code in
	// bytes; 0 if wire begins with none. wire is not empty.
	first(wire string) (r rune, size int)
	// put appends the code of r; ok is false if the charset has none.
	put(dst []byte, r rune) (_ []byte, ok bool)
}

func (c Codec) charset() charset {
	if c.set == nil {
		return unicodeSet{}
	}
	return c.set
}

// Name returns the name of the charset that IANA prefers.
func (c Codec) Name() string { return c.charset().name() }

// Valid tells whether wire is free of bytes that mean nothing in the charset.
func (c Codec) Valid(wire string) bool {
	set := c.charset()
	for len(wire) > 0 {
		_, size := set.first(wire)
		if size == 0 {
			return false
		}
		wire = wire[size:]
	}
	return true
}

// Decode returns the text that a client means by wire. It is valid UTF-8 whatever wire
// holds; bytes that mean nothing in the charset are escaped.
func (c Codec) Decode(wire string) string {
	set := c.charset()
	if unchanged(set, wire) {
		return wire
	}
	text := make([]byte, 0, 2*len(wire))
	for rest := wire; len(rest) > 0; {
		if run := equals(rest); run > 0 {
			text, rest = decodeRun(set, text, rest, run)
			continue
		}
		var size int
		text, size = decodeFirst(set, text, rest)
		rest = rest[size:]
	}
	return string(text)
}

// decodeRun appends what the run of equals signs that wire begins with means, as the
// package comment has it, and returns the rest of wire.
func decodeRun(set charset, text []byte, wire string, run int) (_ []byte, rest string) {
	rest = wire[run:]
	r, size := lacking(set, rest)
	switch {
	case size > 0 && run%2 == 0:
		return appendEquals(text, run/2), rest
	case size > 0:
		return utf8.AppendRune(appendEquals(text, run/2), r), rest[size:]
	case escapesByte(set, rest) || begunByBad(set, rest):
		return appendEquals(text, 2*run), rest
	default:
		return appendEquals(text, run), rest
	}
}

// decodeFirst appends the first character of wire, or its first byte escaped, and
// returns how many bytes of wire that was.
func decodeFirst(set charset, text []byte, wire string) (_ []byte, size int) {
	r, size := set.first(wire)
	if size == 0 {
		return appendByteEscape(text, wire[0]), 1
	}
	return utf8.AppendRune(text, r), size
}

// Encode returns text as the client is to see it. Characters that the charset lacks are
// escaped. (Bytes that are not UTF-8 are shown as U+FFFD: text should have none.)
func (c Codec) Encode(text string) string {
	set := c.charset()
	if unchanged(set, text) {
		return text
	}
	return string(encode(set, nil, text))
}

// encode appends the code of text to wire.
func encode(set charset, wire []byte, text string) []byte {
	for rest := text; len(rest) > 0; {
		if run := equals(rest); run > 0 {
			wire, rest = encodeRun(set, wire, rest, run)
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		wire = encodeRune(set, wire, r)
		rest = rest[size:]
	}
	return wire
}

// encodeRun appends what the run of equals signs that text begins with means, as the
// package comment has it, and returns the rest of text.
func encodeRun(set charset, wire []byte, text string, run int) (_ []byte, rest string) {
	rest = text[run:]
	if b, ok := byteEscape(rest); ok {
		// Whether b is bad depends on what follows it on the wire.
		tail := string(encode(set, nil, rest[byteEscapeLen:]))
		return append(encodeByte(set, wire, run, rest, b, tail), tail...), ""
	}
	if begunByLacking(set, rest) {
		run *= 2
	}
	return appendEquals(wire, run), rest
}

// encodeByte appends run equals signs and what "xE9" at the beginning of rest means
// behind them: the byte b, or those three letters. tail follows on the wire.
func encodeByte(set charset, wire []byte, run int, rest string, b byte, tail string) []byte {
	switch bad := !begins(set, b, tail); {
	case !bad:
		return append(appendEquals(wire, run), rest[:byteEscapeLen]...)
	case run%2 == 0:
		return append(appendEquals(wire, run/2), rest[:byteEscapeLen]...)
	default:
		return append(appendEquals(wire, run/2), b)
	}
}

func encodeRune(set charset, wire []byte, r rune) []byte {
	wire, ok := set.put(wire, r)
	if !ok {
		wire = appendRuneEscape(wire, r)
	}
	return wire
}

// unchanged tells whether s is sure to be the same as text and on the wire.
func unchanged(set charset, s string) bool {
	if _, ok := set.(unicodeSet); ok {
		return !strings.Contains(s, "=x") && utf8.ValidString(s)
	}
	return plain(s)
}

// plain tells whether s is the same in every charset: ASCII without an escape.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
		if s[i] == '=' && i+1 < len(s) && strings.IndexByte("xuU", s[i+1]) >= 0 {
			return false
		}
	}
	return true
}
