package driver_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

func loginWithQuota(t *testing.T, bytes, files int64) *session {
	t.Helper()
	return newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.QuotaBytes, u.QuotaFiles = bytes, files })
}

// uses checks what is booked for a user.
func (s *session) uses(bytes, files int64) {
	s.t.Helper()
	b, f, err := s.db.Used(s.t.Context(), s.user.Name)
	if err != nil || b != bytes || f != files {
		s.t.Errorf("%s %s: %d bytes and %d files are booked (%v), want %d and %d", s.verb, s.arg, b, f, err, bytes, files)
	}
}

func TestQuota(t *testing.T) {
	s := loginWithQuota(t, 100, 3)
	s.must(s.mkd("dir")) // costs nothing
	s.put("a", content(60))
	s.uses(60, 1)
	s.put("a", content(70))
	s.uses(70, 1)
	s.put("a", content(50))
	s.uses(50, 1)
	s.must(s.appe("a", content(10)))
	s.uses(60, 1)
	s.must(s.rest(5).stor("a", content(5)))
	s.uses(10, 1)
	s.put("b", content(20))
	s.put("dir/c", "")
	s.uses(30, 3)

	s.mustFail(552, s.stor("d", "")) // a fourth file
	s.mustFail(552, s.stor("b", content(91)))
	s.mustFail(552, s.appe("b", content(71)))
	s.mustFail(552, s.rest(10).stor("b", content(81)))
	s.uses(30, 3)
	s.holds("b", content(20))
	s.missing("d")

	s.put("b", content(90)) // all there is
	s.uses(100, 3)
	s.must(s.rename("b", "a")) // over 10 bytes
	s.uses(90, 2)
	s.must(s.rename("a", "dir/a"))
	s.must(s.rename("dir", "dir2"))
	s.uses(90, 2)
	s.mustFail(552, s.appe("d", content(11)))
	s.must(s.appe("d", content(10)))
	s.uses(100, 3)
	s.must(s.dele("dir2/a"))
	s.uses(10, 2)
	s.must(s.dele("dir2/c"))
	s.must(s.dele("d"))
	s.uses(0, 0)
	s.noUploads()
}

func TestQuotaOfLargeFiles(t *testing.T) {
	s := loginWithQuota(t, 4*partSize, 0)
	s.put("a", content(3*partSize))
	s.uses(3*partSize, 1)
	s.mustFail(552, s.stor("b", content(partSize+1)))
	s.mustFail(552, s.appe("a", content(partSize+1)))
	s.mustFail(552, s.stor("a", content(4*partSize+1)))
	s.uses(3*partSize, 1)
	s.noUploads()
	s.holds("a", content(3*partSize))
	s.put("a", content(4*partSize))
	s.uses(4*partSize, 1)
}

// A client that sends what cannot be stored is stopped, not listened to for ever.
func TestQuotaStopsTheClient(t *testing.T) {
	s := loginWithQuota(t, 4*partSize, 0)
	stopped := func(flags int, path string) {
		t.Helper()
		data := &endless{}
		s.mustFail(552, s.upload("STOR", path, writing|flags, io.LimitReader(data, 100*partSize)))
		if data.sent > 20*partSize {
			t.Errorf("%d bytes were read", data.sent)
		}
	}
	stopped(0, "new")
	s.missing("new")
	s.put("a", content(3*partSize))
	s.plant("alice/b", "")
	for _, path := range []string{"a", "b", "c"} {
		before := s.objects()
		stopped(0, path)
		stopped(os.O_APPEND, path)
		s.unchanged(before)
	}
	s.uses(3*partSize, 1)
}

// meanwhile does something when it is read.
type meanwhile func()

