package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/internal/spdtest/dbtest"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/storetest"
)

// world is what sessions share: a bucket, and a database with the accounts.
type world struct {
	t        *testing.T
	service  *memory.Service
	bucket   store.Store       // what is really stored
	faults   *storetest.Faulty // the way there, which tests break
	requests *counter          // and what a session's driver sees
	db       *db.DB
	ledger   *quota.Ledger
	counter  *quota.Counter
	budget   *buffer.Budget
	made     driver.MadeDirs
	later    atomic.Int64 // nanoseconds by which the store's clock is ahead
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, budget: buffer.NewBudget(64 << 20)}
	service := memory.New()
	service.MinPartSize = partSize
	service.Now = func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }
	w.service, w.bucket = service, service.Bucket(bucket)
	w.faults = &storetest.Faulty{Store: timedCopies{w.bucket}}
	w.requests = newCounter(w.faults)

	w.db = dbtest.Open(t)
	log := slog.New(slog.DiscardHandler)
	w.counter = &quota.Counter{Counts: w.db.Counts(), Stores: w.open, Places: placesOf, Node: "node", Log: log}
	w.ledger = quota.NewLedger(quota.Options{Counts: w.db.Counts(), Counter: w.counter, Node: "node", Log: log})
	return w
}

// open opens any bucket but "missing".
func (w *world) open(name string) (store.Store, error) {
	switch name {
	case bucket:
		return w.requests, nil
	case "missing":
		return nil, store.ErrNoBucket
	}
	return timedCopies{w.service.Bucket(name)}, nil
}

// placesOf is where the files of users without mounts are.
func placesOf(_ context.Context, n quota.Name) ([]quota.Place, error) {
	if n.User == "" {
		return []quota.Place{quota.PlaceOf(n)}, nil
	}
	return []quota.Place{{Bucket: bucket, Prefix: n.User + "/"}}, nil
}

// countAgain makes the counts again that are in doubt, when nothing is under way. SQLite's
// clock goes by milliseconds: a doubt that is younger is for the next round.
func (w *world) countAgain() {
	w.t.Helper()
	w.noteDoubts()
	spdtest.Await(w.t, "counts in doubt are made again", func() error {
		soon := time.Now().Add(time.Second)
		if err := w.counter.Work(w.t.Context()); err != nil {
			return err
		}
		doubts, err := w.db.Counts().Expired(w.t.Context(), soon)
		return errors.Join(err, spdtest.Equal(len(doubts), 0))
	})
}

// noteDoubts writes down which counts are in doubt.
func (w *world) noteDoubts() {
	ctx, cancel := context.WithCancel(w.t.Context())
	cancel()
	w.ledger.Run(ctx) // one last round
}

// timedCopies answers Copy as S3 does, with the time of the copy.
type timedCopies struct{ store.Store }

func (s timedCopies) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	if o, err := s.Store.Copy(ctx, dst, src); err != nil {
		return o, err
	}
	return s.Stat(ctx, dst)
}

// objects is all that the bucket holds: contents by key.
func (w *world) objects() map[string]string {
	w.t.Helper()
	found := make(map[string]string)
	for o, err := range w.bucket.List(w.t.Context(), "", store.ListOptions{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		body, _, err := w.bucket.Open(w.t.Context(), o.Key, 0, -1, "")
		if err != nil {
			w.t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			w.t.Fatal(err)
		}
		_ = body.Close()
		found[o.Key] = string(data)
	}
	return found
}

// unchanged checks that the bucket holds what it did, and no upload besides.
func (w *world) unchanged(before map[string]string) {
	w.t.Helper()
	w.sameObjects(before)
	w.noUploads()
}

// sameObjects checks that the store holds what it did before.
func (w *world) sameObjects(before map[string]string) {
	w.t.Helper()
	after := w.objects()
	if !maps.Equal(before, after) {
		w.t.Errorf("objects %q, want %q", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// noUploads checks that no multipart upload is left, in the store or in the journal.
func (w *world) noUploads() {
	w.t.Helper()
	uploads, err := w.bucket.Uploads(w.t.Context(), "")
	if err != nil || len(uploads) > 0 {
		w.t.Errorf("uploads left in the store: %v, %v", uploads, err)
	}
	records, err := w.db.Expired(w.t.Context(), time.Now().Add(time.Hour))
	if err != nil || len(records) > 0 {
		w.t.Errorf("uploads left in the journal: %v, %v", records, err)
	}
}

// plant stores an object without the gateway, as other programs do.
func (w *world) plant(key, data string) {
	w.t.Helper()
	_, err := w.bucket.Put(w.t.Context(), key, strings.NewReader(data), int64(len(data)), store.PutOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

// fail makes requests fail: those of one kind, to keys that contain part.
func (w *world) fail(op, part string, err error) {
	w.faults.Before = func(_ context.Context, c storetest.Call) error {
		if c.Op == op && strings.Contains(c.Key, part) {
			return fmt.Errorf("%s http://minio.internal/%s/%s: %w", op, bucket, c.Key, err)
		}
		return nil
	}
}
