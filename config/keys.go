package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one key and the field of a Config that it sets.
type setting struct {
	key   string // "ftp.listen"
	field reflect.Value
}

// settings lists the keys of c in the order of its fields.
func settings(c *Config) []setting {
	var all []setting
	sections := reflect.ValueOf(c).Elem()
	for i := range sections.NumField() {
		section, name := sections.Field(i), tag(sections.Type().Field(i))
		for j := range section.NumField() {
			key := name + "." + tag(section.Type().Field(j))
			all = append(all, setting{key, section.Field(j)})
		}
	}
	return all
}

func tag(f reflect.StructField) string { return f.Tag.Get("koanf") }

// set reads text as what the field is. The error says what to write instead, and holds
// no text of a Secret: one never fails.
func (s setting) set(text string) error {
	switch v := s.field.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return v.UnmarshalText([]byte(text))
	case *string:
		*v = text
		return nil
	case *bool:
		return setBool(v, text)
	case *int:
		return setInt(v, text)
	case *time.Duration:
		return setDuration(v, text)
	default:
		return fmt.Errorf("settings of type %s are not supported", s.field.Type())
	}
}

func setBool(v *bool, text string) error {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		*v = true
	case "false", "no", "off", "0":
		*v = false
	default:
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

func setInt(v *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is no whole number", text)
	}
	*v = n
	return nil
}

func setDuration(v *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration: write a number and a unit, as in 30s, 5m or 1h30m", text)
	}
	*v = d
	return nil
}

// unknown says that there is no such key, and which one may have been meant.
func unknown(key string, all []setting) string {
	best, distance := "", len(key)/3+1 // farther than that is no typing error
	for _, s := range all {
		if d := editDistance(key, s.key); d < distance {
			best, distance = s.key, d
		}
	}
	if best == "" {
		best = elsewhere(key, all)
	}
	switch {
	case best != "":
		return fmt.Sprintf("no such key: did you mean %s?", best)
	case !strings.Contains(key, "."):
		return "no such section: there are " + strings.Join(sections(all), ", ")
	default:
		return "no such key: remove it, or see docs/configuration.md"
	}
}

// sections lists the first words of the keys.
func sections(all []setting) []string {
	var names []string
	for _, s := range all {
		name, _, _ := strings.Cut(s.key, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// elsewhere finds a key of the same name in another section.
func elsewhere(key string, all []setting) string {
	name := key[strings.Index(key, ".")+1:]
	for _, s := range all {
		if strings.HasSuffix(s.key, "."+name) {
			return s.key
		}
	}
	return ""
}

// editDistance is Levenshtein's: how many bytes to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
