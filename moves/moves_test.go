package moves_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest/dbtest"
	"github.com/spdscheme/spdserver/moves"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/mounted"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a database with two nodes: "dead" was alive once, "alive" still is.
type rig struct {
	t      *testing.T
	db     *db.DB
	stores *memory.Service
	alive  *moves.Finisher
	dead   *moves.Manager
}

func newRig(t *testing.T) *rig {
	t.Helper()
	database := dbtest.Open(t)
	r := &rig{t: t, db: database, stores: memory.New()}
	_, err := database.Beat(t.Context(), cluster.Beat{Node: cluster.Node{ID: "alive", Name: "alive"}})
	r.must(err)
	r.dead = r.manager("dead", true)
	r.alive = &moves.Finisher{
		Manager: r.manager("alive", true), Times: database, Copies: mounted.NewBuffers(2),
		Stores: func(bucket string) (store.Store, error) { return r.stores.Bucket(bucket), nil },
	}
	return r
}

func (r *rig) manager(node string, held bool) *moves.Manager {
	return moves.NewManager(moves.Options{
		Journal: r.db, Node: node, Held: func(time.Time) bool { return held }, Log: slog.New(slog.DiscardHandler),
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(bucket string, files ...string) {
	r.t.Helper()
	for _, f := range files {
		key, content, _ := strings.Cut(f, "=")
		_, err := r.stores.Bucket(bucket).Put(r.t.Context(), key, strings.NewReader(content), int64(len(content)), store.PutOptions{})
		r.must(err)
	}
}

// has checks all that is in a bucket.
func (r *rig) has(bucket string, want ...string) {
	r.t.Helper()
	var got []string
	s := r.stores.Bucket(bucket)
	for o, err := range s.List(r.t.Context(), "", store.ListOptions{}) {
		r.must(err)
		body, _, err := s.Open(r.t.Context(), o.Key, 0, -1, "")
		r.must(err)
		data, err := io.ReadAll(body)
		r.must(errors.Join(err, body.Close()))
		got = append(got, o.Key+"="+string(data))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("%s has %q, want %q", bucket, got, want)
	}
}

func (r *rig) begin(m *moves.Manager, toBucket string) *moves.Rename {
	r.t.Helper()
	rename, err := m.Begin(r.t.Context(), moves.Move{Owner: "alice", FromBucket: "spd", From: "home/old/", ToBucket: toBucket, To: "home/new/"})
	r.must(err)
	return rename
}

func (r *rig) none() {
	r.t.Helper()
	left, err := r.db.LeftMoves(r.t.Context())
	r.must(err)
	if len(left) > 0 {
		r.t.Errorf("left: %+v", left)
	}
}

// What was stored under the old name long after the rename began is no part of it. The log
// tells, as it may also be that the clocks of store and database differ.
func TestNewerFileKeepsItsName(t *testing.T) {
	r := newRig(t)
	var log strings.Builder
	r.alive.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.put("spd", "home/old/=", "home/old/a=1")
	r.begin(r.dead, "spd")
	r.stores.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	r.put("spd", "home/old/later=22")
	r.must(r.alive.Work(t.Context()))
	r.has("spd", "home/=", "home/new/=", "home/new/a=1", "home/old/later=22")
	r.none()
	if n := strings.Count(log.String(), "newer than its rename"); n != 1 || !strings.Contains(log.String(), "home/old/later") {
		t.Errorf("log: %s", log.String())
	}
}

// What a dead node has begun is finished, wherever it was.
func TestFinish(t *testing.T) {
	for name, before := range map[string][]string{
		"at the beginning":   {"home/old/=", "home/old/a=1", "home/old/sub/b=22"},
		"some copied":        {"home/old/=", "home/new/=", "home/old/a=1", "home/new/a=1", "home/old/sub/b=22"},
		"all copied":         {"home/old/=", "home/old/a=1", "home/old/sub/b=22", "home/new/=", "home/new/a=1", "home/new/sub/b=22"},
		"some deleted":       {"home/old/sub/b=22", "home/new/=", "home/new/a=1", "home/new/sub/b=22"},
		"all but the record": {"home/new/=", "home/new/a=1", "home/new/sub/b=22"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.put("spd", before...)
			r.begin(r.dead, "spd")
			r.must(r.alive.Work(t.Context()))
			r.has("spd", "home/=", "home/new/=", "home/new/a=1", "home/new/sub/b=22")
			r.none()
		})
	}
}

func TestFinishBetweenBuckets(t *testing.T) {
	r := newRig(t)
	r.put("spd", "home/old/a=1", "home/old/b=22")
	r.put("other", "home/new/a=1")
	r.begin(r.dead, "other")
	r.must(r.alive.Work(t.Context()))
	r.has("spd", "home/=")
	r.has("other", "home/new/a=1", "home/new/b=22")
}

// Times that clients have set go along.
func TestFinishKeepsTimes(t *testing.T) {
	r := newRig(t)
	r.put("spd", "home/old/a=1")
	o, err := r.stores.Bucket("spd").Stat(t.Context(), "home/old/a")
	r.must(err)
	then := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	r.must(r.db.SetTimes(t.Context(), "spd", store.KeptTime{Key: o.Key, ETag: o.ETag, Stored: o.ModTime, ModTime: then}))
	r.begin(r.dead, "spd")
	r.must(r.alive.Work(t.Context()))
	kept, ok, err := r.db.TimeOf(t.Context(), "spd", "home/new/a")
	r.must(err)
	if !ok || !kept.ModTime.Equal(then) {
		t.Errorf("time %v, %v", kept.ModTime, ok)
	}
	if _, ok, _ = r.db.TimeOf(t.Context(), "spd", "home/old/a"); ok {
		t.Error("the old name has a time")
	}
}

// What was stored under the new name since is no copy, and stays; so does the old file.
func TestFinishLosesNothing(t *testing.T) {
	r := newRig(t)
	r.put("spd", "home/old/a=1", "home/old/b=22", "home/new/a=changed")
	r.begin(r.dead, "spd")
	r.must(r.alive.Work(t.Context()))
	r.has("spd", "home/=", "home/new/a=changed", "home/new/b=22", "home/old/a=1")
}

// A rename that was being undone is undone.
func TestFinishUndoing(t *testing.T) {
	r := newRig(t)
	r.put("spd", "home/old/a=1", "home/old/b=22", "home/new/a=1", "home/new/mine=333")
	rename := r.begin(r.dead, "spd")
	r.must(rename.Turn(t.Context()))
	r.must(r.alive.Work(t.Context()))
	r.has("spd", "home/new/mine=333", "home/old/a=1", "home/old/b=22")
	r.none()
}

// A node that comes back neither deletes nor undoes what another has finished.
func TestFence(t *testing.T) {
	r := newRig(t)
	r.put("spd", "home/old/a=1")
	rename := r.begin(r.dead, "spd")
	r.must(r.alive.Work(t.Context()))
	for _, ask := range []func(context.Context) error{rename.Keep, rename.Turn} {
		if err := ask(t.Context()); !errors.Is(err, moves.ErrTaken) {
			t.Errorf("error %v", err)
		}
	}
	rename.End(t.Context(), nil)
	late := r.begin(r.manager("dead", false), "spd")
	for _, err := range []error{late.Held(), late.Keep(t.Context()), late.Turn(t.Context())} {
		if !errors.Is(err, moves.ErrLapsed) {
			t.Errorf("error %v", err)
		}
	}
}

// Renames of a node that is alive are its own, until it leaves them.
func TestLiveRenamesAreLeftAlone(t *testing.T) {
	r := newRig(t)
	r.put("spd", "home/old/a=1")
	rename := r.begin(r.alive.Manager, "spd")
	r.must(r.alive.Work(t.Context()))
	r.has("spd", "home/old/a=1")
	rename.End(t.Context(), errors.New("store away"))
	r.must(r.alive.Work(t.Context()))
	r.has("spd", "home/=", "home/new/a=1")
	done := r.begin(r.alive.Manager, "spd")
	done.End(t.Context(), nil)
	r.none()
}

func TestOneTakesIt(t *testing.T) {
	r := newRig(t)
	r.begin(r.dead, "spd")
	left, err := r.db.LeftMoves(t.Context())
	r.must(err)
	taken := 0
	for range 3 {
		switch err := r.db.TakeMove(t.Context(), left[0], "alive"); {
		case err == nil:
			taken++
		case !errors.Is(err, moves.ErrTaken):
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
}

// Nobody notes anything where there is no Manager.
func TestNoManager(t *testing.T) {
	var none *moves.Manager
	rename, err := none.Begin(t.Context(), moves.Move{})
	if err := errors.Join(err, rename.Held(), rename.Keep(t.Context()), rename.Turn(t.Context())); err != nil {
		t.Error(err)
	}
	rename.End(t.Context(), fmt.Errorf("failed"))
}
