package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

func loginWithQuota(t *testing.T, bytes, files int64) *session {
	t.Helper()
	return newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.QuotaBytes, u.QuotaFiles = bytes, files })
}

// uses checks what is booked for a user.
func (s *session) uses(bytes, files int64) {
	s.t.Helper()
	s.counts(quota.Name{User: s.user.Name}, bytes, files)
}

// counts checks what is booked for a user or a mount.
func (s *session) counts(n quota.Name, bytes, files int64) {
	s.t.Helper()
	used, err := s.db.Counts().Used(s.t.Context(), n)
	if want := (quota.Amount{Bytes: bytes, Files: files}); err != nil || used != want {
		s.t.Errorf("%s %s: %+v is booked (%v), want %+v", s.verb, s.arg, used, err, want)
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
	if _, err := s.db.Counts().Used(t.Context(), quota.Name{User: "alice"}); !errors.Is(err, quota.ErrNotCounted) {
		t.Errorf("counted too early: %v", err)
	}
	s.mustFail(552, s.stor("c", content(61)))
	s.uses(40, 1)
	s.put("c", content(60))
	s.uses(100, 2)
}

// A doubt that comes up while a count is made again outlives that count, which may not have seen
// what it is about.
func TestDoubtDuringCount(t *testing.T) {
	s := loginWithQuota(t, 1000, 0)
	s.put("a", content(30))
	alice := quota.Name{User: "alice"}
	doubts := func(more int) {
		t.Helper()
		time.Sleep(5 * time.Millisecond) // SQLite's clock goes by milliseconds
		found, err := s.db.Counts().Expired(t.Context(), time.Now())
		if s.must(err); len(found) != more {
			t.Errorf("in doubt: %+v", found)
		}
	}
	s.ledger.Recount(alice, "a reason", nil)
	s.noteDoubts()
	doubts(1)
	s.faults.Before = func(_ context.Context, c storetest.Call) error {
		if c.Op == "List" {
			doubts(1)
			s.ledger.Recount(alice, "another reason", nil)
			s.noteDoubts()
		}
		return nil
	}
	s.must(s.counter.Work(t.Context()))
	s.faults.Before = nil
	doubts(1)
	s.must(s.counter.Work(t.Context()))
	doubts(0)
}

func TestNoQuotaBooksNothing(t *testing.T) {
	s := newSession(t)
	s.put("a", "x")
	s.must(s.dele("a"))
	if _, err := s.db.Counts().Used(t.Context(), quota.Name{User: "alice"}); !errors.Is(err, quota.ErrNotCounted) {
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

// brokenCounts cannot be reached.
type brokenCounts struct{ quota.Counts }

func (brokenCounts) Charge(context.Context, quota.Name, quota.Amount, quota.Amount) error {
	return errBroken
}

func (brokenCounts) Used(context.Context, quota.Name) (quota.Amount, error) {
	return quota.Amount{}, errBroken
}

func (brokenCounts) Reserve(context.Context, quota.Reservation) error { return errBroken }

func (brokenCounts) TakeTurn(context.Context, string, string, time.Time) (taken, quiet bool, err error) {
	return false, false, errBroken
}

func brokenLedger() *quota.Ledger {
	log := slog.New(slog.DiscardHandler)
	return quota.NewLedger(quota.Options{Counts: brokenCounts{}, Counter: &quota.Counter{Log: log}, Log: log})
}

func TestQuotaUnavailable(t *testing.T) {
	s := newWorld(t).login("alice", func(d *driver.Deps, u *auth.User) { d.Quota, u.QuotaBytes = brokenLedger(), 100 })
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

// A mount counts for the account, or for itself.
func TestQuotasOfMounts(t *testing.T) {
	w := newWorld(t)
	s := w.login("alice", func(_ *driver.Deps, u *auth.User) {
		u.QuotaBytes, u.QuotaFiles = 100, 10
		u.Mounts = []auth.Mount{
			{Path: "/free", Bucket: "second", Prefix: "free/", Quota: auth.OwnQuota},
			{Path: "/own", Bucket: "second", Prefix: "own/", Quota: auth.OwnQuota, QuotaBytes: 50, QuotaFiles: 3},
			{Path: "/shared", Bucket: "second", Prefix: "shared/", Quota: auth.SharedQuota},
		}
	})
	w.plantIn("second", "own/old", content(10))
	w.plantIn("second", "shared/old", content(10))
	w.plantIn("second", "free/old", content(10))
	own := quota.Name{Place: "second/own/"}

	s.put("/a", content(20))
	s.uses(30, 2) // with what was in the shared place
	s.put("/own/a", content(20))
	s.counts(own, 30, 2)
	s.put("/free/a", content(1000))
	s.mustFail(552, s.stor("/own/b", content(21)))
	s.mustFail(552, s.stor("/shared/b", content(71)))
	s.put("/shared/b", content(70))
	s.uses(100, 3)

	s.mustFail(552, s.rename("/free/a", "/own/b")) // it does not fit
	s.holds("/free/a", content(1000))
	s.must(s.rename("/shared/old", "/own/b"))
	s.uses(90, 2)
	s.counts(own, 40, 3)
	s.mustFail(552, s.rename("/a", "/own/c")) // a fourth file
	s.must(s.rename("/a", "/own/b"))          // in place of another
	s.uses(70, 1)
	s.counts(own, 50, 3)
	s.must(s.rename("/own/b", "/b"))
	s.must(s.rename("/b", "/free/b"))
	s.uses(70, 1)
	s.counts(own, 30, 2)

	s.must(s.mkd("/own/dir"))
	s.must(s.rename("/own/a", "/own/dir/a"))
	s.must(s.rename("/own/dir", "/dir"))
	s.uses(90, 2)
	s.counts(own, 10, 1)
	s.put("/own/c", content(30))
	before := s.objects()
	s.mustFail(552, s.rename("/dir", "/own/dir"))
	s.unchanged(before)
	s.uses(90, 2)
	s.counts(own, 40, 2)
	s.must(s.dele("/own/c"))
	s.counts(own, 10, 1)
}

// While a node has something under way, and when it has died with that, counts are too
// high rather than too low, and right in the end.
func TestQuotaOfDeadNode(t *testing.T) {
	s := loginWithQuota(t, 100, 0)
	s.put("a", content(10))
	hold, err := s.ledger.Take(t.Context(), quota.Name{User: "alice"}, nil, quota.Amount{Bytes: 30, Files: 1}, quota.Amount{Bytes: 100})
	s.must(err)
	s.uses(40, 2)
	found, exact, err := s.counter.Count(t.Context(), quota.Name{User: "alice"}, 1, 0)
	if err != nil || exact || found.Bytes < 40 || found.Files < 2 {
		t.Errorf("counted meanwhile: %+v, exact %v, %v", found, exact, err)
	}
	// The node dies: nobody renews its lease.
	s.must(s.db.Counts().Renew(t.Context(), "node", time.Now().Add(-time.Second)))
	s.must(s.counter.Work(t.Context()))
	s.uses(10, 1)
	if left, err := s.db.Counts().Expired(t.Context(), time.Now()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	hold.Doubt()
}

// An account without a quota asks the database for nothing; with one, a small file costs three
// short statements.
func TestStatementsOfQuota(t *testing.T) {
	w := newWorld(t)
	counts := &countedCounts{Counts: w.db.Counts()}
	w.ledger.Counts = counts
	free := w.login("bob", nil)
	free.put("a", "x")
	free.must(free.dele("a"))
	if counts.statements != 0 {
		t.Errorf("without a quota: %d statements", counts.statements)
	}
	s := w.login("alice", func(_ *driver.Deps, u *auth.User) { u.QuotaFiles = 1000 })
	s.put("first", "x")                            // which is counted
	for i, most := range []int{4, 4, 4, 3, 3, 3} { // a turn taken and ended, a charge, and now and then a reservation
		counts.statements = 0
		s.put(string(rune('a'+i)), "x")
		if counts.statements > most {
			t.Errorf("file %d: %d statements", i, counts.statements)
		}
	}
}

// countedCounts counts statements.
type countedCounts struct {
	quota.Counts
	statements int
}

func (c *countedCounts) Charge(ctx context.Context, n quota.Name, add, limit quota.Amount) error {
	c.statements++
	return c.Counts.Charge(ctx, n, add, limit)
}

func (c *countedCounts) Reserve(ctx context.Context, r quota.Reservation) error {
	c.statements++
	return c.Counts.Reserve(ctx, r)
}

func (c *countedCounts) TakeTurn(ctx context.Context, object, node string, lease time.Time) (taken, quiet bool, err error) {
	c.statements++
	return c.Counts.TakeTurn(ctx, object, node, lease)
}

func (c *countedCounts) EndTurn(ctx context.Context, object, node string) (bool, error) {
	c.statements++
	return c.Counts.EndTurn(ctx, object, node)
}

// elsewhere is a session of alice on another node.
func (w *world) elsewhere(node string, change func(*driver.Deps, *auth.User)) *session {
	log := slog.New(slog.DiscardHandler)
	ledger := quota.NewLedger(quota.Options{Counts: w.db.Counts(), Counter: w.counter, Node: node, Log: log})
	return w.login("alice", func(d *driver.Deps, u *auth.User) {
		change(d, u)
		d.Quota = ledger
	})
}

// Uploads of one new name that end at once on several nodes, deletions and renames at once,
// are counted as what is stored in the end.
func TestQuotaOfNodesAtOnce(t *testing.T) {
	limited := func(_ *driver.Deps, u *auth.User) { u.QuotaFiles = 100 }
	for name, do := range map[string]func(s *session, i int) error{
		"upload":             func(s *session, i int) error { return s.stor("f", content(10+i)) },
		"delete":             func(s *session, _ int) error { return s.dele("kept") },
		"rename":             func(s *session, i int) error { return s.rename("kept", fmt.Sprint("to", i)) },
		"rename to one name": func(s *session, i int) error { return s.rename(fmt.Sprint("from", i), "f") },
		"rename and delete": func(s *session, i int) error {
			if i%2 == 0 {
				return s.dele("kept")
			}
			return s.rename("kept", "f")
		},
		"upload and delete": func(s *session, i int) error {
			if i%2 == 0 {
				return s.dele("kept")
			}
			return s.stor("kept", content(20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			sessions := []*session{w.login("alice", limited), w.elsewhere("b", limited), w.elsewhere("c", limited), w.elsewhere("d", limited)}
			sessions[0].put("first", "x") // which is counted
			for range 5 {
				for _, name := range []string{"kept", "from0", "from1", "from2", "from3"} {
					sessions[0].put(name, content(5))
				}
				var done sync.WaitGroup
				for i, s := range sessions {
					done.Go(func() { _ = do(s, i) }) // some do not find it
				}
				done.Wait()
				stored := quota.Amount{}
				for key, data := range w.objects() {
					if strings.HasPrefix(key, "alice/") {
						stored.Bytes, stored.Files = stored.Bytes+int64(len(data)), stored.Files+1
					}
				}
				sessions[0].uses(stored.Bytes, stored.Files)
			}
		})
	}
}

// A file that several sessions delete at once is taken off once.
func TestQuotaOfFileDeletedAtOnce(t *testing.T) {
	w := newWorld(t)
	sessions := make([]*session, 4)
	for i := range sessions {
		sessions[i] = w.login("alice", func(_ *driver.Deps, u *auth.User) { u.QuotaFiles = 100 })
	}
	sessions[0].put("kept", "x")
	for range 20 {
		sessions[0].put("f", "x")
		var deleted sync.WaitGroup
		for _, s := range sessions {
			deleted.Go(func() { _ = s.dele("f") }) // all but one do not find it
		}
		deleted.Wait()
	}
	sessions[0].uses(1, 1)
}
