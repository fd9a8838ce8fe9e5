package encoding

import (
	_ "embed" // for the models
	"sync"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

//go:generate go run ./internal/train -o models.bin

// modelData is what internal/train has made.
//
//go:embed models.bin
var modelData string

// candidates returns the charsets that names may be in, with the models to judge them.
// The first call loads them; later ones return the same.
//
//nolint:gochecknoglobals // constant once loaded
var candidates = sync.OnceValue(func() []candidate {
	models, err := lm.Load(modelData)
	if err != nil {
		panic(err) // models.bin is part of the program, and a test loads it
	}
	all := make([]candidate, 0, len(expected))
	for _, e := range expected {
		codec, err := Lookup(e.charset)
		if err != nil {
			panic(err) // a test calls this
		}
		all = append(all, candidate{codec, e.prior, models.Languages(e.languages...), e.languages})
	}
	return all
})

// candidate is a charset that names may be in.
type candidate struct {
	codec     Codec
	prior     lm.Cost // how rare its names are
	models    *lm.Languages
	languages []string
}

// expected lists the charsets that clients are known to use without saying so, the
// languages they are used for, and how much rarer than UTF-8 they are. Close relations stand
// together: what both read alike is judged once. Charsets of few languages get a little less:
// the best of many languages has better chances.
//
//nolint:gochecknoglobals // constant
var expected = []struct {
	charset   string
	prior     lm.Cost
	languages []string
}{
	{"UTF-8", 0, nil}, // all languages
	{"GBK", 11 * lm.Nat / 2, []string{"zh-CN"}},
	{"GB18030", 15 * lm.Nat / 2, []string{"zh-CN"}},
	{"Big5", 7 * lm.Nat, []string{"zh-TW"}},
	{"Shift_JIS", 13 * lm.Nat / 2, []string{"ja"}},
	{"EUC-JP", 29 * lm.Nat / 4, []string{"ja"}},
	{"EUC-KR", 23 * lm.Nat / 4, []string{"ko"}},
	{"windows-1250", 13 * lm.Nat / 2, []string{"pl", "cs", "sk", "sl", "hu", "ro", "hr", "de"}},
	{"ISO-8859-2", 27 * lm.Nat / 4, []string{"pl", "cs", "sk", "sl", "hu", "ro", "hr"}},
	{"windows-1251", 19 * lm.Nat / 4, []string{"ru", "uk", "bg"}},
	{"KOI8-R", 4 * lm.Nat, []string{"ru"}},
	{"KOI8-U", 17 * lm.Nat / 4, []string{"ru", "uk"}},
	{"IBM866", 11 * lm.Nat / 2, []string{"ru", "bg"}},
	{"windows-1252", 21 * lm.Nat / 4, []string{"en", "de", "fr", "es", "pt", "it", "sv", "da", "nb", "fi", "nl"}},
	{"ISO-8859-15", 27 * lm.Nat / 4, []string{"de", "fr", "fi", "et", "es", "it", "nl"}},
	{"windows-1253", 23 * lm.Nat / 4, []string{"el"}},
	{"windows-1254", 3 * lm.Nat, []string{"tr"}},
	{"windows-1255", 17 * lm.Nat / 4, []string{"he"}},
	{"windows-1256", 23 * lm.Nat / 4, []string{"ar", "fa"}},
	{"windows-1257", 17 * lm.Nat / 4, []string{"lt", "lv", "et"}},
	{"windows-874", 17 * lm.Nat / 4, []string{"th"}},
}