func (f meanwhile) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// What else happens to the account and to the name, while a file is being sent, counts
// when the file is there.
func TestQuotaChangesMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(*session)
		code      int // 0: it is stored
		bytes     int64
		files     int64
	}{
		"nothing":              {func(*session) {}, 0, 4 * partSize, 2},
		"room is made":         {func(s *session) { s.must(s.dele("other")) }, 0, 3 * partSize, 1},
		"room is taken":        {func(s *session) { s.put("third", "x") }, 552, 3*partSize + 1, 3},
		"the name is deleted":  {func(s *session) { s.must(s.dele("file")) }, 0, 4 * partSize, 2},
		"the name is replaced": {func(s *session) { s.put("file", "x") }, 0, 4 * partSize, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := loginWithQuota(t, 4*partSize, 0)
			s.put("file", content(2*partSize))
			s.put("other", content(partSize))
			s.must(s.driver.Allocate(3 * partSize)) // which uses the quota up
			other := s.login("alice", func(_ *driver.Deps, u *auth.User) { *u = s.user })
			data := content(3 * partSize)
			s.requests.take()
			err := s.storFrom("file", io.MultiReader(
				strings.NewReader(data[:partSize+1]),
				meanwhile(func() {
					for !slices.Contains(s.requests.take(), "List") { // which finds what is there
						runtime.Gosched()
					}
					test.meanwhile(other)
				}),
				strings.NewReader(data[partSize+1:])))
			if test.code != 0 {
				s.mustFail(test.code, err)
			} else {
				s.must(err)
				s.holds("file", data)
			}
			s.uses(test.bytes, test.files)
			s.noUploads()
		})
	}
}

func TestQuotaOfFiles(t *testing.T) {
	s := loginWithQuota(t, 0, 2)
	s.hasRoom(store.MaxObjectSize)
	s.put("a", content(100))
	s.put("b", content(3*partSize))
	s.mustFail(552, s.stor("c", ""))
	s.put("b", content(100))
	s.must(s.rename("a", "b"))
	s.put("c", "")
	s.uses(100, 2)
}

// What was there before there was a quota is counted when it first matters.
func TestQuotaFirstCount(t *testing.T) {
	s := loginWithQuota(t, 100, 4)
	s.plant("alice/a", content(30))
	s.plant("alice/dir/", "")
	s.plant("alice/dir/b", content(40))
	s.plant("alicia/c", content(50)) // somebody else's
	s.must(s.dele("a"))              // nothing is counted yet
	if _, _, err := s.db.Used(t.Context(), "alice"); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("counted too early: %v", err)
	}
	s.mustFail(552, s.stor("c", content(61)))
	s.uses(40, 1)
	s.put("c", content(60))
	s.uses(100, 2)
}

func TestNoQuotaBooksNothing(t *testing.T) {
	s := newSession(t)
	s.put("a", "x")
	s.must(s.dele("a"))
	if _, _, err := s.db.Used(t.Context(), "alice"); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("usage booked: %v", err)
	}
}

// Two sessions cannot exceed a quota together.
func TestQuotaIsShared(t *testing.T) {
	first := loginWithQuota(t, 100, 0)
	second := first.login("alice", func(_ *driver.Deps, u *auth.User) { *u = first.user })
	first.put("a", content(60))
	second.mustFail(552, second.stor("b", content(60)))
	second.put("b", content(40))
	first.uses(100, 2)
}

// brokenUsage cannot be reached.
type brokenUsage struct{}

var _ auth.Usage = brokenUsage{}

func (brokenUsage) Charge(context.Context, string, int64, int64) error { return errBroken }
func (brokenUsage) Used(context.Context, string) (int64, int64, error) { return 0, 0, errBroken }
func (brokenUsage) SetUsed(context.Context, string, int64, int64) error {
	return errBroken
}

func TestQuotaUnavailable(t *testing.T) {
	s := newWorld(t).login("alice", func(d *driver.Deps, u *auth.User) { d.Usage, u.QuotaBytes = brokenUsage{}, 100 })
	s.plant("alice/a", "old")
	before := s.objects()
	s.mustFail(451, s.stor("a", "newer"))
	s.mustFail(451, s.stor("b", content(3*partSize)))
	s.must(s.driver.Allocate(1)) // nobody knows
	s.mustFail(451, s.stor("b", "x"))
	_, err := s.driver.AvailableSpace()
	s.mustFail(451, err)
	s.unchanged(before)
	s.must(s.dele("a")) // making room must not fail
	s.missing("a")
}

func TestFirstCountFails(t *testing.T) {
	s := loginWithQuota(t, 100, 0)
	s.faults.Entry = func(o store.Object) error {
		if o.Key == "alice/old" {
			return store.Unavailable(errBroken)
		}
		return nil
	}
	s.plant("alice/old", "x")
	s.mustFail(451, s.stor("new", "x"))
	s.missing("new")
}
