// Package lm tells how likely a file name is in a language.
//
// There is one small model for each language, made by ../train: for alphabets, how often a
// letter follows two others, and some whole words; for Chinese, Japanese and Korean, how
// often a character follows another. What languages have in common (digits, punctuation,
// capitals, words of ASCII) is judged by rules in this package. All costs are on one scale, so that readings
// of the same bytes in different charsets, and so in different languages, can be compared.
package lm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Cost is how unlikely something is: the negative logarithm of its probability, in
// sixteenths of a nat. Whole numbers make results the same on every machine.
type Cost int32

// Nat is the cost of what has a probability of 1/e.
const Nat Cost = nat

// nat is Nat for constants with a fraction.
const nat = 16

// Set is all models. It never changes after Load and may be used concurrently.
type Set struct {
	alphabets []*Alphabet
	ideograms []*Ideograms
	ascii     *Alphabet // judges words of ASCII in every language
	letters   *letters
}

// kinds of models in a file.
const (
	alphabetModel   = "alphabet"
	ideogramsModel  = "ideograms"
	languageOfASCII = "en"
)

// Load reads what Save has written. The models go on using data.
func Load(data string) (*Set, error) {
	s := &Set{}
	in := reader{rest: data}
	for in.rest != "" && in.err == nil {
		switch kind := in.field(); kind {
		case alphabetModel:
			s.alphabets = append(s.alphabets, readAlphabet(&in))
		case ideogramsModel:
			s.ideograms = append(s.ideograms, readIdeograms(&in))
		default:
			return nil, fmt.Errorf("language models: unknown kind %q", kind)
		}
	}
	if in.err != nil {
		return nil, fmt.Errorf("language models: %w", in.err)
	}
	s.letters = newLetters()
	for _, a := range s.alphabets {
		a.bind(s.letters)
		if a.language == languageOfASCII {
			s.ascii = a
		}
	}
	if s.ascii == nil {
		return nil, errors.New("language models: there is none of English")
	}
	return s, nil
}

// Save writes models for Load.
func Save(alphabets []*Alphabet, ideograms []*Ideograms) string {
	var out writer
	for _, a := range alphabets {
		out.field(alphabetModel)
		a.write(&out)
	}
	for _, i := range ideograms {
		out.field(ideogramsModel)
		i.write(&out)
	}
	return out.String()
}

// Languages are some models of a Set.
type Languages struct {
	set       *Set
	alphabets []*Alphabet
	ideograms []*Ideograms
}

// Languages returns the models of languages by name ("de", "zh-CN"); without names, all.
func (s *Set) Languages(names ...string) *Languages {
	if len(names) == 0 {
		return &Languages{s, s.alphabets, s.ideograms}
	}
	l := &Languages{set: s}
	for _, a := range s.alphabets {
		if slices.Contains(names, a.language) {
			l.alphabets = append(l.alphabets, a)
		}
	}
	for _, i := range s.ideograms {
		if slices.Contains(names, i.language) {
			l.ideograms = append(l.ideograms, i)
		}
	}
	return l
}

// Judge returns what n costs in the language that fits best, and that language; "" if n
// has no letters of theirs. What costs more than limit is not looked at closely, and said to
// cost limit.
func (l *Languages) Judge(n *Name, limit Cost) (best Cost, language string) {
	n.prepare(l.set)
	best = limit - n.shared
	if best <= 0 {
		return limit, ""
	}
	for _, a := range l.alphabets {
		if n.scripts&a.script == 0 {
			continue
		}
		if c := a.judge(n, best); c < best {
			best, language = c, a.language
		}
	}
	for _, i := range l.ideograms {
		if n.scripts&EastAsian == 0 {
			continue
		}
		if c := i.judge(n, best); c < best {
			best, language = c, i.language
		}
	}
	if language == "" {
		c := l.set.ascii.judge(n, best)
		if n.scripts&^Latin != 0 {
			c += stray
		}
		best = min(best, c)
	}
	return best + n.shared, language
}

// stray is the cost of a name in a script of none of the languages: the charsets of East
// Asia have Greek and Cyrillic letters that hardly anybody uses.
const stray = 4 * Nat

// reader splits a file into its fields: three bytes of length, then the field.
type reader struct {
	rest string
	err  error
}

func (in *reader) field() string {
	if len(in.rest) < 3 {
		in.err, in.rest = errors.New("cut off"), ""
		return ""
	}
	n := int(in.rest[0])<<16 | int(in.rest[1])<<8 | int(in.rest[2])
	if len(in.rest) < 3+n {
		in.err, in.rest = errors.New("cut off"), ""
		return ""
	}
	field := in.rest[3 : 3+n]
	in.rest = in.rest[3+n:]
	return field
}

type writer struct{ strings.Builder }

func (out *writer) field(s string) {
	n := len(s)
	out.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n)})
	out.WriteString(s)
}
