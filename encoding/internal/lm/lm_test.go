package lm

import (
	"math"
	"testing"
)

// small is a set of three tiny languages.
func small(t *testing.T) string {
	t.Helper()
	likes := func(x, y int) func(a, b, c int) float64 {
		return func(_, b, c int) float64 {
			if b == x && c == y || b == 0 || c == 0 {
				return 0.5
			}
			return 6
		}
	}
	english := NewAlphabet("en", Latin, []rune("abcdefghijklmnopqrstuvwxyz"), likes(1, 2))
	german := NewAlphabet("de", Latin, []rune("abcdefghijklmnopqrstuvwxyz\u00e4"), likes(27, 2))
	chinese := NewIdeograms("zh-CN", map[rune]Single{'\u4e2d': {5, 1}, '\u6587': {6, 1}},
		[]Pair{{'\u4e2d', '\u6587', 1, 10}, {0, '\u4e2d', 2, 8}}, 8)
	return Save([]*Alphabet{english, german}, []*Ideograms{chinese})
}

func judge(t *testing.T, s *Set, text string) (Cost, string) {
	t.Helper()
	return s.Languages().Judge(&Name{Runes: []rune(text)}, 1<<20)
}

func TestJudge(t *testing.T) {
	s, err := Load(small(t))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"ab": "en", "\u00e4b": "de", "\u4e2d\u6587": "zh-CN", "12": "", "": ""} {
		if _, got := judge(t, s, text); got != want {
			t.Errorf("%q is taken for %q, want %q", text, got, want)
		}
	}
	for _, order := range [][2]string{
		{"\u4e2d\u6587", "\u6587\u4e2d"}, // a known pair, and a stranger
		{"abab", "aBAB"},
		{"ab", "a\u00a4b"},
		{"ab 1", "ab\x01"},
	} {
		less, _ := judge(t, s, order[0])
		more, _ := judge(t, s, order[1])
		if less >= more {
			t.Errorf("%q costs %d, %q %d", order[0], less, order[1], more)
		}
	}
	if c, _ := s.Languages("en").Judge(&Name{Runes: []rune("zzzzzz")}, 3); c != 3 {
		t.Errorf("with a limit of 3: %d", c)
	}
}

func TestLoadRefusesWhatIsCutOff(t *testing.T) {
	data := small(t)
	for n := range len(data) {
		if _, err := Load(data[:n]); err == nil && n < len(data)-1 {
			// Whole models are fine, as long as there is English.
			if s, _ := Load(data[:n]); s.ascii == nil {
				t.Fatalf("%d of %d bytes are accepted", n, len(data))
			}
		}
	}
	if _, err := Load(data + "\x00\x00\x01x"); err == nil {
		t.Error("an unknown kind is accepted")
	}
}

func TestSteps(t *testing.T) {
	for nats, want := range map[float64]uint8{0: 0, 0.625: 1, 5: 8, 100: 15, math.Inf(1): 15} {
		if got := Steps(nats); got != want {
			t.Errorf("Steps(%v) = %d, want %d", nats, got, want)
		}
	}
}
