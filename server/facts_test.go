package server

import (
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
)

func TestFactsNamed(t *testing.T) {
	for list, want := range map[string]string{
		"":                         "",
		";":                        "",
		"type;size;":               "type;size;",
		"SIZE;TYPE":                "type;size;",
		"unix.mode;Modify;create;": "modify;UNIX.mode;",
		" size ; perm":             "perm;size;",
		"Type;Size;Modify;Perm;Unique;UNIX.mode;": "type;perm;size;modify;unique;UNIX.mode;",
		"nothing;known":     "",
		"size\x00;type\r\n": "type;",
	} {
		if got := factsNamed(list).String(); got != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

func TestFactsFeature(t *testing.T) {
	s := &session{}
	for hidden, want := range map[facts]string{
		0:                   "MLST type*;perm*;size*;modify*;unique*;UNIX.mode*;",
		factSize | factMode: "MLST type*;perm*;size;modify*;unique*;UNIX.mode;",
		allFacts:            "MLST type;perm;size;modify;unique;UNIX.mode;",
	} {
		if s.hidden = hidden; s.factsFeature() != want {
			t.Errorf("%v hidden: %q, want %q", hidden, s.factsFeature(), want)
		}
	}
}

func TestPerm(t *testing.T) {
	for may, want := range map[auth.Permissions][3]string{
		auth.ReadWrite:                        {"adfrw", "cdeflmp", "celmp"},
		auth.ReadOnly:                         {"r", "el", "el"},
		auth.UploadOnly:                       {"", "cem", "cem"},
		auth.List | auth.Rename | auth.Delete: {"df", "eflp", "elp"},
	} {
		w := newFactsWriter(allFacts, may)
		if got := [3]string{w.filePerm, w.dirPerm, w.homePerm}; got != want {
			t.Errorf("%v: %q, want %q", may, got, want)
		}
	}
}

func FuzzFacts(f *testing.F) {
	for _, seed := range []string{"", "type;size;", "UNIX.mode", ";;;", "modify;\xff;unique"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		selected := factsNamed(list)
		if selected&^allFacts != 0 || factsNamed(selected.String()) != selected {
			t.Errorf("%q selects %b", list, selected)
		}
		if strings.Count(selected.String(), ";") > len(factNames()) {
			t.Errorf("%q selects %s", list, selected)
		}
	})
}
