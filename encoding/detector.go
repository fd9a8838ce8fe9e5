package encoding

import (
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// Detector is what one session believes about its charset, and translates names by it.
//
// Every name that is not plain ASCII is judged in all charsets that clients are known to
// use, and what it costs there is added up over the session: the charset with the least
// cost is the session's. A name counts once, however often it is sent, and no more than it
// can prove: once a charset is sure, two names are needed to overturn it. A single name that
// fits another charset much better than the session's is read in that one, alone.
//
// A Detector may be used concurrently.
type Detector struct {
	hints Hints

	mu     sync.Mutex
	fixed  bool
	codec  Codec     // of the session, as far as known
	start  []lm.Cost // of each candidate before any name; nil until it is needed
	costs  []lm.Cost // of each candidate, by all names
	client lm.Cost   // what CLNT has added to the cost of UTF-8
	names  int       // that were counted
	spent  int64     // what they cost where they cost least, in lm.Cost
	length int64     // bytes of them that were judged
	recent [64]counted
	sent   map[string]string // names and the bytes they came in, where Encode would be wrong
}

// counted is a name that counted.
type counted struct {
	hash    uint64
	best    int   // the candidate it was read in
	session Codec // the session's charset then
}

// mostSent is how many names are remembered with the bytes they were sent in.
const mostSent = 256

// NewDetector returns the Detector of a new session.
func NewDetector(h Hints) *Detector {
	d := &Detector{hints: h}
	d.codec = h.first()
	if c, ok := find(h.Account); ok {
		d.codec, d.fixed = c, true
	}
	return d
}

// Decode returns the text that the client means by wire, as valid UTF-8. See Codec.Decode.
func (d *Detector) Decode(wire string) string {
	if plain(wire) {
		return wire
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fixed || ascii(wire) {
		return d.codec.Decode(wire)
	}
	best := d.read(wire)
	if best < 0 {
		return d.codec.Decode(wire)
	}
	c := candidates()[best].codec
	text := c.Decode(wire)
	if c != d.codec || !d.sure() {
		d.remember(text, wire)
	}
	return text
}

// read returns the number of the candidate that wire is in, and learns from it; -1 if it
// makes no sense in any. What a name has meant it means until the session's charset turns
// out to be another.
func (d *Detector) read(wire string) (best int) {
	if c := d.find(wire); c != nil && c.session == d.codec {
		return c.best
	}
	e, _ := evidences.Get().(*evidence)
	defer evidences.Put(e)
	return d.judge(wire, e)
}

// judge is read for names that have to be looked at. e.costs is then what wire costs in
// each candidate, the session considered.
func (d *Detector) judge(wire string, e *evidence) (best int) {
	d.begin()
	e.examine(wire)
	c := d.find(wire)
	best = -1
	if c != nil && c.session == d.codec {
		best = c.best
	}
	decided := best >= 0
	least := slices.Min(e.costs)
	for i, cost := range e.costs {
		e.costs[i] = min(d.costs[i], d.start[i]+exception) + cost
		if c == nil {
			d.costs[i] += weight(cost, least)
		}
		if !decided && cost < senseless && (best < 0 || e.costs[i] < e.costs[best]) {
			best = i
		}
	}
	if c == nil {
		d.spent, d.length = d.spent+int64(least), d.length+int64(len(judged(wire)))
		d.settle()
		c = &d.recent[d.names%len(d.recent)]
		d.names++
	}
	*c = counted{hash(wire), best, d.codec}
	return best
}

// weight is what a name that costs this, and the least in another candidate, counts for
// the session.
func weight(cost, least lm.Cost) lm.Cost {
	if cost >= senseless {
		return refutation
	}
	return min(cost-least, persuasion)
}

// find returns what is known of a name that was counted of late; nil if it was not.
func (d *Detector) find(wire string) *counted {
	h := hash(wire)
	for i := range d.recent[:min(d.names, len(d.recent))] {
		if d.recent[i].hash == h {
			return &d.recent[i]
		}
	}
	return nil
}

// settle limits the lead of the best candidate, which becomes the session's charset.
func (d *Detector) settle() {
	best := 0
	for i, c := range d.costs {
		if c < d.costs[best] {
			best = i
		}
	}
	least := d.costs[best]
	for i := range d.costs {
		d.costs[i] = min(d.costs[i]-least, d.start[i]+steadiness)
	}
	d.codec = candidates()[best].codec
}

// sure tells whether no other charset is near.
func (d *Detector) sure() bool {
	near := 0
	for _, c := range d.costs {
		if c < doubt {
			near++
		}
	}
	return near == 1
}

// remember notes the bytes of a name that Encode would get wrong, now or later.
func (d *Detector) remember(text, wire string) {
	if len(d.sent) >= mostSent {
		clear(d.sent)
	}
	if d.sent == nil {
		d.sent = make(map[string]string)
	}
	d.sent[text] = wire
}

// Encode returns text as the client is to see it: in the session's charset, but a name that
// the client has sent in the bytes that it has sent. See Codec.Encode.
func (d *Detector) Encode(text string) string {
	if plain(text) {
		return text
	}
	d.mu.Lock()
	c := d.codec
	wire, ok := d.sent[text]
	if d.fixed {
		ok = false
	}
	d.mu.Unlock()
	if ok {
		return wire
	}
	return c.Encode(text)
}

// Charset returns the charset in use, and how sure that is: 1 if somebody has set it, 0 if
// nothing has been decided yet.
func (d *Detector) Charset() (name string, confidence float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.codec.Name(), d.confidence()
}

// confidence is how probable the charset in use is, or one that reads all names alike, such
// as GB18030 beside GBK. Somebody may always be wrong but he who sets it.
func (d *Detector) confidence() float64 {
	switch {
	case d.fixed:
		return 1
	case d.names == 0:
		return 0
	default:
		return confidence(weighAlike(d.costs, d.start), weigh(d.costs, 0))
	}
}

// weighAlike adds up the probabilities of the best charset and of those that are still as far
// behind it as before any name.
func weighAlike(costs, start []lm.Cost) (sum float64) {
	best := slices.Index(costs, slices.Min(costs))
	for i, c := range costs {
		if c-costs[best] == start[i]-start[best] {
			sum += probability(c)
		}
	}
	return sum
}

func confidence(right, all float64) float64 {
	return min(0.999, math.Round(1000*right/all)/1000)
}

// weigh adds up the probabilities of costs, beside one of 1 for best.
func weigh(costs []lm.Cost, best lm.Cost) (sum float64) {
	for _, c := range costs {
		sum += probability(c - best)
	}
	return sum
}

func probability(c lm.Cost) float64 { return math.Exp(-float64(c) / float64(lm.Nat)) }

// hash is FNV-1a.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
