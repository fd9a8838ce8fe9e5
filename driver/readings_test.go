package driver_test

import (
	"slices"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/encoding"
)

// doubtful may be a word in windows-1253, and others in windows-1251 and KOI8-R.
const (
	doubtful = "\xed\xe5\xf2"
	cyrillic = "\xcd\xee\xe2\xe0\xff \xef\xe0\xef\xea\xe0"          // Новая папка in windows-1251
	report   = "\xce\xf2\xf7\xe5\xf2 \xe7\xe0 \xec\xe5\xf1\xff\xf6" // Отчет за месяц
)

// Bytes that may mean two names mean the one that exists.
func TestNameInDoubt(t *testing.T) {
	for _, text := range []string{"νες", "нет", "МЕР"} {
		w := newWorld(t)
		w.plant("alice/"+text, "file")
		s := w.login("alice", nil)
		s.holds(doubtful, "file")
		s.lists(doubtful)
		s.put(doubtful, "again")
		s.must(s.rename(doubtful, "other"))
		if got := s.objects(); len(got) != 1 || got["alice/other"] != "again" {
			t.Errorf("%s: objects %q", text, got)
		}

		w.plant("alice/"+text+"/"+text+"/file", "deep")
		s = w.login("alice", nil)
		s.holds(doubtful+"/"+doubtful+"/file", "deep")
		s.must(s.cwd(doubtful))
		s.isDir(doubtful, "file")
		s.put("new", "x")
		if got := s.objects(); got["alice/"+text+"/new"] != "x" {
			t.Errorf("%s: objects %q", text, got)
		}
	}
}

// A name that exists in no reading is new, and stays what it was made as.
func TestNewNameInDoubt(t *testing.T) {
	s := newSession(t)
	s.roundTrip(doubtful)
	s.put(doubtful, "x")
	s.put(cyrillic, "y")
	s.put(report, "z")
	if name, _ := s.driver.Names.Charset(); name != "windows-1251" {
		t.Fatalf("charset %s", name)
	}
	s.holds(doubtful, "x") // though it would be another name now
	s.lists(doubtful)
	s.must(s.dele(doubtful))
	s.roundTrip(doubtful)
}

// The store is asked about a name in doubt once.
func TestNameInDoubtIsAskedOnce(t *testing.T) {
	w := newWorld(t)
	w.plant("alice/нет", "file")
	s := w.login("alice", nil)
	s.holds(doubtful, "file")
	s.requests.take()
	s.holds(doubtful, "file")
	if seen := s.requests.take(); !slices.Equal(seen, []string{"Open"}) {
		t.Errorf("requests %v", seen)
	}
}

// The working directory is the same whatever the session's charset turns out to be.
func TestWorkingDirectoryOutlivesCharset(t *testing.T) {
	s := newWorld(t).login("alice", func(d *driver.Deps, _ *auth.User) {
		d.Names = encoding.NewDetector(encoding.Hints{Account: "windows-1251"})
	})
	s.must(s.mkd(cyrillic))
	s.must(s.cwd(cyrillic))
	if _, got := s.driver.Site("CHARSET UTF-8"); got != nil {
		t.Fatal(got)
	}
	s.put("имя", "x")
	if got := s.objects(); got["alice/Новая папка/имя"] != "x" {
		t.Errorf("objects %q", got)
	}
	if got := s.driver.Shown(s.dir); got != "/Новая папка" {
		t.Errorf("shown as %q", got)
	}
	s.must(s.cwd(".."))
	s.holds("Новая папка/имя", "x")
}
