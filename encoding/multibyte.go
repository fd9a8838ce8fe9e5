package encoding

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// multiByte is a charset of East Asia: ASCII, and codes of one to longest bytes of which
// the first is not ASCII.
//
// golang.org/x/text decodes some codes to characters that it encodes otherwise. Of all
// codes of a character only one may count, or two names would fall together. Codes of
// one and two bytes are in tables, built at the first use (about 10 ms); longer ones are
// rare and asked of x/text each time.
type multiByte struct {
	title   string
	coding  encoding.Encoding
	longest int
	last    func(code uint16) bool // codes to avoid if the character has another; may be nil
	build   sync.Once
	runes   []rune          // by code, from 0x8000 on; 0: not in use, or not the code that counts
	singles [128]rune       // by byte, from 0x80 on
	codes   map[rune]uint16 // the code that counts
}

var _ charset = (*multiByte)(nil)

func newMultiByte(title string, coding encoding.Encoding, longest int, last func(uint16) bool) *multiByte {
	return &multiByte{title: title, coding: coding, longest: longest, last: last}
}

// afterBig5 tells whether a code of Big5 is an extension. Where an extension (HKSCS,
// ETEN) repeats a character of Big5 itself, such as 港, clients use the latter.
func afterBig5(code uint16) bool {
	return code < 0xA140 || (0xC67E < code && code < 0xC940) || code > 0xF9D5
}

// afterIBM tells whether a code of Shift_JIS is one of NEC's for IBM's extensions.
// Windows writes IBM's own, as for 髙.
func afterIBM(code uint16) bool { return code>>8 == 0xED || code>>8 == 0xEE }

func (m *multiByte) name() string { return m.title }

func (m *multiByte) first(wire string) (r rune, size int) {
	if wire[0] < utf8.RuneSelf {
		return rune(wire[0]), 1
	}
	m.build.Do(m.tabulate)
	if r := m.singles[wire[0]-0x80]; r != 0 {
		return r, 1
	}
	if len(wire) < 2 {
		return 0, 0
	}
	if r := m.runes[int(wire[0]-0x80)<<8|int(wire[1])]; r != 0 {
		return r, 2
	}
	return m.firstLong(wire)
}

// firstLong is first for codes of three bytes and more.
func (m *multiByte) firstLong(wire string) (r rune, size int) {
	for n := 3; n <= min(m.longest, len(wire)); n++ {
		r, ok := decodeOne(m.coding.NewDecoder(), wire[:n])
		if !ok {
			continue
		}
		if code, ok := m.putLong(nil, r); ok && string(code) == wire[:n] {
			return r, n
		}
	}
	return 0, 0
}

func (m *multiByte) put(dst []byte, r rune) ([]byte, bool) {
	if r < utf8.RuneSelf {
		return append(dst, byte(r)), true
	}
	m.build.Do(m.tabulate)
	if code, ok := m.codes[r]; ok {
		return appendCode(dst, code), true
	}
	return m.putLong(dst, r)
}

// putLong is put for characters that are not in the tables.
func (m *multiByte) putLong(dst []byte, r rune) ([]byte, bool) {
	if _, short := m.codes[r]; short || m.longest == 2 || control(r) {
		return dst, false
	}
	code, ok := encodeOne(m.coding.NewEncoder(), r)
	if !ok || len(code) < 3 {
		return dst, false
	}
	if back, ok := decodeOne(m.coding.NewDecoder(), string(code)); !ok || back != r {
		return dst, false
	}
	return append(dst, code...), true
}

// tabulate fills the tables.
func (m *multiByte) tabulate() {
	m.runes = make([]rune, 0x8000)
	m.codes = make(map[rune]uint16)
	decoder, encoder := m.coding.NewDecoder(), m.coding.NewEncoder()
	for code := 0x80; code <= 0xFFFF; code++ {
		if 0xFF < code && code < 0x8000 {
			continue // one byte, or two of which the first is not ASCII
		}
		r, ok := decodeOne(decoder, string(appendCode(nil, uint16(code))))
		if !ok || control(r) || r < utf8.RuneSelf {
			continue
		}
		if old, taken := m.codes[r]; !taken || m.prefers(encoder, r, uint16(code), old) {
			m.codes[r] = uint16(code)
		}
	}
	for r, code := range m.codes {
		if code < 0x100 {
			m.singles[code-0x80] = r
		} else {
			m.runes[code-0x8000] = r
		}
	}
}

// prefers tells whether code shall count for r rather than old: the one not to be
// avoided, else the one that x/text writes.
func (m *multiByte) prefers(encoder *encoding.Encoder, r rune, code, old uint16) bool {
	if m.last != nil && m.last(code) != m.last(old) {
		return m.last(old)
	}
	written, ok := encodeOne(encoder, r)
	return ok && string(written) == string(appendCode(nil, code))
}

func appendCode(dst []byte, code uint16) []byte {
	if code > 0xFF {
		dst = append(dst, byte(code>>8))
	}
	return append(dst, byte(code))
}

// decodeOne reads code as one character. Decoders of x/text never fail: bad bytes become
// U+FFFD, which none of the charsets but GB18030 has, and there nobody means it.
func decodeOne(d *encoding.Decoder, code string) (r rune, ok bool) {
	var text [16]byte
	d.Reset()
	n, read, err := d.Transform(text[:], []byte(code), true)
	if err != nil || read != len(code) {
		return 0, false
	}
	r, size := utf8.DecodeRune(text[:n])
	return r, size == n && r != utf8.RuneError
}

// encodeOne writes the code of r.
func encodeOne(e *encoding.Encoder, r rune) (code []byte, ok bool) {
	var dst [16]byte
	e.Reset()
	n, _, err := e.Transform(dst[:], []byte(string(r)), true)
	return dst[:n], err == nil
}
