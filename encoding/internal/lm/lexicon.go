package lm

import "math"

// lexicon is words that are known as a whole, all at one cost, in a hash table of 24-bit
// marks: one in two million strangers is taken for a word.
type lexicon struct {
	cost  Cost
	marks string
}

// noLetters is the key of a word before its first letter.
const noLetters uint64 = 14695981039346656037

// nextKey returns the key of a word with one more letter; 0, once and for all, for what cannot
// be in a lexicon.
func nextKey(key uint64, symbol uint8) uint64 {
	if symbol == 0 || key == 0 {
		return 0
	}
	return (key ^ uint64(symbol)) * 1099511628211
}

// Teach gives a model words that it is to know as a whole: the first ones that room suffices
// for. Each costs so many nats. Their letters are of the alphabet, in lower case.
func (a *Alphabet) Teach(words []string, cost float64, room int) {
	symbols := make(map[rune]uint8, len(a.letters))
	for i, r := range a.letters {
		symbols[r] = uint8(i + 1)
	}
	t := newSlots(room)
	for _, word := range words {
		key := noLetters
		for _, r := range word {
			key = nextKey(key, symbols[r])
		}
		if key == 0 {
			continue
		}
		t.add(wordPlace(key, len(t.fill)))
	}
	a.lexicon = lexicon{Cost(math.Round(cost * float64(Nat))), string(t.table)}
}

func wordPlace(key uint64, buckets int) (one, two int, mark uint32) {
	one, two, marks := scatter(key, buckets)
	return one, two, uint32(marks>>40)%0xFFFFFF + 1
}

func (l *lexicon) has(key uint64) bool {
	if l.marks == "" {
		return false
	}
	one, two, mark := wordPlace(key, len(l.marks)/bucketSize)
	return inBucket(l.marks, one, mark, 0) != 0 || inBucket(l.marks, two, mark, 0) != 0
}

func (l *lexicon) write(out *writer) {
	out.field(string([]byte{byte(l.cost >> 8), byte(l.cost)}))
	out.field(l.marks)
}

func readLexicon(in *reader) (l lexicon) {
	cost := in.field()
	l.marks = in.field()
	if len(cost) != 2 || len(l.marks)%bucketSize != 0 {
		in.err, in.rest = errShort, ""
		return lexicon{}
	}
	l.cost = Cost(cost[0])<<8 | Cost(cost[1])
	return l
}
