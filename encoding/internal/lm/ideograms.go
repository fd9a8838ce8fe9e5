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
// The most telling pairs are in a hash table of 16-bit slots: twelve bits tell pairs apart
// (one in 500 strangers is mistaken for a pair), four are the cost. A pair that is not
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
	buckets := room / slotsPerBucket
	table := make([]byte, 2*buckets*slotsPerBucket)
	fill := make([]int, buckets)
	for _, p := range pairs {
		one, two, mark := place(p.A, p.B, buckets)
		if fill[two] < fill[one] {
			one = two
		}
		if fill[one] == slotsPerBucket {
			continue
		}
		slot := mark<<4 | uint16(Steps(p.Cost))
		at := 2 * (one*slotsPerBucket + fill[one])
		table[at], table[at+1] = byte(slot>>8), byte(slot)
		fill[one]++
	}
	return string(table)
}

const slotsPerBucket = 4

// place returns the two buckets where a pair may be, and its mark, which is never 0.
func place(a, b rune, buckets int) (one, two int, mark uint16) {
	one, two, marks := scatter(uint64(a)<<21|uint64(b), buckets)
	return one, two, uint16(marks>>52)%0xFFF + 1
}

// scatter returns two buckets for a key, and bits that tell it from others there.
func scatter(key uint64, buckets int) (one, two int, marks uint64) {
	h := key * 0x9E3779B97F4A7C15
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	h ^= h >> 32
	one = int((h >> 32) * uint64(buckets) >> 32)
	two = int((h & 0xFFFFFFFF) * uint64(buckets) >> 32)
	return one, two, h * 0x94D049BB133111EB
}

func (m *Ideograms) write(out *writer) {
	for _, field := range []string{m.language, m.blocks, m.singles, m.strangers, m.pairs} {
		out.field(field)
	}
}

func readIdeograms(in *reader) *Ideograms {
	m := &Ideograms{language: in.field(), blocks: in.field(), singles: in.field(), strangers: in.field(), pairs: in.field()}
	if len(m.blocks) != 256 || len(m.singles) != len(m.strangers) || len(m.pairs)%(2*slotsPerBucket) != 0 || len(m.pairs) == 0 {
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
		}
		last = r
	}
	if last != 0 {
		total += m.pair(last, 0)
	}
	return total
}

func halfKana(r rune) bool { return 0xFF61 <= r && r <= 0xFF9F }

// pair returns the cost of b after a.
func (m *Ideograms) pair(a, b rune) Cost {
	one, two, mark := place(a, b, len(m.pairs)/(2*slotsPerBucket))
	for _, bucket := range [2]int{one, two} {
		slots := m.pairs[bucket*2*slotsPerBucket:][:2*slotsPerBucket]
		for i := 0; i < len(slots); i += 2 {
			if slot := uint16(slots[i])<<8 | uint16(slots[i+1]); slot>>4 == mark {
				return Cost(slot&15) * step
			}
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
