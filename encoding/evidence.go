package encoding

import (
	"slices"
	"strings"
	"sync"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// evidence is what one name costs in each candidate, in the order of candidates(): the
// less, the likelier. Candidates in which the name makes no sense cost senseless.
type evidence struct {
	costs    []lm.Cost
	name     lm.Name
	previous []rune // as the candidate before has read the name
}

const (
	senseless = 1 << 20
	badByte   = 30 * lm.Nat // a byte that means nothing, such as the half of a character at a cut
	mostBad   = 2           // such bytes at most
	hopeless  = 50 * lm.Nat // behind the best: no need to know how far
	// characters of UTF-8 that another charset makes by accident, at most
	accidental = 12
	// What is longer than this is judged by its beginning, in bytes.
	longestJudged = 256
)

// evidences are kept for reuse: judging a name leaves no garbage.
//
//nolint:gochecknoglobals // a pool of buffers
var evidences = sync.Pool{New: func() any { return &evidence{} }}

// examine judges a name that is not plain ASCII.
func (e *evidence) examine(wire string) {
	wire = judged(wire)
	e.costs = e.costs[:0]
	limit := lm.Cost(senseless - 1)
	meant := false // to be UTF-8
	for i, c := range candidates() {
		e.name.Runes, e.previous = e.previous, e.name.Runes
		bad := decodeRunes(c.codec.charset(), &e.name, wire)
		if i == 0 && bad == 0 {
			meant = foreign(e.name.Runes) > accidental
		}
		switch {
		case bad > mostBad || i > 0 && meant:
			e.costs = append(e.costs, senseless)
			e.name.Runes = e.name.Runes[:0]
		case bad == 0 && i > 0 && slices.Equal(e.name.Runes, e.previous):
			e.costs = append(e.costs, e.costs[i-1])
		default:
			cost, _ := c.models.Judge(&e.name, limit)
			limit = min(limit, cost+hopeless)
			e.costs = append(e.costs, cost+badByte*lm.Cost(bad))
		}
	}
}

// foreign counts the characters beyond ASCII.
func foreign(runes []rune) (n int) {
	for _, r := range runes {
		if r > 0x7f {
			n++
		}
	}
	return n
}

// judged returns the part of a name that tells something: not the extension of a file.
func judged(wire string) string {
	if dot := strings.LastIndexByte(wire, '.'); dot > 0 && len(wire)-dot <= 6 && alphanumeric(wire[dot+1:]) {
		wire = wire[:dot]
	}
	return wire[:min(len(wire), longestJudged)]
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		if b := s[i] | 0x20; (b < 'a' || b > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// decodeRunes reads wire into name, and counts the bytes that mean nothing.
func decodeRunes(set charset, name *lm.Name, wire string) (bad int) {
	name.Runes = name.Runes[:0]
	for len(wire) > 0 {
		r, size := set.first(wire)
		if size == 0 {
			if bad++; bad > mostBad {
				return bad
			}
			size = 1
		} else {
			name.Runes = append(name.Runes, r)
		}
		wire = wire[size:]
	}
	return bad
}
