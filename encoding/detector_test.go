package encoding

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	gbkName     = "\xd6\xd0\xce\xc4\xc3\xfb\xb3\xc6.txt" // 中文名称.txt
	russianName = "\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0. \xdd\xf2\xee \xe8\xec\xff \xf4\xe0\xe9\xeb\xe0.txt"
	russianText = "Привет, мир. Это имя файла.txt"
)

func expect(t *testing.T, d *Detector, wire, text, charset string) {
	t.Helper()
	if got := d.Decode(wire); got != text {
		t.Errorf("Decode(%q) = %q, want %q", wire, got, text)
	}
	if got, _ := d.Charset(); got != charset {
		t.Errorf("after %q the charset is %s, want %s", wire, got, charset)
	}
	if got := d.Encode(text); got != wire {
		t.Errorf("Encode(%q) = %q, want %q", text, got, wire)
	}
}

func TestUTF8IsSeen(t *testing.T) {
	d := NewDetector(Hints{Server: "GBK"})
	expect(t, d, "plain.txt", "plain.txt", "GBK")
	if _, confidence := d.Charset(); confidence != 0 {
		t.Errorf("confidence %v in nothing", confidence)
	}
	expect(t, d, "中文.txt", "中文.txt", "UTF-8")
}

func TestAccountHintWins(t *testing.T) {
	d := NewDetector(Hints{Account: "gbk", Server: "windows-1251"})
	expect(t, d, gbkName, "中文名称.txt", "GBK")
	expect(t, d, "\xd2\xbb\xd0\xa9", "一些", "GBK") // valid UTF-8, too
	expect(t, d, "\xff", "=xFF", "GBK")
	if _, confidence := d.Charset(); confidence != 1 {
		t.Errorf("confidence %v in what was set", confidence)
	}
}

func TestServerHintIsForDoubt(t *testing.T) {
	d := NewDetector(Hints{Server: "no such charset, GBK, windows-1251"})
	if got := d.Encode("中"); got != "\xd6\xd0" {
		t.Errorf("before any name, 中 is shown as %q", got)
	}
	expect(t, d, gbkName, "中文名称.txt", "GBK")
}

func TestLanguageIsRecognised(t *testing.T) {
	expect(t, NewDetector(Hints{}), russianName, russianText, "windows-1251")
	expect(t, NewDetector(Hints{Server: "GBK"}), russianName, russianText, "windows-1251")
}

// A session has one charset most of the time, but each name may be in another.
func TestNamesInOtherCharsetsThanTheSession(t *testing.T) {
	d := NewDetector(Hints{Server: "GBK"})
	expect(t, d, gbkName, "中文名称.txt", "GBK")
	expect(t, d, "\xd2\xbb\xd0\xa9", "一些", "GBK") // valid UTF-8, but the session is GBK
	if got := d.Decode("中文名称测试"); got != "中文名称测试" {
		t.Errorf("UTF-8 in a session of GBK is read as %q", got)
	}
	if got := d.Encode("中文名称测试"); got != "中文名称测试" {
		t.Errorf("and shown as %q", got) // as the client has sent it
	}
	if got := d.Decode("\xd6\xd0\xce\xc4"); got != "中文" {
		t.Errorf("GBK once more is read as %q", got)
	}
}

// One name in a legacy charset, perhaps left by an older client, does not spoil the rest.
func TestOneLegacyNameDoesNotSpoilUTF8(t *testing.T) {
	for _, legacy := range []string{gbkName, russianName, "\x93\xfa\x96{\x8c\xea.txt", "r\xe9sum\xe9.doc"} {
		d := NewDetector(Hints{})
		_ = d.Decode(legacy)
		for _, name := range []string{"中文名称测试", "Привет.txt", "résumé.doc", "写真.jpg", "Ελληνικά"} {
			if got := d.Decode(name); got != name {
				t.Errorf("after %q, %q is read as %q", legacy, name, got)
			}
		}
	}
}

func TestSessionsMaySwitch(t *testing.T) {
	d := NewDetector(Hints{})
	for _, codec := range []string{"GBK", "Shift_JIS", "windows-1251"} {
		c, err := Lookup(codec)
		if err != nil {
			t.Fatal(err)
		}
		var last sample
		for _, s := range samples(t, "testdata/names.tsv") {
			if s.codec == c {
				_ = d.Decode(s.wire)
				last = s
			}
		}
		expect(t, d, last.wire, last.text, c.Name())
	}
}

