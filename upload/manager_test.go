package upload_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

func TestPartial(t *testing.T) {
	for name, test := range map[string]struct {
		sizes map[int]int // of the parts, by number
		parts int
		size  int64
	}{
		"in order":        {map[int]int{1: partSize, 2: partSize + 1, 3: 2 * partSize}, 3, 4*partSize + 1},
		"gap":             {map[int]int{1: partSize, 3: partSize, 4: partSize}, 1, partSize},
		"no first":        {map[int]int{2: partSize}, 0, 0},
		"short last":      {map[int]int{1: partSize, 2: partSize - 1}, 1, partSize},
		"short in middle": {map[int]int{1: partSize, 2: 5, 3: partSize}, 1, partSize},
		"short first":     {map[int]int{1: partSize - 1, 2: partSize}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.node.Create(r.target())
			for n, size := range test.sizes {
				r.put(s, n, size)
			}
			p := r.partial()
			if len(p.Parts) != test.parts || p.Size != test.size {
				t.Errorf("%d bytes in %d parts, want %d in %d", p.Size, len(p.Parts), test.size, test.parts)
			}
			s.Abort(t.Context())
		})
	}
}

// The record of an upload that the store does not know any more goes.
func TestPartialOfWhatIsGone(t *testing.T) {
	r := newRig(t)
	r.breakOff(1)
	record := r.record()
	r.away("Parts")
	_, err := r.node.Partial(t.Context(), r.files, record)
	r.fails(err, store.ErrUnavailable)
	r.files.Before = nil
	r.left(1, 1)

	r.must(r.files.Abort(t.Context(), record.Key, record.ID))
	for range 2 {
		_, err = r.node.Partial(t.Context(), r.files, record)
		r.fails(err, store.ErrNotExist)
		r.left(0, 0)
	}
}

func TestUpto(t *testing.T) {
	p := upload.Partial{Parts: []store.Part{{Number: 1, Size: 5}, {Number: 2, Size: 7}, {Number: 3, Size: 6}}, Size: 18}
	for n, parts := range map[int64]int{0: 0, 5: 1, 12: 2, 18: 3, 1: -1, 4: -1, 6: -1, 13: -1, 19: -1, -1: -1, 1 << 62: -1} {
		cut, ok := p.Upto(n)
		if ok != (parts >= 0) {
			t.Errorf("upto %d: %v", n, ok)
		}
		if ok && (len(cut.Parts) != parts || cut.Size != n) {
			t.Errorf("upto %d: %d bytes in %d parts", n, cut.Size, len(cut.Parts))
		}
	}
	if len(p.Parts) != 3 || p.Size != 18 {
		t.Error("the Partial itself was cut")
	}
}

func TestDiscardFails(t *testing.T) {
	r := newRig(t)
	r.breakOff(1)
	r.away("Abort")
	r.fails(r.node.Discard(t.Context(), r.files, r.record()), store.ErrUnavailable)
	r.left(1, 1)
}

// leases is a journal of one node, in fake time: it only counts.
type leases struct {
	upload.Journal // nil: nothing else is called
	mu             sync.Mutex
	held           map[string]time.Time // until when, by key
	err            map[string]error     // of Hold, by key
}

func (l *leases) Begin(_ context.Context, r upload.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[r.Key] = r.Lease
	return nil
}

func (l *leases) Hold(_ context.Context, r upload.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.err[r.Key]; err != nil {
		return err
	}
	l.held[r.Key] = r.Lease
	return nil
}

func (l *leases) Release(_ context.Context, r upload.Record) error { return l.End(nil, "", r.Key, "") } //nolint:staticcheck // no context is needed

func (l *leases) End(_ context.Context, _, key, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, key)
	return nil
}

// live lists what counts as alive now.
func (l *leases) live() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for key, until := range l.held {
		if time.Now().Before(until) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// A lease lasts as long as the session, and a while longer if the node dies.
func TestRunRenewsLeases(t *testing.T) {
	files := newRig(t).files
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, files: files}
		journal := &leases{held: make(map[string]time.Time), err: make(map[string]error)}
		node := upload.NewManager(upload.Options{Journal: journal, Node: "n1", Log: discardLog()})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { node.Run(ctx) })

		sessions := make(map[string]*upload.Session)
		for _, key := range []string{"a", "b", "c"} {
			target := r.target()
			target.Key = key
			sessions[key] = node.Create(target)
			r.put(sessions[key], 1, partSize)
		}
		expect := func(what string, after time.Duration, want ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if got := journal.live(); !slices.Equal(got, want) {
				t.Errorf("%s: alive are %q, want %q", what, got, want)
			}
		}
		expect("after an hour", time.Hour, "a", "b", "c")

		_, err := sessions["a"].Complete(t.Context())
		r.must(err)
		sessions["b"].Interrupt(t.Context())
		expect("completed and interrupted", time.Minute, "c")

		journal.mu.Lock()
		journal.err["c"] = errors.New("away")
		journal.mu.Unlock()
		expect("journal away for a while", 6*time.Second, "c")
		journal.mu.Lock()
		journal.err["c"] = nil
		journal.mu.Unlock()
		expect("journal back", time.Hour, "c")

		cancel()
		running.Wait()
		expect("node gone, a moment later", time.Second, "c")
		expect("node gone for a minute", time.Minute)
		sessions["c"].Abort(t.Context())
	})
}

// A session that has lost its upload adds nothing more to it: it would spoil the parts of
// the one that has it now.
func TestLostUploadGetsNoMoreParts(t *testing.T) {
	t.Run("to the same node", func(t *testing.T) {
		r := newRig(t)
		old := r.node.Create(r.target())
		r.put(old, 1, partSize)
		_, err := r.node.Resume(t.Context(), r.target(), r.partial())
		r.must(err)
		r.fails(old.PutPart(t.Context(), 2, nil, 0), upload.ErrTaken)
	})
	t.Run("to another node", func(t *testing.T) {
		files := newRig(t).files
		synctest.Test(t, func(t *testing.T) {
			r := &rig{t: t, files: files}
			journal := &leases{held: make(map[string]time.Time), err: make(map[string]error)}
			node := upload.NewManager(upload.Options{Journal: journal, Node: "n1", Log: discardLog()})
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { node.Run(ctx) })
			s := node.Create(r.target())
			r.put(s, 1, partSize)
			journal.mu.Lock()
			journal.err["f"] = upload.ErrTaken
			journal.mu.Unlock()
			time.Sleep(time.Minute)
			synctest.Wait()
			r.fails(s.PutPart(t.Context(), 2, nil, 0), upload.ErrTaken)
			s.Abort(t.Context())
			cancel()
			running.Wait()
		})
	})
}

// One upload that cannot be renewed does not keep the others from it.
func TestRenewGoesOn(t *testing.T) {
	files := newRig(t).files
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, files: files}
		journal := &leases{held: make(map[string]time.Time), err: make(map[string]error)}
		node := upload.NewManager(upload.Options{Journal: journal, Node: "n1", Log: discardLog()})
		for _, key := range []string{"a", "b", "c", "d"} {
			target := r.target()
			target.Key = key
			r.put(node.Create(target), 1, partSize)
		}
		journal.mu.Lock()
		journal.err["b"] = upload.ErrTaken
		journal.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { node.Run(ctx) })
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := journal.live(); !slices.Equal(got, []string{"a", "c", "d"}) {
			t.Errorf("alive are %q", got)
		}
		cancel()
		running.Wait()
	})
}

// A part that the store has lost, or that is another now, cannot be waited for: the upload
// is over.
func TestPartLostByTheStore(t *testing.T) {
	for name, lose := range map[string]func(*rig){
		"as the store says": func(r *rig) {
			r.files.Before = func(_ context.Context, c storetest.Call) error {
				if c.Op == "Complete" {
					return fmt.Errorf("the specified part could not be found: %w", store.ErrPartLost)
				}
				return nil
			}
		},
		"replaced": func(r *rig) {
			record := r.record()
			_, err := r.files.PutPart(t.Context(), record.Key, record.ID, 1, bytesOf(partSize), partSize)
			r.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.node.Create(r.target())
			r.put(s, 1, partSize)
			r.put(s, 2, 5)
			lose(r)
			_, err := s.Complete(t.Context())
			r.fails(err, upload.ErrLost)
			s.Abort(t.Context())
			r.left(0, 0)
			r.holds(nil)
		})
	}
}

// An upload that the store has lost is no missing file.
func TestUploadLostByTheStore(t *testing.T) {
	r := newRig(t)
	s := r.node.Create(r.target())
	r.put(s, 1, partSize)
	record := r.record()
	r.must(r.files.Store.Abort(t.Context(), record.Key, record.ID))
	r.fails(s.PutPart(t.Context(), 2, bytesOf(5), 5), upload.ErrLost)
	_, err := s.Complete(t.Context())
	r.fails(err, upload.ErrLost)
	s.Abort(t.Context())
	r.left(0, 0)
	r.holds(nil)
}
