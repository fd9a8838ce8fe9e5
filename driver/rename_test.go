package driver_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestRenameFile(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("a", "A")
	s.must(s.rename("a", "b"))
	s.missing("a")
	s.holds("b", "A")
	s.mustFail(550, s.rnfr("a"))

	s.must(s.rename("b", "dir/c"))
	s.isDir("/", "dir/")
	s.holds("dir/c", "A")

	s.put("d", "D")
	s.must(s.rename("dir/c", "d"))
	s.holds("d", "A")
	s.isDir("dir")

	before := s.objects()
	s.must(s.rename("d", "d"))
	s.must(s.rename("d", "dir/../d"))
	s.mustFail(553, s.rename("d", "dir"))
	s.mustFail(553, s.rename("d", "missing/d"))
	s.mustFail(553, s.rename("d", "d/d"))
	s.mustFail(553, s.rename("d", strings.Repeat("x", 256)))
	s.mustFail(550, s.rename("missing", "e"))
	s.unchanged(before)
}

func TestRenameOntoNeedsOverwrite(t *testing.T) {
	w := newWorld(t)
	s := w.login("alice", func(_ *driver.Deps, u *auth.User) { u.Permissions = auth.Rename | auth.Download })
	s.plant("alice/a", "A")
	s.plant("alice/b", "B")
	s.mustFail(550, s.rename("a", "b"))
	s.holds("a", "A")
	s.holds("b", "B")
	s.must(s.rename("a", "c"))
	s.holds("c", "A")
}

// A file may become another between RNFR and RNTO, or vanish.
func TestRenameOfWhatHasChanged(t *testing.T) {
	s := newSession(t)
	s.put("file", "old")
	s.must(s.rnfr("file"))
	s.plant("alice/file", "new")
	s.must(s.rnto("file", "moved"))
	s.missing("file")
	s.holds("moved", "new")

	s.put("file", "old")
	s.must(s.rnfr("file"))
	s.must(s.bucket.Delete(t.Context(), "alice/file"))
	s.mustFail(550, s.rnto("file", "gone"))
	s.missing("gone")

	s.must(s.mkd("dir"))
	s.must(s.rnfr("dir"))
	s.must(s.bucket.Delete(t.Context(), "alice/dir/"))
	s.mustFail(550, s.rnto("dir", "gone"))
	s.missing("gone")
}

// RNTO believes only the RNFR just before it.
func TestRenameForgetsEarlierRnfr(t *testing.T) {
	s := newSession(t)
	s.put("a", "A")
	s.put("b", "B")
	s.must(s.rnfr("a"))
	s.must(s.rnto("b", "c"))
	s.holds("a", "A")
	s.holds("c", "B")
	s.must(s.rnto("a", "d"))
	s.holds("d", "A")
}

func TestRenameFileFails(t *testing.T) {
	for _, c := range []struct{ op, key string }{
		{"Copy", "b"}, {"List", "b"}, {"Put", "dir/"}, {"Delete", "a"},
	} {
		t.Run(c.op, func(t *testing.T) {
			s := newSession(t)
			s.plant("alice/dir/a", "A") // dir has no marker: it is made before a goes
			s.put("b", "B")
			s.fail(c.op, c.key, store.Unavailable(context.DeadlineExceeded))
			s.mustFail(451, s.rename("dir/a", "b"))
			s.faults.Before = nil
			s.holds("dir/a", "A")
			if c.op == "Copy" || c.op == "List" {
				s.holds("b", "B")
			}
		})
	}
}

// tree is a directory with all that one can hold.
func tree(s *session) {
	s.must(s.mkd("dir"))
	s.must(s.mkd("dir/empty"))
	s.must(s.mkd("dir/sub"))
	s.must(s.mkd("dir/sub/deep"))
	s.plant("alice/dir/implied/f", "implied")
	for i := range 40 {
		s.plant(fmt.Sprintf("alice/dir/file%02d", i), fmt.Sprint(i))
	}
	s.put("dir/sub/deep/file", "deep")
	s.put("dir2", "not below dir")
}

// moved is what the bucket is to hold after a rename of a directory.
func moved(before map[string]string, from, to string) map[string]string {
	after := make(map[string]string)
	for key, data := range before {
		if rest, ok := strings.CutPrefix(key, from); ok {
			key = to + rest
		}
		after[key] = data
	}
	return after
}

func TestRenameDirectory(t *testing.T) {
	s := newSession(t)
	tree(s)
	s.must(s.mkd("other"))
	before := s.objects()
	s.must(s.rename("dir", "other/new"))
	s.unchanged(moved(before, "alice/dir/", "alice/other/new/"))
	s.missing("dir")
	s.missing("dir/sub")
	s.isDir("other", "new/")
	s.isDir("other/new/sub", "deep/")
	s.isDir("other/new/empty")
	s.holds("other/new/sub/deep/file", "deep")
	s.mustFail(550, s.rnfr("dir"))
	s.mustFail(550, s.rnfr("dir/sub/deep/file"))
	s.mustFail(553, s.stor("dir/file", "x"))

	s.must(s.rename("other/new", "dir"))
	s.unchanged(before)
}

