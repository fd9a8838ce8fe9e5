package lm

import "testing"

func TestLexicon(t *testing.T) {
	a := NewAlphabet("de", Latin, []rune("abäöü"), func(_, _, _ int) float64 { return 5 })
	a.Teach([]string{"äb", "büö", "éöä"}, 3, 8)
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
	// A word with a letter that is not in the alphabet is not in the lexicon, nor is its end.
	for _, name := range []string{"éöä", "ŋöä"} {
		if c, _ := judge(t, s, name); c <= whole+4*Nat {
			t.Errorf("%q costs %d", name, c)
		}
	}
}
