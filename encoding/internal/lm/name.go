package lm

// Name is a name that is being judged: its characters in one reading, and what all
// languages agree on. It is reused from one reading to the next.
type Name struct {
	Runes []rune

	glyphs  []glyph
	scripts Script
	shared  Cost   // what is no letter, capitals, mixed scripts
	ascii   Cost   // all words of ASCII
	foreign Cost   // what words of ASCII cost besides, among words of another alphabet
	words   []Cost // by the index of the first letter of a word of ASCII, its cost
}

// Costs of capital letters, by what came before in the word; in sixteenths of a nat.
const (
	startUpper, startLower     Cost = 11, 11
	capitalUpper, capitalLower Cost = 40, 1     // after one capital
	upperUpper, upperLower     Cost = 2, 56     // after several
	lowerUpper, lowerLower     Cost = 88, 0     // after a small letter
	oddCapital                 Cost = 3.5 * nat // more, outside Latin: words such as fileName are of programmers
)

// Costs of letters of one script beside letters of another.
const (
	mixedCost     Cost = 5.5 * nat
	initialCost   Cost = 2 * nat   // one capital of Latin: Aプラン
	lonelyCost    Cost = 1.5 * nat // one ideograph beside a word of Latin, on each side
	eastMixedCost Cost = 6         // usual: README文件
	eastLowerCost Cost = 4 * nat   // less so: readme文件
	besideLetter  Cost = 7 * nat   // a symbol beside a letter
)

// prepare judges all that does not depend on the language.
func (n *Name) prepare(s *Set) {
	n.glyphs, n.words = n.glyphs[:0], n.words[:0]
	n.scripts, n.shared, n.ascii, n.foreign = 0, 0, 0, 0
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
			if g.cost >= quoteCost && n.misplaced(i) {
				n.shared += besideLetter
			}
			continue
		}
		start := i == 0 || n.glyphs[i-1].script != g.script
		if start && n.letterAt(i-1) {
			n.shared += n.mixing(i)
		}
		if g.upper || g.lower {
			n.shared += caseCost(start, capitals, g.upper)
			if g.upper && !start && capitals < 0 && g.script != Latin {
				n.shared += oddCapital
			}
			capitals = nextCapitals(start, capitals, g.upper)
		}
	}
	n.judgeASCII(s.ascii)
}

// misplaced tells whether symbol i is where few are: quotes within a word, others beside one.
func (n *Name) misplaced(i int) bool {
	before, after := n.letterAt(i-1), n.letterAt(i+1)
	return before && after || (before || after) && n.glyphs[i].cost >= commonCost
}

func (n *Name) letterAt(i int) bool {
	return i >= 0 && i < len(n.glyphs) && n.glyphs[i].script != none
}

// mixing is the cost of letter i after one of another script.
func (n *Name) mixing(i int) Cost {
	a, b := &n.glyphs[i-1], &n.glyphs[i]
	switch {
	case a.script|b.script == EastAsian|Latin:
		return n.eastMixing(i)
	case a.script == Latin && a.upper && !n.letterAt(i-2):
		return initialCost
	default:
		return mixedCost
	}
}

// eastMixing is the cost of letter i beside letter i-1, one of them Latin, one of East Asia.
func (n *Name) eastMixing(i int) Cost {
	east, latin, on := i, i-1, -1
	if n.glyphs[i].script == Latin {
		east, latin, on = i-1, i, 1
	}
	cost := eastMixedCost
	if n.glyphs[latin].lower {
		cost = eastLowerCost
	}
	alone := !n.scriptAt(east-on, EastAsian)
	if word := n.glyphs[latin].lower || n.scriptAt(latin+on, Latin); alone && word {
		cost += lonelyCost
	}
	return cost
}

func (n *Name) scriptAt(i int, script Script) bool {
	return i >= 0 && i < len(n.glyphs) && n.glyphs[i].script == script
}

func caseCost(start bool, capitals int, upper bool) Cost {
	switch {
	case start:
		return either(upper, startUpper, startLower)
	case capitals < 0:
		return either(upper, lowerUpper, lowerLower)
	case capitals == 1:
		return either(upper, capitalUpper, capitalLower)
	default:
		return either(upper, upperUpper, upperLower)
	}
}

func either(upper bool, ifUpper, ifLower Cost) Cost {
	if upper {
		return ifUpper
	}
	return ifLower
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
		n.words[i] = min(english.known(n.Runes[i:end]), asciiWord*Cost(end-i)+asciiWord)
		n.ascii += n.words[i]
		if n.glyphs[end-1].lower {
			n.foreign += borrowed
		}
		i = end
	}
}

// asciiWord is the cost of a letter in a word of ASCII that is no English.
const asciiWord Cost = 3.5 * nat

func asciiLetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }
