package upload_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

// janitor is one that keeps what broke off for so long; negative: it throws away what is
// not that far in the future.
func (r *rig) janitor(node string, keep time.Duration) *upload.Janitor {
	return &upload.Janitor{
		Journal: r.journal, Node: node, Keep: keep, Buckets: []string{bucket}, Log: discardLog(),
		Stores: func(string) (store.Store, error) { return r.files, nil },
	}
}

func TestJanitorKeeps(t *testing.T) {
	r := newRig(t)
	r.breakOff(1)
	live := r.node.Create(r.target())
	r.put(live, 1, partSize)
	_, err := r.files.Begin(t.Context(), "unknown", store.PutOptions{})
	r.must(err)
	r.must(r.janitor("n1", time.Hour).Work(t.Context()))
	r.left(3, 2)
	r.must(r.janitor("n1", -5*time.Second).Work(t.Context())) // the live one has a lease for longer
	r.left(1, 1)
	_, err = live.Complete(t.Context())
	r.must(err)
	r.left(0, 0)
}

func TestJanitorIsOne(t *testing.T) {
	r := newRig(t)
	r.breakOff(1)
	r.must(r.janitor("n1", time.Hour).Work(t.Context()))
	r.must(r.janitor("n2", -time.Hour).Work(t.Context())) // not the leader
	r.left(1, 1)
	r.must(r.janitor("n1", -time.Hour).Work(t.Context()))
	r.left(0, 0)
}

// What the store has lost goes from the journal, too.
func TestJanitorForgetsWhatIsGone(t *testing.T) {
	r := newRig(t)
	r.breakOff(1)
	record := r.record()
	r.must(r.files.Abort(t.Context(), record.Key, record.ID))
	r.must(r.janitor("n1", -time.Hour).Work(t.Context()))
	r.left(0, 0)
}

// Whatever fails, the rest is done.
func TestJanitorGoesOn(t *testing.T) {
	good, bad, closed := memory.New().Bucket("good"), memory.New().Bucket("bad"), errors.New("no such bucket")
	broken := &storetest.Faulty{Store: bad, Before: func(context.Context, storetest.Call) error { return store.Unavailable(errAway) }}
	r := newRig(t)
	r.breakOff(1)
	r.breakOff(1)
	for _, s := range []store.Store{good, bad} {
		_, err := s.Begin(t.Context(), "unknown", store.PutOptions{})
		r.must(err)
	}
	aborts := 0
	r.files.Before = func(_ context.Context, c storetest.Call) error {
		if c.Op == "Abort" {
			if aborts++; aborts == 1 {
				return store.Unavailable(errAway)
			}
		}
		return nil
	}
	j := r.janitor("n1", -time.Hour)
	j.Buckets = []string{"closed", "bad", "good"}
	j.Stores = func(name string) (store.Store, error) {
		switch name {
		case "closed":
			return nil, closed
		case "bad":
			return broken, nil
		case "good":
			return good, nil
		}
		return r.files, nil
	}
	err := j.Work(t.Context())
	r.fails(err, closed)
	r.fails(err, store.ErrUnavailable)
	r.left(1, 1)
	if uploads, err := good.Uploads(t.Context(), ""); err != nil || len(uploads) > 0 {
		t.Errorf("left in the good bucket: %v, %v", uploads, err)
	}
	j.Buckets = []string{bucket}
	r.journal.fail(failing("Expired", "Known"))
	r.fails(j.Work(t.Context()), errAway)
	r.left(1, 1) // it may be no orphan
	r.journal.fail(failing("Expired"))
	r.fails(j.Work(t.Context()), errAway)
	r.left(1, 1) // it is none
	r.journal.fail(nil)
	r.must(j.Work(t.Context()))
	r.left(0, 0)
}

// jobs is a journal that only counts who asks to be the leader.
type jobs struct {
	upload.Journal
	mu    sync.Mutex
	asked []string
	err   error
}

func (j *jobs) Lead(_ context.Context, _, node string, now, until time.Time) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !now.Before(until) {
		panic("a leader of no time")
	}
	j.asked = append(j.asked, node)
	return false, j.err
}

// The janitor comes every minute, whatever happened the last time.
func TestJanitorRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := &jobs{err: errAway}
		j := &upload.Janitor{Journal: journal, Node: "n1", Log: discardLog()}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { j.Run(ctx) })
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		cancel()
		running.Wait()
		if !slices.Equal(journal.asked, []string{"n1", "n1", "n1"}) {
			t.Errorf("asked %q", journal.asked)
		}
	})
}
