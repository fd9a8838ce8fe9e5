// Command train makes the language models of package encoding.
//
// It fetches translations and word lists from Debian 12 (see sources.go for what, which
// versions and under which licences), counts letters, and writes models.bin. The same
// packages give the same bytes. It needs apt-get, dpkg-deb and some minutes:
//
//	go generate ./encoding
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// maxSize is how large the models may be, in bytes.
const maxSize = 2_000_000

func main() {
	cache := flag.String("cache", "", "directory for packages, kept from one run to the next (default: a temporary one)")
	out := flag.String("o", "models.bin", "file to write")
	any := flag.Bool("any-version", false, "take what versions of the packages there are")
	holdout := flag.String("holdout", "", "write one word in twenty to this file instead of learning it, to test with")
	flag.Parse()
	if err := run(*cache, *out, *holdout, *any); err != nil {
		log.Fatal(err)
	}
}

func run(cache, out, holdout string, anyVersion bool) error {
	if cache == "" {
		dir, err := os.MkdirTemp("", "train")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // what is left is in the temporary directory
		cache = dir
	}
	root, err := fetch(cache, anyVersion)
	if err != nil {
		return err
	}
	kept := &heldOut{on: holdout != ""}
	models, err := train(root, kept)
	if err != nil {
		return err
	}
	if len(models) > maxSize {
		return fmt.Errorf("models of %d bytes are too large", len(models))
	}
	log.Printf("%d bytes of models", len(models))
	return errors.Join(kept.save(holdout), os.WriteFile(out, []byte(models), 0o644)) //nolint:gosec // to be read by all
}

// train makes all models from the unpacked packages.
func train(root string, kept *heldOut) (string, error) {
	var alphabets []*lm.Alphabet
	var ideograms []*lm.Ideograms
	for _, l := range languages {
		c, err := read(root, l, kept)
		if err != nil {
			return "", fmt.Errorf("%s: %w", l.name, err)
		}
		if l.script == lm.EastAsian {
			m, report := makeIdeograms(l, c)
			ideograms = append(ideograms, m)
			log.Print(report)
		} else {
			m, report := makeAlphabet(l, c)
			alphabets = append(alphabets, m)
			log.Print(report)
		}
	}
	return lm.Save(alphabets, ideograms), nil
}