func TestASCIIDecidesNothing(t *testing.T) {
	d := NewDetector(Hints{})
	for _, name := range []string{"README.txt", "a=u4E2D", "=xE9", "DSC01234.JPG"} {
		_ = d.Decode(name)
	}
	if _, confidence := d.Charset(); confidence != 0 || d.Seen() != "" {
		t.Errorf("confidence %v, to be remembered %q", confidence, d.Seen())
	}
	expect(t, d, russianName, russianText, "windows-1251")
	if d.Seen() != "windows-1251" {
		t.Errorf("to be remembered: %q", d.Seen())
	}
}

// What a name has meant it goes on to mean.
func TestRepeatedNamesCountOnce(t *testing.T) {
	const word = "\xd5\xbd\xca\xbf" // 战士 in GBK, and valid UTF-8
	d := NewDetector(Hints{})
	for _, name := range []string{"документы", "музыка", "фотографии"} {
		_ = d.Decode(name)
	}
	first := d.Decode(word)
	_, before := d.Charset()
	for range 100 {
		if got := d.Decode(word); got != first {
			t.Fatalf("first %q, then %q", first, got)
		}
	}
	if name, after := d.Charset(); name != "UTF-8" || after != before {
		t.Errorf("now the session is %s, confidence %v, before %v", name, after, before)
	}
}

// A charset is sure even if another one reads these names alike.
func TestRelativesAreNoDoubt(t *testing.T) {
	for charset, names := range map[string][]string{
		"GBK": {"会议记录", "财务报表"}, "KOI8-R": {"Новая папка", "Протокол"}, "windows-1252": {"Résumé de l'été", "Pièces jointes reçues"},
		"windows-1250": {"Účetní závěrka", "Příliš žluťoučký kůň"},
	} {
		c, err := Lookup(charset)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDetector(Hints{})
		for _, name := range names {
			_ = d.Decode(c.Encode(name))
		}
		if _, confidence := d.Charset(); d.Seen() != charset || confidence < worthSeen {
			t.Errorf("%s is seen as %q, confidence %v", charset, d.Seen(), confidence)
		}
	}
}

// A client that says names in UTF-8 and in another charset leaves no hint behind, whichever
// came last; one name that stands alone changes nothing.
func TestMixedNamesAreNoHint(t *testing.T) {
	utf8 := []string{"日本語", "документы", "Größe", "élève"}
	latin1 := []string{"\xe9t\xe9", "R\xe9sum\xe9 de l'\xe9t\xe9", "pi\xe8ces re\xe7ues"}
	for _, names := range [][]string{slices.Concat(utf8, latin1), slices.Concat(latin1, utf8)} {
		d := NewDetector(Hints{})
		for _, name := range names {
			_ = d.Decode(name)
		}
		if seen := d.Seen(); seen != "" {
			t.Errorf("%q: to be remembered is %q", names, seen)
		}
	}
	d := NewDetector(Hints{})
	for _, name := range slices.Concat(latin1, []string{"f\xeate", "ao\xfbt"}, utf8[:1]) {
		_ = d.Decode(name)
	}
	if seen := d.Seen(); seen != "windows-1252" {
		t.Errorf("with one name in UTF-8, to be remembered is %q", seen)
	}
}

// Every byte once, as tests send them, is no language.
func TestNoiseIsNoHint(t *testing.T) {
	d := NewDetector(Hints{})
	for b := 0x80; b <= 0xff; b++ {
		_ = d.Decode(string([]byte{'a', byte(b), 'b'}))
	}
	if seen := d.Seen(); seen != "" {
		t.Errorf("to be remembered is %q", seen)
	}
}

func TestSeenIsAHint(t *testing.T) {
	d := NewDetector(Hints{Seen: "EUC-JP", Server: "GBK"})
	if got := d.Encode("日本"); got != "\xc6\xfc\xcb\xdc" {
		t.Errorf("before any name, 日本 is shown as %q", got)
	}
	expect(t, d, "\xcc\xbe\xcb\xbe.doc", "名望.doc", "EUC-JP") // without a hint, GBK
}

