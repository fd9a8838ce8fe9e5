package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/unicode/norm"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// The weight of a word that is in the translations once; in a dictionary, 1.
const (
	textWord = 5
	textEast = 2.5 // of East Asia: what follows what is learnt from dictionaries, too
)

// corpus is the words of a language, or of East Asian ones its runs of characters, and how
// much each counts.
type corpus struct {
	language language
	weight   map[string]float64
	kept     *heldOut
}

// heldOut is what is not learnt, to test with.
type heldOut struct {
	on    bool
	lines []string
}

func (h *heldOut) keeps(word string) bool {
	if !h.on {
		return false
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(word)) // never fails
	return sum.Sum32()%20 == 0
}

func (h *heldOut) save(path string) error {
	if !h.on {
		return nil
	}
	slices.Sort(h.lines)
	return os.WriteFile(path, []byte(strings.Join(slices.Compact(h.lines), "\n")+"\n"), 0o600)
}

// read collects the words of a language.
func read(root string, l language, kept *heldOut) (*corpus, error) {
	c := &corpus{l, make(map[string]float64), kept}
	if err := c.readTranslations(root); err != nil {
		return nil, err
	}
	if err := c.readLists(root); err != nil {
		return nil, err
	}
	if len(c.weight) < 1000 {
		return nil, fmt.Errorf("only %d words", len(c.weight))
	}
	return c, nil
}

// readTranslations counts the words of all catalogues. The logarithm keeps the words of
// programmers from drowning the others.
func (c *corpus) readTranslations(root string) error {
	counts := make(map[string]int)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !c.wanted(path) {
			return err
		}
		texts, err := readCatalogue(path)
		for _, text := range texts {
			for _, word := range c.split(clean(text)) {
				counts[word]++
			}
		}
		return err
	})
	weight := float64(textWord)
	if c.language.script == lm.EastAsian {
		weight = textEast
	}
	for word, n := range counts {
		c.add(word, weight*(1+math.Log(float64(n))))
	}
	return err
}

// wanted tells whether path is a catalogue to learn this language from.
func (c *corpus) wanted(path string) bool {
	dir, file := filepath.Split(path)
	if filepath.Ext(file) != ".mo" || file == "svt.mo" {
		return false
	}
	locale := filepath.Base(filepath.Dir(filepath.Clean(dir)))
	if !slices.Contains(c.language.locales, locale) {
		return false
	}
	return slices.ContainsFunc(translations, func(t string) bool { return file == t || strings.Contains(dir, "/"+t+"/") })
}

// markup is what programs put into their texts.
var markup = regexp.MustCompile(`<[^<>]*>|%[-+ #0]*\d*\$?[\d.]*[a-zA-Z%]|%\{?[A-Z_a-z0-9]+\}?|\$\{?\(?[A-Za-z0-9_]+\)?\}?|&[a-z]+;|https?:\S+|\S+@\S+|\(_?[~&_]?[A-Z]\)`)

func clean(text string) string {
	text = markup.ReplaceAllString(text, " ")
	return strings.NewReplacer("~", "", "_", "", "&", "").Replace(norm.NFC.String(text))
}

// split returns the words of text.
func (c *corpus) split(text string) []string {
	script := c.language.script
	chinese := strings.HasPrefix(c.language.name, "zh")
	return strings.FieldsFunc(text, func(r rune) bool {
		return lm.ScriptOf(r) != script || chinese && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo)
	})
}

func (c *corpus) add(word string, weight float64) {
	if word == "" {
		return
	}
	if c.kept.keeps(word) {
		c.kept.lines = append(c.kept.lines, c.language.name+"\t"+word)
		return
	}
	if c.language.script != lm.EastAsian {
		word = strings.Map(lm.Fold, word)
	}
	c.weight[word] += weight
}

// readLists adds the dictionaries. One that lists all forms of all words would drown the
// texts: of alphabets, they weigh no more than these, all in all.
func (c *corpus) readLists(root string) error {
	texts := c.weight
	c.weight = make(map[string]float64)
	for _, list := range c.language.lists {
		if err := c.readList(root, list); err != nil {
			return err
		}
	}
	share := 1.0
	if c.language.script != lm.EastAsian {
		share = min(share, sum(texts)/sum(c.weight))
	}
	for word, weight := range c.weight {
		texts[word] += share * weight
	}
	c.weight = texts
	return nil
}

// sum adds up weights, always in the same order.
func sum(weight map[string]float64) (all float64) {
	for _, word := range sortedKeys(weight) {
		all += weight[word]
	}
	return all
}

func (c *corpus) readList(root string, l list) error {
	path := filepath.Join(root, l.path)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch l.format {
	case hunspell:
		data, err = decodeHunspell(path, data)
	case mecab:
		data, err = japanese.EUCJP.NewDecoder().Bytes(data)
	}
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 0; lines.Scan(); number++ {
		word, weight := l.format.parse(number, lines.Text())
		for _, part := range c.split(norm.NFC.String(word)) {
			c.add(part, weight)
		}
	}
	return lines.Err()
}

// parse returns the word of a line, "" for none.
func (f format) parse(number int, line string) (word string, weight float64) {
	switch f {
	case hunspell:
		if number == 0 {
			return "", 0
		}
		word, _, _ = strings.Cut(line, "/")
		word, _, _ = strings.Cut(word, "\t")
		return word, 1
	case jieba:
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] == "ns" { // names of places
			return "", 0
		}
		return fields[0], byFrequency(fields[1])
	case frequency:
		word, n, _ := strings.Cut(line, "\t")
		return word, byFrequency(n)
	case mecab:
		fields := strings.SplitN(line, ",", 5)
		if len(fields) < 5 {
			return "", 0
		}
		return fields[0], byCost(fields[3])
	default:
		return strings.TrimSuffix(line, "'s"), 1
	}
}

func byFrequency(n string) float64 {
	f, err := strconv.ParseFloat(n, 64)
	if err != nil || f < 1 {
		return 1
	}
	return 1 + math.Log(f)
}

// byCost is byFrequency for what mecab makes of it: it costs 700 more to be e times rarer.
func byCost(cost string) float64 {
	const rare, mecabNat = 7000, 700
	c, err := strconv.Atoi(cost)
	if err != nil {
		return 1
	}
	return 1 + min(max(0, rare-float64(c))/mecabNat, 10)
}

// decodeHunspell brings a dictionary into UTF-8.
func decodeHunspell(path string, data []byte) ([]byte, error) {
	affixes, err := os.ReadFile(strings.TrimSuffix(path, ".dic") + ".aff")
	if err != nil {
		return nil, err
	}
	line := regexp.MustCompile(`(?m)^\s*SET\s+(\S+)`).FindSubmatch(bytes.TrimPrefix(affixes, []byte("\ufeff")))
	if line == nil {
		return nil, errors.New(path + ": no charset")
	}
	name := strings.Replace(string(line[1]), "ISO8859", "ISO-8859", 1)
	set, err := ianaindex.IANA.Encoding(name)
	if err != nil || set == nil {
		return nil, fmt.Errorf("%s: charset %q: %w", path, name, err)
	}
	return set.NewDecoder().Bytes(data)
}
