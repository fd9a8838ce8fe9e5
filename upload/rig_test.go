package upload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest/dbtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	bucket   = "spd"
	partSize = store.MinPartSize
)

var errAway = errors.New("away")

// rig is a store and a journal, which tests break, and a node that uses them.
type rig struct {
	t       *testing.T
	files   *storetest.Faulty
	db      *db.DB
	journal *faultyJournal
	node    *upload.Manager
}

func newRig(t *testing.T) *rig {
	t.Helper()
	database := dbtest.Open(t)
	r := &rig{t: t, files: &storetest.Faulty{Store: memory.New().Bucket(bucket)}, db: database}
	r.journal = &faultyJournal{Journal: database}
	r.node = r.newNode("n1")
	return r
}

// newNode is a node in front of the same store and journal.
func (r *rig) newNode(name string) *upload.Manager {
	return upload.NewManager(upload.Options{Journal: r.journal, Node: name, Log: discardLog()})
}

// faultyJournal fails as before says; nil lets all pass.
type faultyJournal struct {
	upload.Journal
	mu     sync.Mutex
	before func(op string) error
}

func (j *faultyJournal) fail(before func(op string) error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.before = before
}

// failing makes some methods fail.
func failing(ops ...string) func(string) error {
	return func(op string) error {
		if slices.Contains(ops, op) {
			return errAway
		}
		return nil
	}
}

func (j *faultyJournal) ask(op string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.before == nil {
		return nil
	}
	return j.before(op)
}

func (j *faultyJournal) Begin(ctx context.Context, r upload.Record) error {
	if err := j.ask("Begin"); err != nil {
		return err
	}
	return j.Journal.Begin(ctx, r)
}

func (j *faultyJournal) Take(ctx context.Context, r upload.Record) (time.Time, error) {
	if err := j.ask("Take"); err != nil {
		return time.Time{}, err
	}
	return j.Journal.Take(ctx, r)
}

func (j *faultyJournal) Hold(ctx context.Context, r upload.Record) error {
	if err := j.ask("Hold"); err != nil {
		return err
	}
	return j.Journal.Hold(ctx, r)
}

func (j *faultyJournal) Release(ctx context.Context, r upload.Record) error {
	if err := j.ask("Release"); err != nil {
		return err
	}
	return j.Journal.Release(ctx, r)
}

func (j *faultyJournal) End(ctx context.Context, bucket, key, id string) error {
	if err := j.ask("End"); err != nil {
		return err
	}
	return j.Journal.End(ctx, bucket, key, id)
}

func (j *faultyJournal) Expired(ctx context.Context, before time.Time) ([]upload.Record, error) {
	if err := j.ask("Expired"); err != nil {
		return nil, err
	}
	return j.Journal.Expired(ctx, before)
}

func (j *faultyJournal) Known(ctx context.Context, bucket, key, id string) (bool, error) {
	if err := j.ask("Known"); err != nil {
		return false, err
	}
	return j.Journal.Known(ctx, bucket, key, id)
}

// target is what becomes of an upload to "f", which nothing speaks against.
func (r *rig) target() upload.Target {
	return upload.Target{
		Store: r.files, Bucket: bucket, Key: "f", Owner: "alice", PartSize: partSize,
		Confirm: func(context.Context, int64) error { return nil },
		Alive:   func() error { return nil },
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// fails expects an error.
func (r *rig) fails(err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("error %v, want %v", err, want)
	}
}

// piece is the content of part n, when it has size bytes.
func piece(n, size int) []byte { return bytes.Repeat([]byte{byte(n)}, size) }

// put adds part n.
func (r *rig) put(s *upload.Session, n, size int) {
	r.t.Helper()
	r.must(s.PutPart(r.t.Context(), n, bytes.NewReader(piece(n, size)), int64(size)))
}

// holds checks the object; nil: there is none.
func (r *rig) holds(want []byte) {
	r.t.Helper()
	body, _, err := r.files.Store.Open(r.t.Context(), "f", 0, -1, "")
	if want == nil {
		r.fails(err, store.ErrNotExist)
		return
	}
	r.must(err)
	got := make([]byte, len(want)+1)
	n, err := io.ReadFull(body, got)
	r.fails(err, io.ErrUnexpectedEOF)
	if !bytes.Equal(got[:n], want) {
		r.t.Errorf("the object has %d bytes, want %d, or others", n, len(want))
	}
}

// plant stores an object behind everybody's back.
func (r *rig) plant(data []byte) store.Object {
	r.t.Helper()
	o, err := r.files.Store.Put(r.t.Context(), "f", bytes.NewReader(data), int64(len(data)), store.PutOptions{})
	r.must(err)
	return o
}

// left checks how many uploads there are in the store, and in the journal.
func (r *rig) left(stored, noted int) {
	r.t.Helper()
	uploads, err := r.files.Store.Uploads(r.t.Context(), "")
	r.must(err)
	records, err := r.db.Of(r.t.Context(), bucket, "alice")
	r.must(err)
	if len(uploads) != stored || len(records) != noted {
		r.t.Errorf("%d uploads in the store, %d in the journal; want %d and %d", len(uploads), len(records), stored, noted)
	}
}

// record is the only one in the journal.
func (r *rig) record() upload.Record {
	r.t.Helper()
	records, err := r.node.Of(r.t.Context(), bucket, "alice")
	r.must(err)
	if len(records) != 1 {
		r.t.Fatalf("%d records, want one", len(records))
	}
	return records[0]
}

// partial is what is stored of the only upload.
func (r *rig) partial() upload.Partial {
	r.t.Helper()
	p, err := r.node.Partial(r.t.Context(), r.files, r.record())
	r.must(err)
	return p
}

// breakOff begins an upload of n parts that is interrupted.
func (r *rig) breakOff(n int) {
	r.t.Helper()
	s := r.node.Create(r.target())
	for i := range n {
		r.put(s, i+1, partSize)
	}
	s.Interrupt(r.t.Context())
}

// away makes requests of one kind fail, as if the store was away.
func (r *rig) away(op string) {
	r.files.Before = func(_ context.Context, c storetest.Call) error {
		if c.Op == op {
			return store.Unavailable(fmt.Errorf("%s: %w", op, errAway))
		}
		return nil
	}
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func bytesOf(n int) io.ReadSeeker { return bytes.NewReader(make([]byte, n)) }