func TestLanguageAndOPTS(t *testing.T) {
	const word = "\xc4\xa3\xca\xbd" // 模式 in GBK, ģʽ in UTF-8
	d := NewDetector(Hints{})
	d.NotUTF8()
	d.Language("zh")
	expect(t, d, word, "模式", "GBK")

	d = NewDetector(Hints{Account: "GBK"})
	d.Auto()
	expect(t, d, russianName, russianText, "windows-1251")
	if err := d.Fix("UTF-8"); err != nil {
		t.Fatal(err)
	}
	d.NotUTF8() // back to the account's, which holds
	expect(t, d, gbkName, "中文名称.txt", "GBK")
}

// The caller knows which names exist.
func TestReadings(t *testing.T) {
	const wire = "\xc7\xe0" // short, and a word in many charsets
	d := NewDetector(Hints{})
	readings := d.Readings(wire)
	if len(readings) < 2 || readings[0].Text != d.Decode(wire) {
		t.Fatalf("readings %+v; Decode says %q", readings, d.Decode(wire))
	}
	for i, r := range readings {
		c, err := Lookup(r.Charset)
		if err != nil || c.Decode(wire) != r.Text || r.Confidence <= 0 || r.Confidence >= 1 {
			t.Errorf("reading %d: %+v, %v", i, r, err)
		}
	}
	other := readings[1]
	d.Confirm(wire, other.Text)
	if got := d.Decode(wire); got != other.Text {
		t.Errorf("after %q was confirmed, it is read as %q", other.Text, got)
	}
	if got := d.Encode(other.Text); got != wire {
		t.Errorf("and shown as %q", got)
	}
	if got := d.Readings(gbkName); len(got) != 1 {
		t.Errorf("readings of what is clear: %+v", got)
	}
	if err := d.Fix("GBK"); err != nil {
		t.Fatal(err)
	}
	if got := d.Readings(wire); len(got) != 1 || got[0] != (Reading{"青", "GBK", 1}) {
		t.Errorf("readings in GBK: %+v", got)
	}
}

func TestNothingFitsIsEscaped(t *testing.T) {
	d := NewDetector(Hints{})
	wire := "\x81\xff\x81"
	if got := d.Encode(d.Decode(wire)); got != wire {
		t.Errorf("%q came back as %q", wire, got)
	}
}

func TestFix(t *testing.T) {
	d := NewDetector(Hints{Account: "GBK"})
	if err := d.Fix("utf8"); err != nil {
		t.Fatal(err)
	}
	expect(t, d, "中", "中", "UTF-8")
	expect(t, d, "\xd6\xd0", "=xD6=xD0", "UTF-8")
	if err := d.Fix("klingon"); err == nil {
		t.Error("an unknown charset was accepted")
	}
	expect(t, d, "中", "中", "UTF-8")
}

func TestDetectorConcurrently(*testing.T) {
	d := NewDetector(Hints{Server: "GBK"})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, wire := range []string{"a", gbkName, "中文1", russianName} {
				_ = d.Encode(d.Decode(wire))
				_, _ = d.Charset()
				_ = d.Fix("GBK")
			}
		})
	}
	wg.Wait()
}

