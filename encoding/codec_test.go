package encoding

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func codecs(t testing.TB) []Codec {
	t.Helper()
	all := make([]Codec, 0, len(Names()))
	for _, name := range Names() {
		c, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func TestKnownNames(t *testing.T) {
	for _, test := range []struct{ charset, wire, text string }{
		{"UTF-8", "\xe4\xb8\xad\xe6\x96\x87.txt", "中文.txt"},
		{"GBK", "\xd6\xd0\xce\xc4.txt", "中文.txt"},
		{"GBK", "\x80", "€"},
		{"GB18030", "\xd6\xd0\x94\x39\xfc\x36", "中😀"},
		{"Big5", "\xa4\xa4\xa4\xe5", "中文"},
		{"Big5", "\xad\xbb\xb4\xe4\xa5\x5d\xb4\xb8\xb7\xec", "香港包晴瑜"},
		{"Shift_JIS", "\x93\xfa\x96\x7b\x8c\xea \xfb\xfc\x8b\xb4 \xb1", "日本語 髙橋 ｱ"},
		{"EUC-JP", "\xc6\xfc\xcb\xdc\x8e\xb1\x8f\xb0\xa1", "日本ｱ丂"},
		{"EUC-KR", "\xc7\xd1\xb1\xdb", "한글"},
		{"windows-1250", "\x8elu\x9d", "Žluť"},
		{"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2 \xff", "Привет я"},
		{"windows-1252", "\x80 na\xefve", "€ naïve"},
		{"windows-874", "\xe4\xb7\xc2", "ไทย"},
		{"ISO-8859-15", "\xa4", "€"},
		{"KOI8-R", "\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
		{"KOI8-U", "\xa4", "є"},
		{"IBM866", "\x8f\xe0\xa8\xa2\xa5\xe2", "Привет"},
	} {
		c, err := Lookup(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Decode(test.wire); got != test.text {
			t.Errorf("%s: Decode(%x) = %q, want %q", test.charset, test.wire, got, test.text)
		}
		if got := c.Encode(test.text); got != test.wire {
			t.Errorf("%s: Encode(%q) = %x, want %x", test.charset, test.text, got, test.wire)
		}
		if !c.Valid(test.wire) {
			t.Errorf("%s: %x is said to be invalid", test.charset, test.wire)
		}
	}
}

// Each row is one pair: what is on the wire, and its text.
func TestEscapes(t *testing.T) {
	for _, test := range []struct{ charset, wire, text string }{
		{"UTF-8", "\xe9t\xe9", "=xE9t=xE9"},
		{"UTF-8", "\xc3", "=xC3"},
		{"UTF-8", "\xed\xa0\x80", "=xED=xA0=x80"}, // a surrogate
		{"UTF-8", "=\xe9", "===xE9"},
		{"UTF-8", "=xE9", "==xE9"},
		{"UTF-8", "==xE9", "====xE9"},
		{"UTF-8", "==\xe9", "=====xE9"},
		{"UTF-8", "=x41", "=x41"},     // ASCII is never escaped
		{"UTF-8", "=xe9", "=xe9"},     // no upper-case digits
		{"UTF-8", "=u4E2D", "=u4E2D"}, // UTF-8 lacks nothing
		{"UTF-8", "=xC3=xA9", "==xC3==xA9"},
		{"UTF-8", "=xC3\xa9", "=xC3=xA9"}, // C3 A9 would be é, so this is no escape of C3
		{"UTF-8", "a=b", "a=b"},
		{"GBK", "=u4E2D", "=u4E2D"}, // GBK has 中
		{"GBK", "=U01F600.txt", "😀.txt"},
		{"GBK", "==U01F600.txt", "=U01F600.txt"},
		{"GBK", "===U01F600.txt", "=😀.txt"},
		{"GBK", "\xa2\xe3", "=xA2=xE3"}, // € again
		{"GBK", "\xff", "=xFF"},
		{"windows-1251", "=u4E2D=u6587", "中文"},
		{"windows-1251", "=u4E2D==u6587", "中=u6587"},
		{"windows-1251", "\x98", "=x98"},
		{"windows-1251", "=x98", "==x98"},
		{"windows-1251", "=xE9", "=xE9"}, // E9 is a letter there
		{"windows-1252", "e=u0301", "e\u0301"},
		{"Big5", "\x88\x62", "=x88b"},    // two characters in one code
		{"Big5", "\xfd\xbb", "=xFD=xBB"}, // 港 again, as HKSCS has it
		{"ISO-8859-1", "\x85", "=x85"},
	} {
		c, err := Lookup(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Decode(test.wire); got != test.text {
			t.Errorf("%s: Decode(%q) = %q, want %q", test.charset, test.wire, got, test.text)
		}
		if got := c.Encode(test.text); got != test.wire {
			t.Errorf("%s: Encode(%q) = %q, want %q", test.charset, test.text, got, test.wire)
		}
	}
}

// inverse checks both directions for one string.
func inverse(t testing.TB, c Codec, s string) {
	t.Helper()
	text := c.Decode(s)
	if !utf8.ValidString(text) {
		t.Fatalf("%s: Decode(%x) = %q is not UTF-8", c.Name(), s, text)
	}
	if back := c.Encode(text); back != s {
		t.Fatalf("%s: %q -> text %q -> wire %q", c.Name(), s, text, back)
	}
	if !utf8.ValidString(s) {
		return
	}
	wire := c.Encode(s)
	if back := c.Decode(wire); back != s {
		t.Fatalf("%s: text %q -> wire %q -> text %q", c.Name(), s, wire, back)
	}
}

func TestEveryOneAndTwoBytes(t *testing.T) {
	t.Parallel()
	for _, c := range codecs(t) {
		inverse(t, c, "")
		for a := range 256 {
			inverse(t, c, string([]byte{byte(a)}))
			for b := range 256 {
				inverse(t, c, string([]byte{byte(a), byte(b)}))
			}
		}
	}
}

func TestEveryCharacter(t *testing.T) {
	t.Parallel()
	for _, c := range codecs(t) {
		for r := rune(0); r <= utf8.MaxRune; r++ {
			if r > 0xFFFF {
				r += 64 // a sample of the upper planes
			}
			if utf8.ValidRune(r) {
				inverse(t, c, string(r))
			}
		}
	}
}

// Every code of more than two bytes, many in a path: escapes do not reach past a slash.
func TestEveryLongCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		charset string
		lead    string    // before the bytes that are enumerated
		bytes   [4][2]int // from, to
	}{
		{"EUC-JP", "\x8f", [4][2]int{{0, 0}, {0, 0}, {0x80, 0xFF}, {0x80, 0xFF}}},
		{"GB18030", "", [4][2]int{{0x81, 0xFE}, {0x30, 0x39}, {0x81, 0xFE}, {0x30, 0x39}}},
	} {
		c, err := Lookup(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		for a := test.bytes[0][0]; a <= test.bytes[0][1]; a++ {
			for b := test.bytes[1][0]; b <= test.bytes[1][1]; b++ {
				var path []byte
				for x := test.bytes[2][0]; x <= test.bytes[2][1]; x++ {
					for y := test.bytes[3][0]; y <= test.bytes[3][1]; y++ {
						path = append(path, test.lead...)
						if a > 0 {
							path = append(path, byte(a), byte(b))
						}
						path = append(path, byte(x), byte(y), '/')
					}
				}
				inverse(t, c, string(path))
			}
		}
	}
}

// Strings of pieces that are likely to be mistaken for each other.
func TestMixtures(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"=", "=", "==", "x", "u", "U", "=x", "=u", "=U", "E9", "C3", "98", "81", "4E2D", "01F600", "=xE9", "=xC3", "=xA9",
		"=x81", "=x30", "=x98", "=xFF", "=u4E2D", "=u00E9", "=u0041", "=uD800", "=uFFFD", "=U01F600", "=U004E2D", "=U110000",
		"\x80", "\x81", "\x8f", "\xa1", "\xc3", "\xa9", "\xe9", "\xff", "\xf0\x9f", "0", "8", "/", ".", "a", "é", "中", "港", "€", "😀",
		"\ufffd", "\u0301", "\u0085", "\u3000", "\\", "~",
	}
	const rounds = 5000
	for _, c := range codecs(t) {
		random := rand.New(rand.NewPCG(1, 2))
		for range rounds {
			var b strings.Builder
			for range 1 + random.IntN(8) {
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			inverse(t, c, b.String())
		}
	}
}

func TestRandomBytes(t *testing.T) {
	t.Parallel()
	for _, c := range codecs(t) {
		random := rand.New(rand.NewPCG(3, 4))
		for range 5000 {
			b := make([]byte, 1+random.IntN(12))
			for i := range b {
				b[i] = byte(random.Uint32())
				if random.IntN(3) > 0 {
					b[i] |= 0x80
				}
			}
			inverse(t, c, string(b))
		}
	}
}

// A path may be translated whole or name by name.
func TestSlashSeparates(t *testing.T) {
	t.Parallel()
	for _, c := range codecs(t) {
		random := rand.New(rand.NewPCG(5, 6))
		for range 5000 {
			b := make([]byte, 1+random.IntN(12))
			for i := range b {
				b[i] = []byte("/=xE9=xA1\x81\x30\x84\xc3\xa9\xe4\xb8/")[random.IntN(17)]
			}
			path := string(b)
			var names []string
			for name := range strings.SplitSeq(path, "/") {
				names = append(names, c.Decode(name))
			}
			if got, want := strings.Join(names, "/"), c.Decode(path); got != want {
				t.Fatalf("%s: %q: by name %q, whole %q", c.Name(), path, got, want)
			}
		}
	}
}

// What a client is shown in its charset is of that charset, and nothing shown or stored
// holds a line break or a slash that was not there.
func TestEncodedIsValidAndPrintable(t *testing.T) {
	for _, c := range codecs(t) {
		for _, text := range []string{"中文", "Привет", "한글", "日本語", "ไทย", "é", "😀", "=xE9", "\u0085", "e\u0301"} {
			wire := c.Encode(text)
			if !c.Valid(wire) && !strings.HasPrefix(text, "=x") {
				t.Errorf("%s: Encode(%q) = %x is not valid", c.Name(), text, wire)
			}
			if strings.ContainsAny(wire, "\x00\r\n/\\") {
				t.Errorf("%s: Encode(%q) = %q", c.Name(), text, wire)
			}
		}
		for b := 0x80; b <= 0xFF; b++ {
			if text := c.Decode(string([]byte{byte(b)})); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || control(r) || r == '/' }) {
				t.Errorf("%s: Decode(%02x) = %q", c.Name(), b, text)
			}
		}
	}
}

func TestPlainASCIIIsReturnedAsItIs(t *testing.T) {
	const name = "/incoming/report-2024 (final)=ok.txt"
	for _, c := range codecs(t) {
		allocs := testing.AllocsPerRun(100, func() {
			if c.Decode(name) != name || c.Encode(name) != name {
				t.Errorf("%s changes %q", c.Name(), name)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations for an ASCII name", c.Name(), allocs)
		}
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"utf8": "UTF-8", "UTF_8": "UTF-8", "gbk": "GBK", "GB2312": "GBK", "cp936": "GBK", "gb-18030": "GB18030",
		"BIG5": "Big5", "Big5-HKSCS": "Big5", "cp950": "Big5", "shift-jis": "Shift_JIS", "SJIS": "Shift_JIS",
		"Windows-31J": "Shift_JIS", "cp932": "Shift_JIS", "eucjp": "EUC-JP", "euc_kr": "EUC-KR", "CP949": "EUC-KR",
		"uhc": "EUC-KR", "cp1251": "windows-1251", "Windows 1251": "windows-1251", "latin1": "ISO-8859-1",
		"iso8859-15": "ISO-8859-15", "ISO_8859-2": "ISO-8859-2", "koi8r": "KOI8-R", "cp866": "IBM866", "TIS-620": "windows-874",
	} {
		c, err := Lookup(name)
		if err != nil || c.Name() != want {
			t.Errorf("Lookup(%q) = %s, %v; want %s", name, c.Name(), err, want)
		}
	}
	if _, err := Lookup("klingon"); err == nil || !strings.Contains(err.Error(), "windows-1251") {
		t.Errorf("Lookup of an unknown name: %v", err)
	}
	if got := (Codec{}).Name(); got != "UTF-8" {
		t.Errorf("the zero Codec is %s", got)
	}
}

// Every name, its own included, means one charset.
func TestAliasesAreUnambiguous(t *testing.T) {
	owner := make(map[string]string)
	for _, k := range charsets {
		for _, alias := range append(k.aliases, normalise(k.set.name())) {
			if alias != normalise(alias) {
				t.Errorf("%s: the alias %q can never match", k.set.name(), alias)
			}
			if other, taken := owner[alias]; taken {
				t.Errorf("%q is both %s and %s", alias, other, k.set.name())
			}
			owner[alias] = k.set.name()
		}
	}
}

func FuzzCodec(f *testing.F) {
	for i := range Names() {
		f.Add(uint8(i), "a=xE9\x81\x30中=u4E2D==U01F600")
	}
	all := codecs(f)
	f.Fuzz(func(t *testing.T, charset uint8, s string) {
		inverse(t, all[int(charset)%len(all)], s)
	})
}