func TestRenameDirectoryRefused(t *testing.T) {
	s := newSession(t)
	tree(s)
	s.must(s.mkd("empty"))
	s.plant("alice/implied/f", "x")
	before := s.objects()
	for _, to := range []string{"empty", "implied", "dir2", "dir/sub", "dir/new", "dir/sub/new", "missing/new"} {
		s.mustFail(553, s.rename("dir", to))
	}
	s.must(s.rename("dir", "dir"))
	s.unchanged(before)
}

// Whatever fails while a directory is copied: it stays where it was, and nothing is at
// the new name.
func TestRenameDirectoryFailsWhileCopying(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int
		fault func(s *session, key string) error
	}{
		{"storage", 451, func(_ *session, key string) error {
			if key == "alice/new/file30" {
				return store.Unavailable(context.DeadlineExceeded)
			}
			return nil
		}},
		{"full", 452, func(_ *session, key string) error {
			if key == "alice/new/sub/deep/file" {
				return store.ErrFull
			}
			return nil
		}},
		{"client gone", 426, func(s *session, key string) error {
			if key == "alice/new/file30" {
				s.end()
				return context.Canceled
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t)
			tree(s)
			before := s.objects()
			s.faults.Before = func(_ context.Context, call storetest.Call) error {
				if call.Op == "Copy" {
					return c.fault(s, call.Key)
				}
				return nil
			}
			s.mustFail(c.code, s.rename("dir", "new"))
			s.unchanged(before)
		})
	}
	t.Run("listing", func(t *testing.T) {
		s := newSession(t)
		tree(s)
		before := s.objects()
		s.faults.Entry = func(o store.Object) error {
			if o.Key == "alice/dir/file30" {
				return store.Unavailable(context.DeadlineExceeded)
			}
			return nil
		}
		s.mustFail(451, s.rename("dir", "new"))
		s.unchanged(before)
	})
	t.Run("parent's marker", func(t *testing.T) {
		s := newSession(t)
		s.plant("alice/implied/dir/f", "x")
		before := s.objects()
		s.fail("Put", "", store.ErrFull)
		s.mustFail(452, s.rename("implied/dir", "new"))
		s.unchanged(before)
	})
}

// What fails while the old names are deleted loses nothing: all is at the new name.
func TestRenameDirectoryFailsWhileDeleting(t *testing.T) {
	s := newSession(t)
	tree(s)
	before := s.objects()
	var deleted atomic.Int32
	s.faults.Before = func(_ context.Context, call storetest.Call) error {
		if call.Op == "Delete" && deleted.Add(1) > 10 {
			return store.Unavailable(context.DeadlineExceeded)
		}
		return nil
	}
	s.mustFail(451, s.rename("dir", "new"))
	after := s.objects()
	for key, data := range moved(before, "alice/dir/", "alice/new/") {
		if got, ok := after[key]; !ok || got != data {
			t.Errorf("%s is %q, want %q", key, got, data)
		}
	}
}

func TestTimesSurviveRename(t *testing.T) {
	for name, direct := range map[string]bool{"copies with times": false, "copies without": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if direct {
				w.faults.Store = w.bucket // whose Copy tells no time
			}
			s := w.login("alice", nil)
			s.put("set", "x")
			s.must(s.mfmt("set", someTime()))
			s.plant("alice/unset", "x")
			unset, err := s.mdtm("unset")
			s.must(err)
			s.must(s.mkd("dir"))
			s.must(s.mkd("dir/sub"))
			s.put("dir/sub/file", "x")
			s.must(s.mfmt("dir", someTime()))
			s.must(s.mfmt("dir/sub", someTime().Add(time.Hour)))
			s.must(s.mfmt("dir/sub/file", someTime().Add(2*time.Hour)))

			w.later.Store(int64(time.Hour))
			s.must(s.rename("set", "set2"))
			s.must(s.rename("unset", "unset2"))
			s.must(s.rename("dir", "dir2"))
			for path, want := range map[string]time.Time{
				"set2": someTime(), "unset2": unset, "dir2": someTime(),
				"dir2/sub": someTime().Add(time.Hour), "dir2/sub/file": someTime().Add(2 * time.Hour),
			} {
				s.hasTime(path, want)
			}
			if kept, err := w.db.TimesIn(t.Context(), bucket, "alice/dir/sub/"); err != nil || len(kept) > 0 {
				t.Errorf("times of the old name: %v, %v", kept, err)
			}
		})
	}
}

// The time is worth no more than the file.
func TestRenameThoughTheTimeIsLost(t *testing.T) {
	s := newSession(t)
	s.faults.Store = s.bucket // whose Copy tells no time
	s.put("a", "x")
	s.fail("Stat", "alice/b", store.Unavailable(context.DeadlineExceeded))
	s.must(s.rename("a", "b"))
	s.faults.Before = nil
	s.holds("b", "x")
	s.missing("a")
	s.isNew("b")
}
