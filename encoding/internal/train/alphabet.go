package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

const (
	// The share of all letters that a letter of the alphabet has at least. In Latin, others are
	// judged as letters with an odd accent.
	rareLetter  = 2e-4
	rareLatin   = 4e-4
	mostLetters = 68
	wordRoom    = 1600 // words of a language that are known as a whole, at most
	longestWord = 8    // letters; longer words can be recognised by their parts
	wholeWord   = 0.7  // nats for being one of them
	// How much a kind of letter that follows others speaks for kinds never seen there. Names are
	// full of words that no text has, foreign ones above all.
	unseen = 20
)

// makeAlphabet counts which letters follow which. A letter that is seldom seen after two
// others is judged by how often it follows one, or is there at all (Witten-Bell smoothing).
func makeAlphabet(l language, c *corpus) (*lm.Alphabet, string) {
	letters := c.letters()
	size := len(letters) + 1
	symbols := make(map[rune]int)
	for i, r := range letters {
		symbols[r] = i + 1
	}
	three := make([]float64, size*size*size)
	for _, word := range sortedKeys(c.weight) {
		a, b := 0, 0
		add := func(s int) {
			three[(a*size+b)*size+s] += c.weight[word]
			a, b = b, s
		}
		for _, r := range word {
			s := symbols[r]
			if s == 0 && a+b == 0 {
				continue
			}
			add(s)
			if s == 0 {
				a, b = 0, 0
			}
		}
		if b != 0 {
			add(0)
		}
	}
	p := smooth(three, size)
	cost := func(a, b, s int) float64 { return -math.Log(p[(a*size+b)*size+s]) }
	m := lm.NewAlphabet(l.name, l.script, letters, cost)
	telling, price := c.telling(symbols, cost)
	m.Teach(telling, price, wordRoom)
	return m, fmt.Sprintf("%s: %d words of which %d may be taught at %.1f, letters %s", l.name, len(c.weight), len(telling), price, string(letters))
}

// telling returns the words that the model gains most by knowing as a whole, the best first,
// and what they cost, in nats. Words of ASCII tell little of a charset, and those of
// dictionaries alone are often rare.
func (c *corpus) telling(symbols map[rune]int, cost func(a, b, c int) float64) (words []string, price float64) {
	total := 0.0
	for _, word := range sortedKeys(c.weight) {
		total += c.weight[word]
	}
	loss := make(map[string]float64)
	for _, word := range sortedKeys(c.weight) {
		a, b, sum, ascii, known := 0, 0, 0.0, true, true
		for _, r := range word + "\x00" {
			sum += cost(a, b, symbols[r])
			a, b = b, symbols[r]
			ascii, known = ascii && r < 0x80, known && (r == 0 || b > 0)
		}
		if !ascii && known && c.weight[word] > textWord && utf8.RuneCountInString(word) <= longestWord {
			loss[word] = (sum - math.Log(total/c.weight[word])) / float64(utf8.RuneCountInString(word))
			words = append(words, word)
		}
	}
	slices.SortStableFunc(words, func(x, y string) int { return cmp.Compare(loss[y], loss[x]) })
	words = words[:min(len(words), wordRoom)]
	if len(words) == 0 {
		return nil, 0
	}
	sum := 0.0
	for _, word := range words {
		sum += c.weight[word]
	}
	return words, math.Log(total*float64(len(words))/sum) + wholeWord
}

// letters returns the alphabet: a to z for Latin, and what is not rare.
func (c *corpus) letters() []rune {
	counts := make(map[rune]float64)
	total := 0.0
	for _, word := range sortedKeys(c.weight) {
		for _, r := range word {
			counts[r] += c.weight[word]
			total += c.weight[word]
		}
	}
	if c.language.script == lm.Latin {
		for r := 'a'; r <= 'z'; r++ {
			counts[r] += total
		}
	}
	for _, r := range c.language.letters {
		counts[r] += total
	}
	letters := sortedKeys(counts)
	rare := rareLetter * total
	if c.language.script == lm.Latin {
		rare = rareLatin * total
	}
	letters = slices.DeleteFunc(letters, func(r rune) bool { return counts[r] < rare })
	slices.SortStableFunc(letters, func(a, b rune) int {
		switch {
		case counts[a] > counts[b]:
			return -1
		case counts[a] < counts[b]:
			return 1
		}
		return 0
	})
	letters = letters[:min(len(letters), mostLetters)]
	slices.Sort(letters)
	return letters
}

// smooth turns counts of threes into probabilities of the third after the other two.
func smooth(three []float64, size int) []float64 {
	two, one := make([]float64, size*size), make([]float64, size)
	for i, n := range three {
		two[i%(size*size)] += n
		one[i%size] += n
	}
	uniform := make([]float64, size)
	for i := range uniform {
		uniform[i] = 1 / float64(size)
	}
	p1 := conditional(one, uniform, size)
	p2 := conditional(two, p1, size)
	return conditional(three, p2, size)
}

// conditional estimates the last symbol of each group of size, given the shorter history:
// each kind of symbol that was seen there makes others likelier that were not.
func conditional(counts, shorter []float64, size int) []float64 {
	p := make([]float64, len(counts))
	for from := 0; from < len(counts); from += size {
		sum, kinds := 0.0, unseen/2.0
		for _, n := range counts[from : from+size] {
			sum += n
			if n > 0 {
				kinds += unseen
			}
		}
		for s := range size {
			p[from+s] = (counts[from+s] + kinds*shorter[(from+s)%len(shorter)]) / (sum + kinds)
		}
	}
	return p
}
