package lm

import (
	"math"
)

// Alphabet is the model of a language with an alphabet: how likely each letter is after
// the two before it, within words.
type Alphabet struct {
	language string
	script   Script
	letters  []rune // lower case; symbol n is letters[n-1]
	trigrams string // costs in steps, two in a byte
	lexicon  lexicon

	index [tableEnd]uint8 // symbol of a character; 0: none
	size  int             // number of symbols; 0 is what separates words
	chars *letters
}

// step is the unit of the costs in tables of four bits.
const step = 10

// Steps rounds a cost in nats to what four bits can hold.
func Steps(nats float64) uint8 {
	return uint8(min(15, math.Round(nats*float64(Nat)/step)))
}

// NewAlphabet makes a model. cost tells what symbol c costs after a and b; symbols count
// letters from 1, 0 is what separates words.
func NewAlphabet(language string, script Script, letters []rune, cost func(a, b, c int) float64) *Alphabet {
	size := len(letters) + 1
	table := make([]byte, (size*size*size+1)/2)
	for a := range size {
		for b := range size {
			for c := range size {
				i := (a*size+b)*size + c
				table[i/2] |= Steps(cost(a, b, c)) << (4 * (i % 2))
			}
		}
	}
	return &Alphabet{language: language, script: script, letters: letters, trigrams: string(table), size: size}
}

func (a *Alphabet) write(out *writer) {
	out.field(a.language)
	out.field(string(rune(a.script)))
	out.field(string(a.letters))
	out.field(a.trigrams)
	a.lexicon.write(out)
}

func readAlphabet(in *reader) *Alphabet {
	a := &Alphabet{language: in.field()}
	for _, r := range in.field() {
		a.script = Script(r)
	}
	a.letters = []rune(in.field())
	a.trigrams = in.field()
	a.lexicon = readLexicon(in)
	a.size = len(a.letters) + 1
	if len(a.trigrams) < (a.size*a.size*a.size+1)/2 {
		in.err, in.rest = errShort, ""
	}
	return a
}

// bind fills the index.
func (a *Alphabet) bind(l *letters) {
	a.chars = l
	symbols := make(map[rune]uint8, len(a.letters))
	for i, r := range a.letters {
		symbols[r] = uint8(i + 1)
	}
	for r := range rune(tableEnd) {
		if l.glyphs[r].script == a.script {
			a.index[r] = symbols[Fold(r)]
		}
	}
}

func (a *Alphabet) cost(x, y, z uint8) Cost {
	i := (int(x)*a.size+int(y))*a.size + int(z)
	return Cost(a.trigrams[i/2]>>(4*(i%2))&15) * step
}

// known is the cost of a word of letters that all are in the alphabet.
func (a *Alphabet) known(letters []rune) (c Cost) {
	var x, y uint8
	for _, r := range letters {
		z := a.index[r]
		c += a.cost(x, y, z)
		x, y = y, z
	}
	return c + a.cost(x, y, 0)
}

// Costs of letters that are not in the alphabet.
const (
	accentCost  Cost = 7 * nat   // a letter of the alphabet with an accent that the language lacks
	macronCost  Cost = 5 * nat   // the same with a macron
	oddAccent   Cost = 9.5 * nat // the same with an accent that few languages have
	strangeCost Cost = 9.5 * nat // another letter of the same script
	foreignCost Cost = 11 * nat  // the first letter of another script
	otherCost   Cost = 13 * nat  // the first letter of a script without a model
	foreignNext Cost = 6 * nat
	foreignEast Cost = 8 * nat // each further letter of East Asia
	borrowed    Cost = 2 * nat // a word of ASCII that is of another language
)

// word is a word that is being judged, as far as it has been read.
type word struct {
	x, y  uint8  // the last two symbols
	cost  Cost   // so far
	other Cost   // as a word of ASCII; 0 if it is none
	key   uint64 // for the lexicon; 0 if it has a letter that is not in the alphabet
}

// judge returns the cost of the letters of n. It stops when that is above limit.
func (a *Alphabet) judge(n *Name, limit Cost) (total Cost) {
	if a.script != Latin {
		total = n.ascii + n.foreign
	}
	var w word
	for i, r := range n.Runes {
		g := &n.glyphs[i]
		if g.script != a.script {
			total += a.end(&w) + foreign(n, i)
			w = word{}
			if total > limit {
				return total
			}
			continue
		}
		switch {
		case w.cost == 0 && w.x == 0 && w.y == 0:
			w.other, w.key = n.words[i], noLetters
		case r >= 0x80:
			w.other = 0
		}
		z, extra := a.symbol(r)
		w.cost += a.cost(w.x, w.y, z) + extra
		w.x, w.y = w.y, z
		w.key = nextKey(w.key, z)
		if extra > 0 {
			w.key = 0
		}
	}
	return total + a.end(&w)
}

// end returns the cost of a word, its end included.
func (a *Alphabet) end(w *word) Cost {
	if w.cost == 0 {
		return 0
	}
	cost := w.cost + a.cost(w.x, w.y, 0)
	switch {
	case w.other > 0:
		return min(cost, w.other+borrowed)
	case cost > a.lexicon.cost && w.key != 0 && a.lexicon.has(w.key):
		return a.lexicon.cost
	default:
		return cost
	}
}

// symbol returns the symbol that stands for r, and what that costs.
func (a *Alphabet) symbol(r rune) (symbol uint8, extra Cost) {
	if r >= tableEnd {
		if base := a.index[baseLetter(r)&0x7F]; base > 0 {
			return base, accentCost
		}
		return 0, strangeCost
	}
	if symbol = a.index[r]; symbol > 0 {
		return symbol, 0
	}
	if a.chars.base[r] != 0 && a.chars.base[r] < tableEnd {
		if base := a.index[a.chars.base[r]]; base > 0 {
			return base, a.chars.accents[r]
		}
	}
	return 0, strangeCost
}

// foreign returns the cost of character i, of a script that the model does not know; words
// of ASCII are counted elsewhere.
func foreign(n *Name, i int) Cost {
	script := n.glyphs[i].script
	switch {
	case script == none || asciiLetter(n.Runes[i]):
		return 0
	case script == Other && (i == 0 || n.glyphs[i-1].script != Other):
		return otherCost
	case i == 0 || n.glyphs[i-1].script != script:
		return foreignCost
	case script == EastAsian:
		return foreignEast
	default:
		return foreignNext
	}
}
