package auth

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseNamePatterns reads patterns of file names, separated by commas or lines: "*.pdf, *.xml".
// Each is one of path.Match, for the last element of a path; case does not count.
func ParseNamePatterns(s string) ([]string, error) {
	var patterns []string
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		switch _, err := path.Match(word, ""); {
		case !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl):
			return nil, fmt.Errorf("pattern %q holds control characters or is not UTF-8", word)
		case strings.Contains(word, "/"):
			return nil, fmt.Errorf("pattern %q holds /: it is for the last part of a path", word)
		case err != nil:
			return nil, fmt.Errorf("pattern %q: %w", word, err)
		}
		patterns = append(patterns, word)
	}
	return patterns, nil
}

// FormatNamePatterns writes patterns so that ParseNamePatterns reads them again.
func FormatNamePatterns(patterns []string) string { return strings.Join(patterns, ",") }

// AllowsName tells whether the user may store a file of that name, of which the last
// element counts. DeniedNames win over AllowedNames.
func (u *User) AllowsName(name string) bool {
	name = path.Base(name)
	if matchesAny(u.DeniedNames, name) {
		return false
	}
	return len(u.AllowedNames) == 0 || matchesAny(u.AllowedNames, name)
}

func matchesAny(patterns []string, name string) bool {
	name = strings.ToLower(name)
	for _, p := range patterns {
		if matchElement(strings.ToLower(p), name) {
			return true
		}
	}
	return false
}
