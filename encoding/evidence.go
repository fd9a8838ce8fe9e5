package encoding

import (
	"strings"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// evidence is what one name costs in each candidate, in the order of candidates(): the
// less, the likelier. Candidates in which the name makes no sense cost senseless.
type evidence []lm.Cost

const (
	senseless = 1 << 20
	badByte   = 30 * lm.Nat // a byte that means nothing, such as the half of a character at a cut
	mostBad   = 2           // such bytes at most
	// What is longer than this is judged by its beginning, in bytes.
	longestJudged = 256
)

// examine judges a name that is not plain ASCII.
func examine(wire string) evidence {
	all := candidates()
	e := make(evidence, len(all))
	wire = judged(wire)
	name := &lm.Name{Runes: make([]rune, 0, longestJudged)}
	for i := range all {
		bad := decodeRunes(all[i].codec.charset(), name, wire)
		if bad > mostBad {
			e[i] = senseless
			continue
		}
		e[i], _ = all[i].models.Judge(name)
		e[i] += badByte * lm.Cost(bad)
	}
	return e
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
