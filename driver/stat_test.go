package driver_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

func TestMissingPaths(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("file", "x")
	before := s.objects()
	second := func(_ any, err error) error { return err }
	for _, path := range []string{"missing", "dir/missing", "missing/missing", "file/missing", "fil", "di"} {
		for _, try := range map[string]func() error{
			"DELE": func() error { return s.dele(path) },
			"RMD":  func() error { return s.rmd(path) },
			"RNFR": func() error { return s.rnfr(path) },
			"SIZE": func() error { return second(s.size(path)) },
			"MDTM": func() error { return second(s.mdtm(path)) },
			"MLST": func() error { return second(s.stat("MLST", path)) },
			"STAT": func() error { return second(s.stat("STAT", path)) },
			"CWD":  func() error { return s.cwd(path) },
			"RETR": func() error { return second(s.retr(path)) },
			"REST": func() error { return s.rest(1).stor(path, "x") },
			"LIST": func() error { return second(s.list("LIST", path)) },
			"NLST": func() error { return second(s.list("NLST", path)) },
			"MLSD": func() error { return second(s.list("MLSD", path)) },
			"MFMT": func() error { return s.mfmt(path, someTime()) },
			"HASH": func() error { return second(s.hash(path, driver.MD5, 0, 1)) },
			"XMD5": func() error { return second(s.driver.ComputeHash(s.ctx, "/"+path, driver.MD5, 0, 1)) },
			"RNTO": func() error { return s.rnto(path, "new") },
		} {
			s.mustFail(550, try())
		}
	}
	s.unchanged(before)
}

// A directory is known by its marker, or else by the names below it, though a thousand
// names may sort before those.
func TestNameAmongManyLikeIt(t *testing.T) {
	s := newSession(t)
	for i := range store.PageSize + 1 {
		s.plant(fmt.Sprintf("alice/name-%04d", i), "")
	}
	s.put("name", "file") // only then
	s.must(s.dele("name"))
	s.plant("alice/name/file", "x")
	s.mustFail(550, s.mkd("name"))
	s.mustFail(553, s.stor("name", "x"))
	s.mustFail(553, s.rename("name-0000", "name"))
}

func TestStat(t *testing.T) {
	s := newSession(t)
	s.put("file", "12345")
	s.must(s.mkd("dir"))
	s.plant("alice/implied/f", "x")
	for _, c := range []struct {
		path, name, mode string
		size             int64
	}{
		{"file", "file", "-rw-r--r--", 5},
		{"dir", "dir", "drwxr-xr-x", 0},
		{"implied", "implied", "drwxr-xr-x", 0},
		{"/", "/", "drwxr-xr-x", 0},
	} {
		for _, verb := range []string{"MLST", "STAT", "SIZE", "CWD"} {
			fi, err := s.stat(verb, c.path)
			s.must(err)
			if fi.Name() != c.name || fi.Mode().String() != c.mode || fi.Size() != c.size {
				t.Errorf("%s %s: %s %s %d", verb, c.path, fi.Mode(), fi.Name(), fi.Size())
			}
		}
	}
	fi, err := s.stat("MLST", "file")
	s.must(err)
	if age := time.Since(fi.ModTime()); age < 0 || age > time.Minute {
		t.Errorf("file is %v old", age)
	}
}

// Modes show what the user may do.
func TestReadOnlyModes(t *testing.T) {
	w := newWorld(t)
	w.plant("alice/dir/file", "x")
	s := w.login("alice", func(_ *driver.Deps, u *auth.User) { u.Permissions = auth.ReadOnly })
	for path, want := range map[string]string{"dir": "dr-xr-xr-x", "dir/file": "-r--r--r--"} {
		fi, err := s.stat("MLST", path)
		s.must(err)
		if got := fi.Mode().String(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestChangeToFile(t *testing.T) {
	s := newSession(t)
	s.put("file", "x")
	fi, err := s.stat("CWD", "file")
	s.must(err)
	if fi.IsDir() { // then the server would go there
		t.Error("file is a directory")
	}
}
