package server

import (
	"strconv"
	"strings"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

// facts is a set of what MLST and MLSD tell about an entry (RFC 3659, 7.5).
type facts uint8

const (
	factType facts = 1 << iota
	factPerm
	factSize
	factModify
	factUnique
	factMode
	allFacts facts = 1<<iota - 1
)

// factNames are in the order of the bits, which is that of all replies. Their case does not
// matter (RFC 3659, 7.2), but to simple clients, who know them as most servers write them.
func factNames() []string {
	return []string{"type", "perm", "size", "modify", "unique", "UNIX.mode"}
}

// factsNamed reads the argument of OPTS MLST, "type;size;". Facts that are not known are
// left out (RFC 3659, 7.9).
func factsNamed(list string) (selected facts) {
	for word := range strings.SplitSeq(list, ";") {
		for i, name := range factNames() {
			if strings.EqualFold(strings.TrimSpace(word), name) {
				selected |= 1 << i
			}
		}
	}
	return selected
}

// String is what OPTS MLST answers: each fact with a semicolon behind.
func (f facts) String() string {
	var b strings.Builder
	for i, name := range factNames() {
		if f&(1<<i) != 0 {
			b.WriteString(name + ";")
		}
	}
	return b.String()
}

// selectedFacts are those that the client wants: all, unless it has said otherwise.
func (s *session) selectedFacts() facts { return allFacts &^ s.hidden }

// factsFeature is MLST's line in FEAT: selected facts have a star (RFC 3659, 7.8).
func (s *session) factsFeature() string {
	var b strings.Builder
	b.WriteString("MLST ")
	for i, name := range factNames() {
		b.WriteString(name)
		if s.selectedFacts()&(1<<i) != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// optsMLST selects the facts of MLST and MLSD.
func (s *session) optsMLST(list string) {
	selected := factsNamed(list)
	if selected == 0 && list != "" && !strings.Contains(list, ";") {
		s.reply("501 OPTS MLST needs facts, each with a semicolon behind")
		return
	}
	s.hidden = allFacts &^ selected
	s.reply("%s", strings.TrimSuffix("200 MLST OPTS "+selected.String(), " "))
}

// doMlst tells the facts of one path (RFC 3659, 7.2). It shows the path from the root, which
// the client may use as it is.
func (s *session) doMlst(c command) {
	if !s.loggedIn() {
		return
	}
	entry, err := s.files.Lookup(c.verb, c.arg)
	if err != nil {
		s.replyError(err)
		return
	}
	path := s.absolute(c.arg)
	w := newFactsWriter(s.selectedFacts(), s.account.Permissions)
	if path == "/" {
		w.dirPerm = w.homePerm
	}
	// In one write; no path has a line end in it.
	s.replyAsIs("250-Listing\r\n " + string(w.append(nil, entry)) + " " + path + "\r\n250 End")
}

// factsWriter writes the facts of entries, for MLST and for MLSD.
type factsWriter struct {
	facts             facts
	names             []string // of all facts
	may               auth.Permissions
	filePerm, dirPerm string
	homePerm          string // of the directory that cannot be removed or renamed
}

func newFactsWriter(f facts, may auth.Permissions) *factsWriter {
	dir := perm(may, []right{{'c', auth.Upload}, {'d', auth.Rmdir}, {'e', 0}, {'f', auth.Rename},
		{'l', auth.List}, {'m', auth.Mkdir}, {'p', auth.Delete}})
	return &factsWriter{
		facts: f, names: factNames(), may: may,
		filePerm: perm(may, []right{{'a', auth.Append}, {'d', auth.Delete}, {'f', auth.Rename},
			{'r', auth.Download}, {'w', auth.Overwrite}}),
		dirPerm:  dir,
		homePerm: strings.NewReplacer("d", "", "f", "").Replace(dir),
	}
}

// right is a letter of the fact Perm (RFC 3659, 7.5.5), and what a user needs for it.
type right struct {
	letter byte
	needs  auth.Permissions
}

func perm(may auth.Permissions, rights []right) string {
	var letters []byte
	for _, r := range rights {
		if may.Has(r.needs) {
			letters = append(letters, r.letter)
		}
	}
	return string(letters)
}

// append writes the facts of an entry, each with a semicolon behind. What is not known is
// left out.
func (w *factsWriter) append(b []byte, e driver.Entry) []byte {
	if may := e.May(); may != w.may { // other than in the directory
		*w = *newFactsWriter(w.facts, may)
	}
	for i, name := range w.names {
		f := facts(1 << i)
		if w.facts&f == 0 || f == factSize && e.IsDir() || f == factModify && !e.Timed() {
			continue
		}
		b = append(b, name...)
		b = append(b, '=')
		b = w.appendValue(b, f, e)
		b = append(b, ';')
	}
	return b
}

func (w *factsWriter) appendValue(b []byte, f facts, e driver.Entry) []byte {
	kind, perm := "file", w.filePerm
	if e.IsDir() {
		kind, perm = "dir", w.dirPerm
	}
	switch f {
	case factType:
		return append(b, kind...)
	case factSize:
		return strconv.AppendInt(b, e.Size(), 10)
	case factModify:
		return e.ModTime().UTC().AppendFormat(b, "20060102150405") // RFC 3659, 2.3
	case factPerm:
		return append(b, perm...)
	case factUnique:
		return strconv.AppendUint(b, e.Unique(), 16)
	case factMode:
		return strconv.AppendUint(append(b, '0'), uint64(e.Mode().Perm()), 8)
	}
	return b
}
