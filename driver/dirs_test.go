package driver_test

import (
	"errors"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

func TestMkdir(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.must(s.mkd("dir/sub"))
	s.put("file", "x")
	s.plant("alice/implied/file", "x")
	before := s.objects()

	for _, c := range []struct {
		path string
		code int
	}{
		{"dir", 550}, {"dir/sub", 550}, {"file", 550}, {"implied", 550}, {"/", 550},
		{"missing/dir", 550}, {"file/dir", 550},
	} {
		s.mustFail(c.code, s.mkd(c.path))
	}
	s.unchanged(before)
	s.isDir("/", "dir/", "file", "implied/")
	s.isDir("dir", "sub/")
	s.isDir("dir/sub")
}

func TestRemoveDir(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.must(s.mkd("dir/sub"))
	s.put("file", "x")
	s.plant("alice/implied/file", "x")
	before := s.objects()

	for _, path := range []string{"dir", "file", "implied", "missing", "dir/missing", "file/sub", "/"} {
		s.mustFail(550, s.rmd(path))
	}
	s.unchanged(before)

	s.must(s.rmd("dir/sub"))
	s.isDir("dir")
	s.must(s.rmd("dir"))
	s.missing("dir")
	s.mustFail(550, s.rmd("dir"))
	s.mustFail(553, s.stor("dir/file", "x"))
	s.isDir("/", "file", "implied/")
}

// Other programs store files without markers for their directories. Such a directory
// stays when the last thing in it goes, whichever way it goes.
func TestDirectoryOutlivesItsLastEntry(t *testing.T) {
	for _, c := range []struct {
		name, key string
		leave     func(*session) error
	}{
		{"DELE", "alice/dir/f", func(s *session) error { return s.dele("dir/f") }},
		{"RMD", "alice/dir/sub/", func(s *session) error { return s.rmd("dir/sub") }},
		{"rename file", "alice/dir/f", func(s *session) error { return s.rename("dir/f", "f") }},
		{"rename directory", "alice/dir/sub/f", func(s *session) error { return s.rename("dir/sub", "sub") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t)
			s.plant(c.key, "")
			s.must(c.leave(s))
			s.isDir("dir")
			s.must(s.cwd("dir"))
			s.must(s.rmd("/dir"))
			s.missing("/dir")
		})
	}
}

// The parent of an implied directory is implied, too.
func TestNestedImpliedDirectories(t *testing.T) {
	s := newSession(t)
	s.plant("alice/a/b/c/f", "x")
	s.must(s.cwd("a/b/c"))
	s.must(s.dele("f"))
	s.isDir("/a/b/c")
	s.must(s.rmd("/a/b/c"))
	s.isDir("/a/b")
	s.must(s.rmd("/a/b"))
	s.isDir("/a")
	s.isDir("/", "a/")
}

func TestHomeAlwaysExists(t *testing.T) {
	w := newWorld(t)
	for name, prefix := range map[string]string{"deep": "users/deep/", "all": ""} {
		s := w.login(name, func(_ *driver.Deps, u *auth.User) { u.Prefix = prefix })
		s.must(s.cwd("/"))
		s.must(s.cwd(".."))
		s.isDir("/")
		if _, err := s.stat("AVBL", "/"); err != nil {
			t.Error(err)
		}
		s.mustFail(550, s.rmd("/"))
		s.mustFail(550, s.dele("/"))
		s.mustFail(553, s.rename("/", "new"))
		s.mustFail(553, s.stor("/", "x"))
		s.mustFail(553, s.appe("/", "x"))
		_, err := s.retr("/")
		s.mustFail(550, err)
		s.put("file", "x")
		s.mustFail(553, s.rename("file", "/"))
		s.must(s.dele("file"))
		s.isDir("/")
		s.unchanged(map[string]string{})
	}
}

func TestStoreAwayMeansTryAgain(t *testing.T) {
	s := newSession(t)
	s.plant("alice/dir/file", "x")
	away := store.Unavailable(errors.New("connection refused"))
	s.fail("List", "", away)
	s.mustFail(451, s.mkd("new"))
	s.mustFail(451, s.rmd("dir"))
	s.mustFail(451, s.stor("dir/new", "x"))
	s.mustFail(451, s.cwd("dir"))
	_, err := s.list("LIST", "dir")
	s.mustFail(451, err)
	s.fail("Put", "", away)
	s.mustFail(451, s.mkd("new"))
	s.mustFail(451, s.dele("dir/file")) // dir would vanish
	s.plant("alice/implied/sub/", "")
	s.mustFail(451, s.rmd("implied/sub"))
	s.isDir("implied", "sub/")
	s.fail("Delete", "", away)
	s.mustFail(451, s.dele("dir/file"))
	s.faults.Before = nil
	s.holds("dir/file", "x")
	s.must(s.dele("dir/file"))
	s.fail("Delete", "", away)
	s.mustFail(451, s.rmd("dir"))
	s.isDir("dir")
}
