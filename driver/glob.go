package driver

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/spdscheme/spdserver/auth"
)

// maxWildcards is how many components of a path may have wildcards: each is a directory
// that is open while those below it are.
const maxWildcards = 8

// pattern is a component of a path that may have wildcards, in UTF-8: * is any text, ? any
// character, [a-z] one of these, [!a-z] any other.
type pattern struct {
	head string // before the first wildcard
	glob string // as path.Match has it; "": there are no wildcards
}

// newPattern reads a component. One with a [ that is never closed is a name.
func newPattern(component string) pattern {
	wild := strings.IndexAny(component, "*?[")
	glob := strings.NewReplacer(`\`, `\\`, "[!", "[^").Replace(component)
	if _, err := path.Match(glob, ""); wild < 0 || err != nil {
		return pattern{head: component}
	}
	return pattern{head: component[:wild], glob: glob}
}

func (p pattern) matches(base string) bool {
	if p.glob == "" {
		return base == p.head
	}
	ok, err := path.Match(p.glob, base)
	return ok && err == nil
}

// matches are the entries that a path with wildcards stands for.
type matches struct {
	fixed string // what is before the wildcards, in the client's bytes
	first Entry
	next  func() (Entry, error, bool)
	stop  func()
}

// openPattern finds the first name that a path with wildcards matches. opened is false if
// the path has none, or there is something of that very name.
func (l *Listing) openPattern(n name, wire string) (opened bool, err error) {
	parent, components, err := l.wildcards(n, own(wire))
	if err != nil || len(components) == 0 {
		return false, err
	}
	if l.op.Verb == "MLSD" && len(components) > 1 {
		return false, nil // its names are those of one directory (RFC 3659, 7.2)
	}
	if len(components) > maxWildcards {
		return false, syntax("at most %d directories can be searched at a time", maxWildcards)
	}
	patterns := make([]pattern, len(components))
	for i, c := range components {
		patterns[i] = newPattern(c)
	}
	m, err := l.search(parent, patterns)
	if errors.Is(err, fs.ErrNotExist) && len(components) == 1 {
		m, err = l.searchOtherwise(parent, components[0], path.Base(path.Clean(wire)))
	}
	if err != nil {
		return true, err
	}
	m.fixed = fixed(wire, len(patterns))
	l.matches = m
	return true, nil
}

// search finds the first name that patterns match. None: ErrNotExist.
func (l *Listing) search(dir name, patterns []pattern) (*matches, error) {
	next, stop := iter.Pull2(l.match(dir, "", patterns))
	first, err, ok := next()
	if err == nil && !ok {
		err = os.ErrNotExist
	}
	if err != nil {
		stop()
		return nil, err
	}
	return &matches{first: first, next: next, stop: stop}, nil
}

// searchOtherwise tries what else the client may mean by a pattern that matches nothing in
// its likeliest reading: one or two letters tell little of a charset, and what exists tells
// more.
func (l *Listing) searchOtherwise(dir name, likeliest, wire string) (*matches, error) {
	for _, r := range l.driver.Names.Possible(wire) {
		p := newPattern(r.Text)
		if r.Text == likeliest || p.glob == "" {
			continue
		}
		m, err := l.search(dir, []pattern{p})
		if err == nil { // again, as names may be shown in another charset now
			m.stop()
			l.driver.Names.Confirm(wire, r.Text)
			m, err = l.search(dir, []pattern{p})
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	return nil, os.ErrNotExist
}

// own is how many components of a path the client has named; the working directory's are
// before these.
func own(wire string) int {
	count := 0
	for c := range strings.SplitSeq(path.Clean(wire), "/") {
		if c != "" && c != "." && c != ".." {
			count++
		}
	}
	return count
}

// fixed is a path without its last components.
func fixed(wire string, wild int) string {
	fixed := path.Clean(wire)
	for range wild {
		fixed = path.Dir(fixed)
	}
	return fixed
}

// wildcards parts a path before its first component with wildcards, of the last count, that
// is not a name as it stands. No components: there are no wildcards.
func (l *Listing) wildcards(n name, count int) (parent name, components []string, err error) {
	all := strings.Split(n.path[1:], "/")
	first := max(len(all)-count, 0)
	at := n // the path up to all[i]
	var ups []name
	for range len(all) - first {
		ups = append(ups, at)
		at = at.parent()
	}
	for i := first; i < len(all); i++ {
		if newPattern(all[i]).glob == "" {
			continue
		}
		upTo := ups[len(all)-1-i]
		_, err := l.driver.probe(l.ctx, upTo)
		if errors.Is(err, fs.ErrNotExist) {
			return upTo.parent(), all[i:], nil
		}
		if err != nil {
			return name{}, nil, err
		}
	}
	return name{}, nil, nil
}

// match yields what the first pattern matches in a directory, or what the rest do in the
// directories that it matches. shown is where that is, in the client's bytes.
func (l *Listing) match(dir name, shown string, patterns []pattern) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if l.driver.permit(dir, auth.List) != nil {
			return // as if it were empty
		}
		r := l.driver.read(l.ctx, dir, patterns[0].head)
		defer r.close()
		if err := r.begin(); errors.Is(err, fs.ErrNotExist) {
			return
		}
		for e, err := range l.entries(r) {
			if err != nil {
				yield(e, err)
				return
			}
			if !patterns[0].matches(baseName(dir, e.object)) {
				continue
			}
			e.name = shown + e.name
			if !l.matchBelow(e, patterns[1:], yield) {
				return
			}
		}
	}
}

func (l *Listing) matchBelow(e Entry, patterns []pattern, yield func(Entry, error) bool) bool {
	if len(patterns) == 0 {
		return yield(e, nil)
	}
	if !e.IsDir() {
		return true
	}
	for sub, err := range l.match(l.driver.nameOf(e.object.Key), e.name+"/", patterns) {
		if !yield(sub, err) || err != nil {
			return false
		}
	}
	return true
}

// all yields the first, and those behind it.
func (m *matches) all(yield func(Entry, error) bool) {
	for e, err, ok := m.first, error(nil), true; ok; e, err, ok = m.next() {
		if !yield(e, err) {
			return
		}
	}
}
