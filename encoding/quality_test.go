package encoding

import (
	"bufio"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// sample is a name of testdata, in one charset.
type sample struct {
	codec      Codec
	text, wire string
}

// samples reads a file of testdata: charsets with commas between, tabulator, name.
func samples(t testing.TB, path string) (all []sample) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		charsets, text, ok := strings.Cut(lines.Text(), "\t")
		if !ok || strings.HasPrefix(charsets, "#") {
			continue
		}
		for name := range strings.SplitSeq(charsets, ",") {
			codec, err := Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			if wire := codec.Encode(text); !plain(wire) {
				all = append(all, sample{codec, codec.Decode(wire), wire})
			}
		}
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d samples, %v", path, len(all), err)
	}
	return all
}

// score counts the samples that a new session reads right, by charset, with a hint that may
// depend on the charset.
func score(t *testing.T, all []sample, hint func(charset string) string) (right, of map[string]int) {
	t.Helper()
	right, of = make(map[string]int), make(map[string]int)
	for _, s := range all {
		name := s.codec.Name()
		of[name]++
		d := NewDetector(Hints{Server: hint(name)})
		if got := d.Decode(s.wire); got == s.text {
			right[name]++
		} else {
			t.Logf("hint %q: %s %q read as %q", hint(name), name, s.text, got)
		}
	}
	return right, of
}

func none(string) string         { return "" }
func same(charset string) string { return charset }
func gb(string) string           { return "GB18030" }

// floor checks that a share of the samples is read right, in percent.
func floor(t *testing.T, what string, right, of map[string]int, percent float64) {
	t.Helper()
	var r, n int
	for name := range of {
		r, n = r+right[name], n+of[name]
	}
	if got := 100 * float64(r) / float64(n); got < percent {
		t.Errorf("%s: %.2f %% of %d names are right, want %.2f %%", what, got, n, percent)
	}
}

// Single names, each in a session of its own.
func TestQualityOfSingleNames(t *testing.T) {
	all := samples(t, "testdata/names.tsv")
	right, of := score(t, all, none)
	floor(t, "no hint", right, of, 98.7)
	for _, name := range slices.Sorted(maps.Keys(of)) {
		t.Logf("%-14s %d of %d", name, right[name], of[name])
		if missed := of[name] - right[name]; missed > 1+of[name]/40 {
			t.Errorf("%s: %d of %d names are wrong", name, missed, of[name])
		}
	}
	right, of = score(t, all, same)
	floor(t, "right hint", right, of, 99.6)
	right, of = score(t, all, gb)
	floor(t, "wrong hint", right, of, 96.5)
}

func TestQualityOfUTF8(t *testing.T) {
	all := samples(t, "testdata/names.tsv")
	for i, s := range all {
		all[i] = sample{Codec{}, s.text, s.text}
	}
	for _, hint := range []func(string) string{none, gb} {
		right, of := score(t, all, hint)
		floor(t, "UTF-8, hint "+hint(""), right, of, 99.9)
	}
}

func TestQualityOfWordsThatAreValidUTF8(t *testing.T) {
	all := samples(t, "testdata/valid-utf8.tsv")
	right, of := score(t, all, none)
	floor(t, "no hint", right, of, 97.5)
	right, of = score(t, all, same)
	floor(t, "right hint", right, of, 99.6)
}

// All names of one charset in one session, in order.
func TestQualityOfSessions(t *testing.T) {
	sessions := make(map[Codec]*Detector)
	right, of := make(map[string]int), make(map[string]int)
	for _, s := range samples(t, "testdata/names.tsv") {
		if sessions[s.codec] == nil {
			sessions[s.codec] = NewDetector(Hints{})
		}
		name := s.codec.Name()
		of[name]++
		if got := sessions[s.codec].Decode(s.wire); got == s.text {
			right[name]++
		} else {
			t.Logf("%s %q read as %q", name, s.text, got)
		}
	}
	floor(t, "sessions", right, of, 99.7)
}

func BenchmarkDetector(b *testing.B) {
	all := samples(b, "testdata/names.tsv")
	e := &evidence{}
	e.examine(all[0].wire)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.examine(all[i%len(all)].wire)
	}
}

// Judging a name leaves nothing behind.
func TestJudgingDoesNotAllocate(t *testing.T) {
	e := &evidence{}
	e.examine(strings.Repeat(gbkName, 4))
	if allocs := testing.AllocsPerRun(100, func() { e.examine(gbkName); e.examine(russianName) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestModelsAreSmall(t *testing.T) {
	if len(modelData) > 2<<20 {
		t.Errorf("%d bytes of models", len(modelData))
	}
	if len(candidates()) != len(expected) {
		t.Errorf("%d candidates", len(candidates()))
	}
}
