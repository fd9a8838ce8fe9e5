package lm

import "testing"

func TestLexicon(t *testing.T) {
	a := NewAlphabet("de", Latin, []rune("abäöü"), func(_, _, _ int) float64 { return 5 })
	a.Teach([]string{"äb", "büö", "ab\u00e9"}, 3, 8)
	english := NewAlphabet("en", Latin, []rune("ab"), func(_, _, _ int) float64 { return 9 })
	s, err := Load(Save([]*Alphabet{english, a}, nil))
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := judge(t, s, "äb")
	for _, name := range []string{"bä", "äbä", "béö"} {
		if c, _ := judge(t, s, name); c <= whole+Nat {
			t.Errorf("%q costs %d, a word that is known %d", name, c, whole)
		}
	}
	if upper, _ := judge(t, s, "Äb"); upper > whole+Nat {
		t.Errorf("with a capital it costs %d, without %d", upper, whole)
	}
	// What is behind a letter that is not in the alphabet does not count.
	strange, _ := judge(t, s, "ŋbüö")
	if known, _ := judge(t, s, "büö"); strange <= known+strangeCost {
		t.Errorf("behind a strange letter: %d, by itself %d", strange, known)
	}
}
