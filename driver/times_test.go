package driver_test

import (
	"context"
	"errors"
	"path"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

func someTime() time.Time { return time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC) }

// hasTime checks a modification time, as MDTM and as listings tell it.
func (s *session) hasTime(p string, want time.Time) {
	s.t.Helper()
	if got, err := s.mdtm(p); err != nil || !got.Equal(want) {
		s.t.Errorf("MDTM %s: %v, %v; want %v", p, got, err, want)
	}
	entries, err := s.list("MLSD", path.Dir(s.abs(p)))
	if err != nil {
		s.t.Error(err)
	}
	for _, e := range entries {
		if e.Name() == path.Base(p) {
			if !e.ModTime().Equal(want) {
				s.t.Errorf("MLSD: time of %s is %v, want %v", p, e.ModTime().UTC(), want)
			}
			return
		}
	}
	s.t.Errorf("%s not in %v", p, entries)
}

// isNew checks that a path has the time at which it was stored.
func (s *session) isNew(p string) {
	s.t.Helper()
	got, err := s.mdtm(p)
	if age := time.Since(got); err != nil || age < -2*time.Hour || age > time.Minute {
		s.t.Errorf("MDTM %s: %v, %v", p, got, err)
	}
	s.hasTime(p, got)
}

func TestTimes(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("dir/file", "x")
	s.plant("alice/implied/f", "x")
	for i, p := range []string{"dir", "dir/file", "implied"} {
		s.must(s.mfmt(p, someTime().Add(-time.Hour)))
		s.must(s.mfmt(p, someTime().Add(time.Duration(i)*time.Hour)))
	}
	s.hasTime("dir", someTime())
	s.hasTime("dir/file", someTime().Add(time.Hour))
	s.hasTime("implied", someTime().Add(2*time.Hour))
	s.must(s.mfmt("/", someTime()))
	if got, err := s.mdtm("/"); err != nil || !got.Equal(someTime()) {
		t.Errorf("home: %v, %v", got, err)
	}
	entries, err := s.list("LIST", "dir/file")
	s.must(err)
	if got := entries[0].ModTime(); !got.Equal(someTime().Add(time.Hour)) {
		t.Errorf("LIST of the file: %v", got.UTC())
	}
}

func TestNewDirectoryHasItsTime(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.isNew("dir") // also in the listing, which sees only a prefix
	s.must(s.mfmt("dir", someTime()))
	s.must(s.rmd("dir"))
	s.must(s.mkd("dir"))
	s.isNew("dir")
	s.must(s.rmd("dir"))
	s.plant("alice/dir/f", "x") // made anew by another program
	s.hasTime("dir", time.Unix(0, 0))
}

// A time is that of the file it was set for.
func TestTimeForgotten(t *testing.T) {
	for name, replace := range map[string]func(*session) error{
		"other content":        func(s *session) error { return s.stor("file", "y") },
		"same content at once": func(s *session) error { return s.stor("file", "x") },
		"the same, renamed": func(s *session) error {
			return errors.Join(s.rename("file", "b"), s.rename("b", "file"), s.stor("file", "x"))
		},
		"same content later":  func(s *session) error { s.later.Store(int64(time.Hour)); return s.stor("file", "x") },
		"appended":            func(s *session) error { return s.appe("file", "y") },
		"deleted":             func(s *session) error { return errors.Join(s.dele("file"), s.stor("file", "x")) },
		"by another program":  func(s *session) error { s.plant("alice/file", "z"); return nil },
		"renamed onto":        func(s *session) error { return errors.Join(s.stor("b", "bb"), s.rename("b", "file")) },
		"renamed and renewed": func(s *session) error { return errors.Join(s.rename("file", "b"), s.stor("file", "x")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			now := time.Now()
			s.service.Now = func() time.Time { return now.Add(time.Duration(s.later.Load())) } // all is one second's work
			s.put("file", "x")
			s.must(s.mfmt("file", someTime()))
			s.must(replace(s))
			s.isNew("file")
		})
	}
}

// A rename takes along a time that another session has set, though RNFR makes do with what
// this one has seen of the file.
func TestTimeOfAnotherSession(t *testing.T) {
	w := newWorld(t)
	one, other := w.login("alice", nil), w.login("alice", nil)
	one.put("stored", "x")
	other.must(other.mfmt("stored", someTime()))
	one.must(one.rename("stored", "a"))
	one.hasTime("a", someTime())

	one.put("again", "x")
	one.isNew("again") // and has been seen
	w.later.Store(int64(time.Hour))
	other.put("again", "x")
	other.must(other.mfmt("again", someTime()))
	one.must(one.rename("again", "b"))
	one.hasTime("b", someTime())
}

// brokenTimes cannot be reached.
type brokenTimes struct{}

var _ store.Times = brokenTimes{}

var errBroken = errors.New("dial tcp mysql.internal:3306: connection refused")

func (brokenTimes) SetTimes(context.Context, string, ...store.KeptTime) error { return errBroken }
func (brokenTimes) TimeOf(context.Context, string, string) (store.KeptTime, bool, error) {
	return store.KeptTime{}, false, errBroken
}
func (brokenTimes) TimesIn(context.Context, string, string) (map[string]store.KeptTime, error) {
	return nil, errBroken
}
func (brokenTimes) TimesFrom(context.Context, string, string, string, int) ([]store.KeptTime, error) {
	return nil, errBroken
}
func (brokenTimes) DropTimes(context.Context, string, string) error { return errBroken }

// Without the database only times are lost.
func TestTimesUnavailable(t *testing.T) {
	s := newWorld(t).login("alice", func(d *driver.Deps, _ *auth.User) { d.Times = brokenTimes{} })
	s.must(s.mkd("dir"))
	s.put("dir/a", "x")
	s.isDir("dir", "a")
	s.isNew("dir/a")
	s.mustFail(451, s.mfmt("dir/a", someTime()))
	s.must(s.rename("dir/a", "dir/b"))
	s.must(s.rename("dir", "dir2"))
	s.holds("dir2/b", "x")
	s.must(s.dele("dir2/b"))
	s.must(s.rmd("dir2"))
	s.isDir("/")
}
