package lm

// Name is a name that is being judged: its characters in one reading, and what all
// languages agree on. It is reused from one reading to the next.
type Name struct {
	Runes []rune

	glyphs  []glyph
	scripts Script
	shared  Cost   // what is no letter, capitals, mixed scripts
	ascii   Cost   // all words of ASCII
	words   []Cost // by the index of the first letter of a word of ASCII, its cost
}

// Costs of capital letters, by what came before in the word.
var (
	startUpper   = nats(0.7)
	startLower   = nats(0.7)
	afterCapital = [2]Cost{nats(0.2), nats(1.8)}  // lower, upper after one capital
	afterUpper   = [2]Cost{nats(2.5), nats(0.15)} // after several
	afterLower   = [2]Cost{nats(0.03), nats(4.5)}
)

// Costs of letters of one script beside letters of another.
var (
	mixedCost     = nats(4)
	eastMixedCost = nats(0.4) // usual: README文件
	eastLowerCost = nats(3)   // less so: readme文件
	besideLetter  = nats(5)   // a symbol beside a letter
)

// prepare judges all that does not depend on the language.
func (n *Name) prepare(s *Set) {
	n.glyphs, n.words = n.glyphs[:0], n.words[:0]
	n.scripts, n.shared, n.ascii = 0, 0, 0
	for _, r := range n.Runes {
		g := s.letters.glyph(r)
		n.glyphs = append(n.glyphs, g)
		n.words = append(n.words, 0)
		n.scripts |= g.script
	}
	capitals := 0 // -1: the last letter is lower case; else capitals at the end of the word so far
	for i, g := range n.glyphs {
		if g.script == none {
			n.shared += g.cost
			if g.cost >= commonCost && (n.letterAt(i-1) || n.letterAt(i+1)) {
				n.shared += besideLetter
			}
			continue
		}
		start := i == 0 || n.glyphs[i-1].script != g.script
		if start && n.letterAt(i-1) {
			n.shared += mixing(n.glyphs[i-1], g)
		}
		if g.upper || g.lower {
			n.shared += caseCost(start, capitals, g.upper)
			capitals = nextCapitals(start, capitals, g.upper)
		}
	}
	n.judgeASCII(s.ascii)
}

func (n *Name) letterAt(i int) bool {
	return i >= 0 && i < len(n.glyphs) && n.glyphs[i].script != none
}

func mixing(a, b glyph) Cost {
	switch {
	case a.script|b.script != EastAsian|Latin:
		return mixedCost
	case a.lower || b.lower:
		return eastLowerCost
	default:
		return eastMixedCost
	}
}

func caseCost(start bool, capitals int, upper bool) Cost {
	i := 0
	if upper {
		i = 1
	}
	switch {
	case start:
		return [2]Cost{startLower, startUpper}[i]
	case capitals < 0:
		return afterLower[i]
	case capitals == 1:
		return afterCapital[i]
	default:
		return afterUpper[i]
	}
}

func nextCapitals(start bool, capitals int, upper bool) int {
	switch {
	case !upper:
		return -1
	case start || capitals < 0:
		return 1
	default:
		return capitals + 1
	}
}

// judgeASCII finds the words of ASCII and what they cost in any language.
func (n *Name) judgeASCII(english *Alphabet) {
	for i := 0; i < len(n.Runes); i++ {
		if !asciiLetter(n.Runes[i]) {
			continue
		}
		end := i
		for end < len(n.Runes) && asciiLetter(n.Runes[end]) {
			end++
		}
		n.words[i] = min(english.word(n.Runes[i:end]), asciiWord*Cost(end-i)+asciiWord)
		n.ascii += n.words[i]
		i = end
	}
}

// asciiWord is the cost of a letter in a word of ASCII that is no English.
var asciiWord = nats(3.5)

func asciiLetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }
