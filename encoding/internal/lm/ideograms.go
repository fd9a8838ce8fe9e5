package lm

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

var errShort = errors.New("a table is too short")

// Ideograms is the model of Chinese, Japanese or Korean: how likely each character is
// after the one before it.
//
// The most telling pairs are in a hash table of 24-bit slots: twenty bits tell pairs apart
// (one in 130,000 strangers is mistaken for a pair), four are the cost. A pair that is not
// there costs what its first character charges for strangers plus what the second costs by
// itself.
type Ideograms struct {
	language  string
	blocks    string // by the high byte of a character: number of its block, from 1 on; 0: none
	singles   string // by block and low byte: cost in sixteenths of a nat
	strangers string // the same: what a character charges for a stranger after it
	pairs     string // slots, the high byte first
}

// Single is what is known of a character by itself. Costs are in nats.
type Single struct{ Cost, Strangers float64 }

// Pair is two characters, and how much the model gains by knowing the pair. 0 is what
// separates names.
type Pair struct {
	A, B rune
	Cost float64 // in nats
	Gain float64
}

// NewIdeograms makes a model with room for so many pairs, the best of those given.
func NewIdeograms(language string, singles map[rune]Single, pairs []Pair, room int) *Ideograms {
	m := &Ideograms{language: language}
	blocks := make([]byte, 256)
	var costs, strangers []byte
	runes := make([]rune, 0, len(singles))
	for r := range singles {
		runes = append(runes, r)
	}
	slices.Sort(runes)
	for _, r := range runes {
		if r > 0xFFFF {
			continue
		}
		if blocks[r>>8] == 0 {
			costs = append(costs, slices.Repeat([]byte{255}, 256)...)
			strangers = append(strangers, make([]byte, 256)...)
			blocks[r>>8] = byte(len(costs) / 256)
		}
		i := (int(blocks[r>>8])-1)*256 + int(r&0xFF)
		costs[i], strangers[i] = eighth(singles[r].Cost), eighth(singles[r].Strangers)
	}
	m.blocks, m.singles, m.strangers = string(blocks), string(costs), string(strangers)
	m.pairs = hashPairs(pairs, room)
	return m
}

func eighth(nats float64) byte { return byte(min(255, math.Round(nats*float64(Nat)))) }

// hashPairs puts the pairs into their buckets, the best first. Each pair has a choice of two.
func hashPairs(pairs []Pair, room int) string {
	slices.SortFunc(pairs, func(x, y Pair) int {
		return cmp.Or(cmp.Compare(y.Gain, x.Gain), cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B))
	})
	t := newSlots(room)
	for _, p := range pairs {
		one, two, mark := place(p.A, p.B, len(t.fill))
		t.add(one, two, mark<<4|uint32(Steps(p.Cost)))
	}
	return string(t.table)
}

// place returns the two buckets where a pair may be, and its mark, which is never 0.
func place(a, b rune, buckets int) (one, two int, mark uint32) {
	one, two, marks := scatter(uint64(a)<<21|uint64(b), buckets)
	return one, two, uint32(marks>>44)%0xFFFFF + 1
}

func (m *Ideograms) write(out *writer) {
	for _, field := range []string{m.language, m.blocks, m.singles, m.strangers, m.pairs} {
		out.field(field)
	}
}

func readIdeograms(in *reader) *Ideograms {
	m := &Ideograms{language: in.field(), blocks: in.field(), singles: in.field(), strangers: in.field(), pairs: in.field()}
	if len(m.blocks) != 256 || len(m.singles) != len(m.strangers) || len(m.pairs)%bucketSize != 0 || len(m.pairs) == 0 {
		in.err, in.rest = errShort, ""
	}
	return m
}

// Costs of characters that the model does not know.
const (
	rareCost Cost = 14.5 * nat
	// Half-width kana are old, and each byte is one.
	halfKanaCost Cost = 11 * nat
	halfKanaNext Cost = 6.5 * nat
	// Koreans write Chinese characters, if at all, as words of their own.
	hanjaCost Cost = 2 * nat
)

// judge returns the cost of the letters of n. It stops when that is above limit.
func (m *Ideograms) judge(n *Name, limit Cost) Cost {
	total := n.ascii
	last := rune(0)
	for i, r := range n.Runes {
		if total > limit {
			return total
		}
		if n.glyphs[i].script != EastAsian {
			if last != 0 {
				total += m.pair(last, 0)
			}
			last = 0
			total += foreign(n, i)
			continue
		}
		if halfKana(r) {
			if halfKana(last) {
				total += halfKanaNext
			} else {
				total += halfKanaCost
			}
		} else {
			total += m.pair(last, r)
			if last != 0 && hangul(last) != hangul(r) {
				total += hanjaCost
			}
		}
		last = r
	}
	if last != 0 {
		total += m.pair(last, 0)
	}
	return total
}

func halfKana(r rune) bool { return 0xFF61 <= r && r <= 0xFF9F }

func hangul(r rune) bool { return 0xAC00 <= r && r <= 0xD7A3 }

// pair returns the cost of b after a.
func (m *Ideograms) pair(a, b rune) Cost {
	one, two, mark := place(a, b, len(m.pairs)/bucketSize)
	for _, bucket := range [2]int{one, two} {
		if slot := inBucket(m.pairs, bucket, mark, 4); slot != 0 {
			return Cost(slot&15) * step
		}
	}
	single, _ := m.single(b)
	_, strangers := m.single(a)
	return strangers + single
}

func (m *Ideograms) single(r rune) (cost, strangers Cost) {
	if r > 0xFFFF {
		return rareCost, 0
	}
	block := int(m.blocks[r>>8])
	if block == 0 {
		return rareCost, 0
	}
	i := (block-1)*256 + int(r&0xFF)
	if i >= len(m.singles) {
		return rareCost, 0
	}
	return min(rareCost, Cost(m.singles[i])), Cost(m.strangers[i])
}
