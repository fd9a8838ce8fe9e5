package encoding

import (
	"cmp"
	"slices"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// Reading is what a name may mean.
type Reading struct {
	Text       string
	Charset    string
	Confidence float64 // that this is the text: 1 if the charset is set, 0 if nothing has been decided
}

// How many readings of a name there are at most, and of a pattern.
const (
	mostReadings = 4
	mostPossible = 10
)

// Readings returns what the client may mean by wire, the likeliest first: what Decode
// returns, and in doubt others. The caller may know better which of them exists; it should
// say so to Confirm.
func (d *Detector) Readings(wire string) []Reading { return d.readings(wire, doubt, mostReadings) }

// Possible is Readings for a part of a name, such as a pattern: its few letters decide little,
// so that unlikely readings are among them, too.
func (d *Detector) Possible(wire string) []Reading { return d.readings(wire, badByte, mostPossible) }

// readings returns so many readings at most that cost no more than limit beyond the best.
func (d *Detector) readings(wire string, limit lm.Cost, most int) []Reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fixed || ascii(wire) {
		return []Reading{{d.codec.Decode(wire), d.codec.Name(), d.confidence()}}
	}
	e, _ := evidences.Get().(*evidence)
	defer evidences.Put(e)
	best := d.judge(wire, e)
	if best < 0 {
		return []Reading{{d.codec.Decode(wire), d.codec.Name(), 0}}
	}
	least := e.costs[best]
	all := weigh(e.costs, least)
	var readings []Reading
	for i, c := range candidates() {
		if e.costs[i]-least > limit {
			continue
		}
		text, p := c.codec.Decode(wire), probability(e.costs[i]-least)
		if same := slices.IndexFunc(readings, func(r Reading) bool { return r.Text == text }); same >= 0 {
			readings[same].Confidence += p
			if i == best {
				readings[same].Charset = c.codec.Name()
			}
			continue
		}
		readings = append(readings, Reading{text, c.codec.Name(), p})
	}
	first := candidates()[best].codec.Name()
	slices.SortStableFunc(readings, func(x, y Reading) int {
		if x.Charset == first || y.Charset == first {
			return cmp.Compare(flag(y.Charset == first), flag(x.Charset == first))
		}
		return cmp.Compare(y.Confidence, x.Confidence)
	})
	readings = readings[:min(len(readings), most)]
	for i := range readings {
		readings[i].Confidence = confidence(readings[i].Confidence, all)
	}
	d.remember(readings[0].Text, wire)
	return readings
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Confirm tells that wire does mean text, as a file of that name exists: charsets in which
// it means something else become less likely. text is of one of the Readings of wire.
func (d *Detector) Confirm(wire, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fixed || ascii(wire) {
		return
	}
	d.begin()
	best := -1
	for i, c := range candidates() {
		switch {
		case c.codec.Decode(wire) != text:
			d.costs[i] += found
		case best < 0 || d.costs[i] < d.costs[best]:
			best = i
		}
	}
	d.settle()
	if c := d.find(wire); c != nil && best >= 0 {
		*c = counted{c.hash, best, d.codec}
	}
	d.remember(text, wire)
}
