package encoding

import (
	"math"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// Hints are charsets that somebody has set. Names that Lookup does not know count as not
// given: whoever reads them from a configuration should check them there.
type Hints struct {
	Account string // the account's charset: it holds, whatever the bytes look like
	Seen    string // what the account's last session turned out to speak; used in doubt
	Server  string // used in doubt: one charset or several, best first, with commas between
}

// What hints are worth.
const (
	hinted   = 8 * lm.Nat
	nextHint = lm.Nat / 2 // less for each further one
	// A session changes its charset, or sends a name in another one, once in e to this.
	steadiness = 10 * lm.Nat
)

// Detector is what one session believes about its charset, and translates names by it.
//
// Every name that is not plain ASCII is judged in all charsets that clients are known to
// use, and what it costs there is added up over the session: the charset with the least
// cost is the session's. A name counts once, however often it is sent. No lead grows
// without end, so that a session that changes its charset is followed; and a name that
// fits another charset much better than the session's is read in that one, alone.
//
// A Detector may be used concurrently.
type Detector struct {
	mu     sync.Mutex
	fixed  bool
	codec  Codec      // of the session, as far as known
	start  []lm.Cost  // of each candidate before any name; nil until the first that is not ASCII
	costs  []lm.Cost  // of each candidate, by all names
	names  int        // that were counted
	recent [64]uint32 // hashes of names that were counted
	hints  Hints
}

// NewDetector returns the Detector of a new session.
func NewDetector(h Hints) *Detector {
	d := &Detector{hints: h}
	for _, name := range h.inDoubt() {
		if c, err := Lookup(name); err == nil {
			d.codec = c
			break
		}
	}
	if c, err := Lookup(h.Account); err == nil {
		d.codec, d.fixed = c, true
	}
	return d
}

// inDoubt lists the hints that are no orders, best first.
func (h Hints) inDoubt() []string {
	return append([]string{h.Seen}, strings.Split(h.Server, ",")...)
}

// begin weighs the hints.
func (d *Detector) begin() {
	if d.start != nil {
		return
	}
	all := candidates()
	d.start = make([]lm.Cost, len(all))
	for i := range all {
		d.start[i] = all[i].prior
	}
	worth := hinted
	for _, name := range d.hints.inDoubt() {
		c, err := Lookup(name)
		if err != nil {
			continue
		}
		for i := range all {
			if all[i].codec == c {
				d.start[i] = min(d.start[i], all[i].prior-worth)
			}
		}
		worth -= nextHint
	}
	d.costs = append([]lm.Cost(nil), d.start...)
}

// Decode returns the text that the client means by wire, as valid UTF-8. See Codec.Decode.
func (d *Detector) Decode(wire string) string {
	if plain(wire) {
		return wire
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read(wire).Decode(wire)
}

// read returns the charset of wire, and learns from it.
func (d *Detector) read(wire string) Codec {
	if d.fixed || ascii(wire) {
		return d.codec
	}
	d.begin()
	e, _ := evidences.Get().(*evidence)
	defer evidences.Put(e)
	e.examine(wire)
	best := -1
	for i, c := range e.costs {
		if c < senseless && (best < 0 || d.costs[i]+c < d.costs[best]+e.costs[best]) {
			best = i
		}
	}
	if best < 0 {
		return d.codec
	}
	d.learn(wire, e.costs)
	return candidates()[best].codec
}

// learn adds the evidence of a name, unless it was counted before.
func (d *Detector) learn(wire string, costs []lm.Cost) {
	h := hash(wire)
	for _, r := range d.recent[:min(d.names, len(d.recent))] {
		if r == h {
			return
		}
	}
	d.recent[d.names%len(d.recent)] = h
	d.names++
	best := 0
	for i := range d.costs {
		d.costs[i] += costs[i]
		if d.costs[i] < d.costs[best] {
			best = i
		}
	}
	least := d.costs[best]
	first := d.start[0]
	for _, s := range d.start {
		first = min(first, s)
	}
	for i := range d.costs {
		d.costs[i] = min(d.costs[i]-least, d.start[i]-first+steadiness)
	}
	d.codec = candidates()[best].codec
}

// hash is FNV-1a.
func hash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// Encode returns text as the client is to see it. See Codec.Encode.
func (d *Detector) Encode(text string) string {
	if plain(text) {
		return text
	}
	d.mu.Lock()
	c := d.codec
	d.mu.Unlock()
	return c.Encode(text)
}

// Charset returns the charset in use, and how sure that is: 1 if somebody has set it, 0 if
// nothing has been decided yet.
func (d *Detector) Charset() (name string, confidence float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.codec.Name(), d.confidence()
}

func (d *Detector) confidence() float64 {
	if d.fixed {
		return 1
	}
	if d.names == 0 {
		return 0
	}
	sum := 0.0
	for _, c := range d.costs {
		sum += math.Exp(-float64(c) / float64(lm.Nat))
	}
	return min(0.999, math.Round(1000/sum)/1000)
}

// Fix sets the charset for the rest of the session, as OPTS UTF8 ON and SITE CHARSET do;
// it takes precedence over the hints. A name that Lookup does not know is its error.
func (d *Detector) Fix(name string) error {
	c, err := Lookup(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.codec, d.fixed = c, true
	return nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
