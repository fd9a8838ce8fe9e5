package encoding

import (
	"slices"
	"strings"

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
	nextHint = 2 * lm.Nat // less for each further one
	// A name is in another charset than the session's once in e to this.
	exception = 10 * lm.Nat
	// What one name says for or against a charset of the session: at most this, and this if
	// it makes no sense in it.
	persuasion = 12 * lm.Nat
	refutation = 15 * lm.Nat
	// The lead of the session's charset: more than one name can outweigh, less than two.
	steadiness = 18 * lm.Nat
	denied     = 8 * lm.Nat // what OPTS UTF8 OFF says against UTF-8
	spoken     = 3 * lm.Nat // what LANG says for the charsets of a language
	found      = 6 * lm.Nat // what it says for a charset that a name exists in it
	doubt      = 8 * lm.Nat // readings this close to the best may be meant
)

// inDoubt lists the hints that are no orders, best first.
func (h Hints) inDoubt() []string {
	return append([]string{h.Seen}, strings.Split(h.Server, ",")...)
}

// first returns the best of the hints that are no orders, or UTF-8.
func (h Hints) first() Codec {
	for _, name := range h.inDoubt() {
		if c, ok := find(name); ok {
			return c
		}
	}
	return Codec{}
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
		c, ok := find(name)
		if !ok {
			continue
		}
		for i := range all {
			if all[i].codec == c {
				d.start[i] = min(d.start[i], all[i].prior-worth)
			}
		}
		worth -= nextHint
	}
	first := slices.Min(d.start)
	for i := range d.start {
		d.start[i] -= first
	}
	d.costs = slices.Clone(d.start)
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

// Auto takes back what Fix or the account's charset has set: names are judged from now on,
// as after SITE CHARSET auto.
func (d *Detector) Auto() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fixed = false
	if d.names > 0 {
		d.settle()
	} else {
		d.codec = d.hints.first()
	}
}

// NotUTF8 is what OPTS UTF8 OFF says: names are judged, and those that are valid UTF-8 may
// well be something else.
func (d *Detector) NotUTF8() {
	d.Auto()
	if d.Fix(d.hints.Account) == nil {
		return // it holds, whatever the client says
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begin()
	for i, c := range candidates() {
		if c.codec.Name() == "UTF-8" {
			d.start[i] += denied
			d.costs[i] += denied
		}
	}
}

// Language is what LANG says (RFC 2640): charsets of that language are likelier. The tag is
// one such as "ru" or "zh-TW".
func (d *Detector) Language(tag string) {
	primary, _, _ := strings.Cut(tag, "-")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begin()
	for i, c := range candidates() {
		if slices.ContainsFunc(c.languages, func(l string) bool { return strings.EqualFold(l, tag) || strings.EqualFold(l, primary) }) {
			d.start[i] -= spoken
			d.costs[i] -= spoken
		}
	}
}

// Seen returns the charset to give as a hint to the account's next session: the one in use,
// if names have made it sure, else "".
func (d *Detector) Seen() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == 0 || d.fixed || d.confidence() < worthSeen || d.mixed() || d.noise() {
		return ""
	}
	return d.codec.Name()
}

// mixed tells whether many of the last names were in UTF-8 where the session now is in
// another charset, or the other way round. Who says both shows his next session's charset by
// neither; and a wrong hint would make all names in UTF-8 look strange to it.
func (d *Detector) mixed() bool {
	isUTF8 := func(c Codec) bool { return c.Name() == "UTF-8" }
	others := 0
	last := d.recent[:min(d.names, len(d.recent))]
	for _, c := range last {
		if c.best >= 0 && isUTF8(candidates()[c.best].codec) != isUTF8(d.codec) {
			others++
		}
	}
	return manyOthers*others > len(last)
}

// noise tells whether the session's names are words in no charset, as those of tests and of
// attackers are. Some charset is always the least unlikely.
func (d *Detector) noise() bool { return d.spent > int64(noisy)*d.length }

// noisy is what a byte of a name costs that means nothing, at least. In names that people
// give, the mean is between 2 and 3 nats; in random bytes, 7.
const noisy = 5 * lm.Nat

// manyOthers is the part of a session's names, one in so many, that may be in another charset
// before it counts as mixed.
const manyOthers = 4

// worthSeen is the confidence from which on a charset is worth remembering.
const worthSeen = 0.9