func TestASCIIIsFree(t *testing.T) {
	d := NewDetector(Hints{})
	allocs := testing.AllocsPerRun(100, func() { _ = d.Encode(d.Decode("/incoming/report.txt")) })
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkDecode(b *testing.B) {
	d := NewDetector(Hints{Account: "GBK"})
	for b.Loop() {
		_ = d.Encode(d.Decode(gbkName))
	}
}

// Whatever is sent: text is valid, the client is shown its own bytes, and the same names in
// the same order give the same.
func FuzzDetector(f *testing.F) {
	f.Add(gbkName, russianName, "GBK")
	f.Add("中", "\xff", "")
	f.Add("\x81\x30\x81\x30", "\x8f\xa1\xa1=x", "EUC-JP,GB18030")
	f.Fuzz(func(t *testing.T, first, second, hint string) {
		d, again := NewDetector(Hints{Server: hint}), NewDetector(Hints{Server: hint})
		for _, wire := range []string{first, second, first} {
			text := d.Decode(wire)
			if !utf8.ValidString(text) || strings.Count(text, "/") != strings.Count(wire, "/") {
				t.Fatalf("Decode(%q) = %q", wire, text)
			}
			if back := d.Encode(text); back != wire {
				t.Fatalf("%q -> %q -> %q", wire, text, back)
			}
			if readings := again.Readings(wire); readings[0].Text != text {
				t.Fatalf("%q is %q, but the first of %+v", wire, text, readings)
			}
		}
	})
}

// However odd a text is, no other charset makes so many characters of UTF-8 by accident.
func TestLongUTF8(t *testing.T) {
	for _, name := range []string{strings.Repeat("ü", 127), strings.Repeat("ѣ", 20), "üßüßüßüßüßüß"} {
		if got := NewDetector(Hints{}).Decode(name); got != name {
			t.Errorf("%.20s... is read as %.20s...", name, got)
		}
	}
}

// Punctuation of East Asia tells as little as that of ASCII, whatever the charset makes of its bytes.
func TestEastAsianPunctuation(t *testing.T) {
	for _, test := range []struct{ charset, name string }{
		{"GBK", "英语（加纳，多语言）"},
		{"GBK", "法语（传统，替代，无死键） 俄语"},
		{"GBK", "合同：第一版【最终】。文档"},
		{"Big5", "報告（第二版，修正）：附件"},
		{"Shift_JIS", "報告書（第２版）【最終】"},
		{"EUC-JP", "報告書（第２版）【最終】"},
		{"EUC-KR", "보고서（최종본，수정）"},
	} {
		c, err := Lookup(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		if got := NewDetector(Hints{}).Decode(c.Encode(test.name)); got != test.name {
			t.Errorf("%s: %s is read as %s", test.charset, test.name, got)
		}
	}
}

// Letters that are strange where they are give a wrong charset away.
func TestStrayLetters(t *testing.T) {
	for _, test := range []struct{ charset, name string }{
		{"windows-1252", "Taipéi_v4"},              // Shift_JIS: Taip駟_v4
		{"windows-1252", "Lower Prince’s Quarter"}, // Shift_JIS: Prince痴
		{"windows-1251", "Чиуауа"},                 // KOI8-R: вХСЮСЮ
		{"windows-1250", "Coasta de Fildeş"},       // windows-1252: Fildeº
		{"UTF-8", "Kʼicheʼ"},                       // EUC-JP: K兵iche兵
		{"windows-1252", "Reyk\u00adja\u00advík"},  // Big5: Reyk虻a赳璭
	} {
		c, err := Lookup(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		if got := NewDetector(Hints{}).Decode(c.Encode(test.name)); got != test.name {
			t.Errorf("%s: %s is read as %s", test.charset, test.name, got)
		}
	}
}

// The name of a client decides where nothing else does, and never against what names say.
func TestClient(t *testing.T) {
	for name, want := range map[string]lm.Cost{
		"FileZilla": -introduced, "WinSCP-release-6.3": -introduced, "FlashFXP 3.6.0": introduced, "FlashFXP 5.4": 0,
		"CuteFTP Pro 8.3": introduced, "CuteFTP 9": 0, "LeechFTP": introduced, "lftp/4.9.2": 0, "": 0, "FlashFXP 99999999999999999999": 0,
	} {
		if got := clientSays(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	const doubtful = "\xc3\xb1" // 帽 in GBK, ñ in UTF-8
	read := func(client string) (*Detector, Reading) {
		d := NewDetector(Hints{})
		d.Client(client)
		d.Client(client) // twice says no more than once
		return d, d.Readings(doubtful)[0]
	}
	_, unknown := read("")
	_, old := read("FlashFXP 3.6.0")
	d, modern := read("FileZilla")
	if unknown.Text != "ñ" || modern.Text != "ñ" || modern.Confidence <= unknown.Confidence {
		t.Errorf("of an unknown client %+v, of FileZilla %+v", unknown, modern)
	}
	if old.Text == "ñ" && old.Confidence >= unknown.Confidence {
		t.Errorf("of an unknown client %+v, of an old one %+v", unknown, old)
	}
	expect(t, d, gbkName, "中文名称.txt", "GBK")
	if got := d.Decode(russianName); got != russianText {
		t.Errorf("%q", got)
	}
}
