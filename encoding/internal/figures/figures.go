package figures

import (
	"maps"
	"slices"

	"github.com/spdscheme/spdserver/encoding"
)

// Figures are the results of one set of names.
type Figures struct {
	Single    map[string]Hinted // by the charset that the set says
	Legacy    Hinted            // all of Single but UTF-8
	UTF8      Hinted
	Collision map[string]Hinted
	InSession Hinted        // names one by one, each after those before it in its session
	After     map[int]Share // sessions of which all names are right once so many have come
	Mistakes  []Mistake
}

// Hinted is what share of names is right without a hint, with the right hint, and with
// GB18030 as the hint for everybody.
type Hinted struct{ None, Right, Wrong Share }

// Share is how many of how many are right.
type Share struct{ Right, All int }

// Percent returns the share in percent; 0 of nothing.
func (s Share) Percent() float64 { return 100 * float64(s.Right) / float64(max(1, s.All)) }

func (s *Share) count(right bool) {
	s.All++
	if right {
		s.Right++
	}
}

func (s Share) plus(other Share) Share { return Share{s.Right + other.Right, s.All + other.All} }

func (h Hinted) plus(other Hinted) Hinted {
	return Hinted{h.None.plus(other.None), h.Right.plus(other.Right), h.Wrong.plus(other.Wrong)}
}

// Mistake is a name that was read wrong.
type Mistake struct {
	Case  string // what was measured, such as "none" for no hint
	Name  Name
	Got   string
	Taken string // the charset it was taken for
}

const wrongHint = "GB18030"

// Measure reads all names.
func Measure(n *Names) *Figures {
	f := &Figures{After: make(map[int]Share)}
	f.Single = f.single("", n.Singles)
	for encoding, h := range f.Single {
		if encoding == "utf-8" {
			f.UTF8 = h
		} else {
			f.Legacy = f.Legacy.plus(h)
		}
	}
	f.Collision = f.single("collision ", n.Collisions)
	for _, s := range n.Sessions {
		f.session(s)
	}
	return f
}

// single reads names, each in a session of its own.
func (f *Figures) single(title string, names []Name) map[string]Hinted {
	by := make(map[string]Hinted)
	for _, n := range names {
		h := by[n.Encoding]
		h.None.count(f.read(title+"none", fresh(""), n))
		h.Right.count(f.read(title+"right", fresh(n.Encoding), n))
		h.Wrong.count(f.read(title+"wrong", fresh(wrongHint), n))
		by[n.Encoding] = h
	}
	return by
}

func fresh(hint string) *encoding.Detector {
	return encoding.NewDetector(encoding.Hints{Server: hint})
}

// read tells whether d reads n right.
func (f *Figures) read(title string, d *encoding.Detector, n Name) bool {
	got := d.Decode(n.Wire)
	if got == n.Text {
		return true
	}
	taken, _ := d.Charset()
	f.Mistakes = append(f.Mistakes, Mistake{title, n, got, taken})
	return false
}

// steps are the numbers of names after which the names of a session are looked at.
func steps() []int { return []int{1, 2, 3, 5, 10} }

func (f *Figures) session(s Session) {
	none, right, wrong := fresh(""), fresh(s.Encoding), fresh(wrongHint)
	for i, wire := range s.Wire {
		n := Name{Encoding: s.Encoding, Text: s.Text[i], Wire: wire}
		f.InSession.None.count(f.read("session none", none, n))
		f.InSession.Right.count(f.read("session right", right, n))
		f.InSession.Wrong.count(f.read("session wrong", wrong, n))
	}
	for _, k := range steps() {
		share := f.After[k]
		share.count(allRight(s, k))
		f.After[k] = share
	}
}

// allRight sends k names, and then tells whether all of the session are read right.
func allRight(s Session, k int) bool {
	d := fresh("")
	for _, wire := range s.Wire[:min(k, len(s.Wire))] {
		_ = d.Decode(wire)
	}
	for i, wire := range s.Wire {
		if d.Decode(wire) != s.Text[i] {
			return false
		}
	}
	return true
}

// Encodings lists the charsets of the single names.
func (f *Figures) Encodings() []string { return slices.Sorted(maps.Keys(f.Single)) }
