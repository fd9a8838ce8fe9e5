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
// one and two bytes are in tables, built at the first use (about 3 ms); longer ones are
// rare and asked of x/text each time.
type multiByte struct {
	title   string
	coding  encoding.Encoding
	longest int
	last    func(code uint16) bool // codes to avoid if the character has another; may be nil
	build   sync.Once
	runes   []rune          // by code, from 0x8000 on; 0: not in use, or not the code that counts
	singles [128]rune       // by byte, from 0x80 on
	codes   []uint16        // by character up to U+FFFF, the code that counts; 0: none
	upper   map[rune]uint16 // the same for characters above
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
	size = m.longest
	if len(wire) < size || !mayBeLong(wire, size) {
		return 0, 0
	}
	r, ok := decodeOne(m.coding.NewDecoder(), []byte(wire[:size]))
	if !ok {
		return 0, 0
	}
	if code, ok := m.putLong(nil, r); ok && string(code) == wire[:size] {
		return r, size
	}
	return 0, 0
}

// mayBeLong tells whether wire looks like a code of three bytes in EUC-JP or of four in
// GB18030. It spares asking x/text.
func mayBeLong(wire string, size int) bool {
	switch size {
	case 3:
		return wire[0] == 0x8F
	case 4:
		return '0' <= wire[1] && wire[1] <= '9' && wire[2] > 0x80 && '0' <= wire[3] && wire[3] <= '9'
	}
	return false
}

func (m *multiByte) put(dst []byte, r rune) ([]byte, bool) {
	if r < utf8.RuneSelf {
		return append(dst, byte(r)), true
	}
	m.build.Do(m.tabulate)
	if code := m.code(r); code != 0 {
		return appendCode(dst, code), true
	}
	return m.putLong(dst, r)
}

// code returns the code of one or two bytes that counts for r; 0 if there is none.
func (m *multiByte) code(r rune) uint16 {
	if int(r) < len(m.codes) {
		return m.codes[r]
	}
	return m.upper[r]
}

func (m *multiByte) setCode(r rune, code uint16) {
	if int(r) < len(m.codes) {
		m.codes[r] = code
	} else {
		m.upper[r] = code
	}
}

// putLong is put for characters that are not in the tables.
func (m *multiByte) putLong(dst []byte, r rune) ([]byte, bool) {
	if m.longest == 2 || m.code(r) != 0 || control(r) {
		return dst, false
	}
	code, ok := encodeOne(m.coding.NewEncoder(), r)
	if !ok || len(code) < 3 {
		return dst, false
	}
	if back, ok := decodeOne(m.coding.NewDecoder(), code); !ok || back != r {
		return dst, false
	}
	return append(dst, code...), true
}

// tabulate fills the tables.
func (m *multiByte) tabulate() {
	m.runes = make([]rune, 0x8000)
	m.codes = make([]uint16, 0x10000)
	m.upper = make(map[rune]uint16)
	decoder, encoder := m.coding.NewDecoder(), m.coding.NewEncoder()
	for lead := 0x80; lead <= 0xFF; lead++ {
		m.learn(decoder, encoder, uint16(lead))
		for trail := 0x30; trail <= 0xFF; trail++ {
			m.learn(decoder, encoder, uint16(lead<<8|trail))
		}
	}
	for r, code := range m.codes {
		m.setRune(rune(r), code)
	}
	for r, code := range m.upper {
		m.setRune(r, code)
	}
}

// learn notes what code means, if that is the code that counts.
func (m *multiByte) learn(decoder *encoding.Decoder, encoder *encoding.Encoder, code uint16) {
	var wire [2]byte
	r, ok := decodeOne(decoder, appendCode(wire[:0], code))
	if !ok || control(r) || r < utf8.RuneSelf {
		return
	}
	if old := m.code(r); old == 0 || m.prefers(encoder, r, code, old) {
		m.setCode(r, code)
	}
}

func (m *multiByte) setRune(r rune, code uint16) {
	switch {
	case code == 0:
	case code < 0x100:
		m.singles[code-0x80] = r
	default:
		m.runes[code-0x8000] = r
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
func decodeOne(d *encoding.Decoder, code []byte) (r rune, ok bool) {
	var text [16]byte
	d.Reset()
	n, read, err := d.Transform(text[:], code, true)
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
