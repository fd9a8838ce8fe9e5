package encoding

import (
	"github.com/saintfish/chardet"
)

// How sure a decision is, from 0 to 1.
const (
	guessedUTF8 = 0.95 // valid UTF-8 happens by chance to some short names in GBK
	guessedHint = 0.5
	// What chardet's confidence must reach. It was made for pages, not names: with a hint at
	// hand it is listened to only when it is sure; without one, even a vague opinion is
	// right more often than not.
	sureGuess  = 0.7
	vagueGuess = 0.1
)

// guess returns the charset that wire most looks like, and the confidence in that; 0 if
// it looks like none. wire is not UTF-8.
func guess(wire string) (best Codec, confidence float64) {
	found, err := chardet.NewTextDetector().DetectAll([]byte(wire))
	if err != nil {
		return Codec{}, 0
	}
	for _, f := range found {
		c, err := Lookup(f.Charset)
		sure := min(float64(f.Confidence)/100, guessedUTF8)
		if err != nil || c == (Codec{unicodeSet{}}) || !c.Valid(wire) {
			continue
		}
		// chardet leaves equals in random order.
		if sure > confidence || (sure == confidence && c.Name() < best.Name()) {
			best, confidence = c, sure
		}
	}
	return best, confidence
}
