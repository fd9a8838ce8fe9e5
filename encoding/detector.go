package encoding

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// Hints are charsets that somebody has set. Names that Lookup does not know count as not
// given: whoever reads them from a configuration should check them there.
type Hints struct {
	Account string // the account's charset: it holds, whatever the bytes look like
	Server  string // used in doubt: one charset or several, best first, with commas between
}

// Detector is what one session believes about its charset, and translates names by it.
//
// A name of ASCII says nothing, so the first other one decides: UTF-8 if it is valid
// UTF-8, else what its bytes look like, else the server's hint, else nothing yet. What
// has been decided holds for the session until a name makes no sense in it. Until
// something is decided, names are shown in the server's hint or in UTF-8.
//
// A Detector may be used concurrently.
type Detector struct {
	doubt []Codec // the server's hints

	mu         sync.Mutex
	codec      Codec
	confidence float64 // 0: not decided, 1: set
}

// NewDetector returns the Detector of a new session.
func NewDetector(h Hints) *Detector {
	d := &Detector{}
	for name := range strings.SplitSeq(h.Server, ",") {
		if c, err := Lookup(name); err == nil {
			d.doubt = append(d.doubt, c)
		}
	}
	if len(d.doubt) > 0 {
		d.codec = d.doubt[0]
	}
	if c, err := Lookup(h.Account); err == nil {
		d.codec, d.confidence = c, certain
	}
	return d
}

// certain is the confidence in a charset that somebody has set.
const certain = 1

// Decode returns the text that the client means by wire, as valid UTF-8. See Codec.Decode.
func (d *Detector) Decode(wire string) string {
	if plain(wire) {
		return wire
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.doubtful(wire) {
		d.decide(wire)
	}
	return d.codec.Decode(wire)
}

// doubtful tells whether wire is reason to think again.
func (d *Detector) doubtful(wire string) bool {
	switch {
	case d.confidence == certain || ascii(wire):
		return false
	case d.confidence == 0:
		return true
	default:
		return !d.codec.Valid(wire)
	}
}

// decide finds the charset of wire. If there is none, the old one stays.
func (d *Detector) decide(wire string) {
	if utf8.ValidString(wire) {
		d.codec, d.confidence = Codec{}, guessedUTF8
		return
	}
	c, confidence := guess(wire)
	if confidence < sureGuess {
		if hint, ok := d.hint(wire); ok {
			c, confidence = hint, guessedHint
		}
	}
	if confidence >= vagueGuess {
		d.codec, d.confidence = c, confidence
	}
}

// hint returns the first of the server's hints in which wire makes sense.
func (d *Detector) hint(wire string) (c Codec, ok bool) {
	for _, c := range d.doubt {
		if c.Valid(wire) {
			return c, true
		}
	}
	return Codec{}, false
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
	return d.codec.Name(), d.confidence
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
	d.codec, d.confidence = c, certain
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
