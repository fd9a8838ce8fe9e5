package auth

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPathRules is how many path rules an account can have, with those of its groups.
const MaxPathRules = 1000

// PathRule changes the permissions in a part of an account's tree.
type PathRule struct {
	// Pattern is absolute: "/in", "/in/*", "/**/.git". Each element is a pattern of
	// path.Match, case counts; "**" is any number of elements. It holds for what it
	// matches and for everything below.
	Pattern     string
	Permissions *Permissions // nil: unchanged
	Hidden      bool         // not listed, and "not found" when named
}

// ParsePathPattern reads a pattern of a path rule.
func ParsePathPattern(s string) (string, error) {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("pattern %q holds control characters or is not UTF-8", s)
	case !strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("pattern %q does not begin with /", s)
	case s == "/":
		return s, nil
	}
	s = strings.TrimSuffix(s, "/")
	for element := range strings.SplitSeq(s[1:], "/") {
		if element == "" || element == "." || element == ".." {
			return "", fmt.Errorf("pattern %q holds // or . or .. as a name", s)
		}
		if _, err := path.Match(element, ""); err != nil {
			return "", fmt.Errorf("pattern %q: %w", s, err)
		}
	}
	return s, nil
}

// Matches tells whether the rule holds for a path, which is absolute and clean.
func (r PathRule) Matches(name string) bool {
	return matchElements(elements(r.Pattern), elements(name))
}

func elements(name string) []string {
	if name = strings.Trim(name, "/"); name != "" {
		return strings.Split(name, "/")
	}
	return nil
}

// matchElements tells whether the pattern matches names or a beginning of them. Its time
// grows with the product of both lengths: of several "**", only the last one met is ever
// tried again.
func matchElements(pattern, names []string) bool {
	again, from := -1, 0 // the pattern after the last "**", and the name it was tried at
	i, j := 0, 0
	for i < len(pattern) {
		if pattern[i] == "**" {
			i++
			again, from = i, j
			continue
		}
		if j < len(names) && matchElement(pattern[i], names[j]) {
			i, j = i+1, j+1
			continue
		}
		if again < 0 || from >= len(names) {
			return false
		}
		from++
		i, j = again, from
	}
	return true
}

// matchElement is false for a pattern that ParsePathPattern would refuse.
func matchElement(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// At tells what the user may do at a path (absolute and clean), and whether it is hidden
// from him. Of the path rules that match, the most specific one that has permissions
// decides them: the one with the longest pattern, and of those the last by text. A path is
// hidden if any rule that matches says so.
func (u *User) At(name string) (permissions Permissions, hidden bool) {
	permissions, best := u.Permissions, ""
	for _, rule := range u.Paths {
		if !rule.Matches(name) {
			continue
		}
		hidden = hidden || rule.Hidden
		if rule.Permissions != nil && moreSpecific(rule.Pattern, best) {
			permissions, best = *rule.Permissions, rule.Pattern
		}
	}
	return permissions, hidden
}

func moreSpecific(pattern, than string) bool {
	if len(pattern) != len(than) {
		return len(pattern) > len(than)
	}
	return pattern > than
}
