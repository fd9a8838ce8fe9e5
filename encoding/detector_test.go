package encoding

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
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

func TestDecisionHoldsUntilItMakesNoSense(t *testing.T) {
	d := NewDetector(Hints{Server: "GBK"})
	expect(t, d, gbkName, "中文名称.txt", "GBK")
	expect(t, d, "\xd2\xbb\xd0\xa9", "一些", "GBK") // valid UTF-8, but the session is GBK
	expect(t, d, "中文1", "中文1", "UTF-8")           // not valid in GBK
	expect(t, d, "\xd6\xd0\xce\xc4", "中文", "GBK")
}

func TestNothingFitsIsEscaped(t *testing.T) {
	// No charset that chardet knows has FF FE FD at such places, and there is no hint.
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

func FuzzDetector(f *testing.F) {
	f.Add(gbkName, russianName, "GBK")
	f.Add("中", "\xff", "")
	f.Fuzz(func(t *testing.T, first, second, hint string) {
		d := NewDetector(Hints{Server: hint})
		for _, wire := range []string{first, second} {
			text := d.Decode(wire)
			if !utf8.ValidString(text) || strings.Count(text, "/") != strings.Count(wire, "/") {
				t.Fatalf("Decode(%q) = %q", wire, text)
			}
			if back := d.Encode(text); back != wire {
				t.Fatalf("%q -> %q -> %q", wire, text, back)
			}
		}
	})
}
