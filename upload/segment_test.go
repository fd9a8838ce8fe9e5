package upload_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/retry"
	"github.com/spdscheme/spdserver/store/s3"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

// The limits of these tests: parts 1 and 2 are stored as such, 3 to 5 are the first segment,
// 6 to 8 the second.
const (
	direct     = 2
	perSegment = 3
)

// newSegmentRig is a rig whose nodes have those limits. Its store takes parts of any size.
func newSegmentRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	service := memory.New()
	service.MinPartSize = 1
	r.files.Store = service.Bucket(bucket)
	r.node = r.segmentNode("n1")
	return r
}

func (r *rig) segmentNode(name string) *upload.Manager {
	return upload.NewManager(upload.Options{
		Journal: r.journal, Node: name, Log: discardLog(), DirectParts: direct, SegmentSize: perSegment * partSize,
	})
}

// pieces is what the parts from..to make together, each of size bytes.
func pieces(from, to, size int) []byte {
	var all []byte
	for n := from; n <= to; n++ {
		all = append(all, piece(n, size)...)
	}
	return all
}

// putAll adds the parts from..to.
func (r *rig) putAll(s *upload.Session, from, to, size int) {
	r.t.Helper()
	for n := from; n <= to; n++ {
		r.put(s, n, size)
	}
}

func (r *rig) complete(s *upload.Session) {
	r.t.Helper()
	object, err := s.Complete(r.t.Context())
	r.must(err)
	if stored, err := r.files.Store.Stat(r.t.Context(), "f"); err != nil || stored.Size != object.Size {
		r.t.Errorf("%d bytes published, %d stored, %v", object.Size, stored.Size, err)
	}
}

// nothingElse checks that no upload, no segment and no record is left.
func (r *rig) nothingElse() {
	r.t.Helper()
	for o, err := range r.files.Store.List(r.t.Context(), "", store.ListOptions{}) {
		if r.must(err); o.Key != "f" {
			r.t.Errorf("left in the store: %s", o.Key)
		}
	}
	records, err := r.db.Expired(r.t.Context(), time.Now().Add(time.Hour))
	r.must(err)
	for _, record := range records {
		r.t.Errorf("left in the journal: %s", record.Key)
	}
	r.left(0, 0)
}

// sweep has the janitor throw away all that nobody resumes. It finds segments by their
// records, in whatever bucket they are, and uploads that were never noted in those it knows.
func (r *rig) sweep() {
	r.t.Helper()
	j := r.janitor("n1", -time.Hour)
	j.Buckets = nil
	r.must(j.Work(r.t.Context()))
	for o, err := range r.files.Store.List(r.t.Context(), store.HiddenDir, store.ListOptions{}) {
		r.t.Errorf("left in the store: %s, %v", o.Key, err)
	}
	r.must(r.janitor("n1", -time.Hour).Work(r.t.Context()))
}

func TestSegments(t *testing.T) {
	const size = 1000
	for parts := 1; parts <= direct+3*perSegment+1; parts++ {
		for _, last := range []int{1, size - 1, size} {
			r := newSegmentRig(t)
			s := r.node.Create(r.target())
			r.putAll(s, 1, parts-1, size)
			r.put(s, parts, last)
			r.complete(s)
			r.holds(slices.Concat(pieces(1, parts-1, size), piece(parts, last)))
			r.nothingElse()
		}
	}
}

// Parts come in any order that several workers bring about.
func TestSegmentsOutOfOrder(t *testing.T) {
	const size, parts = 1000, direct + 4*perSegment + 2
	for range 20 {
		r := newSegmentRig(t)
		s := r.node.Create(r.target())
		var workers sync.WaitGroup
		order := rand.Perm(parts)
		for w := range 4 {
			workers.Go(func() {
				for i := w; i < parts; i += 4 {
					n := order[i] + 1
					if err := s.PutPart(t.Context(), n, bytes.NewReader(piece(n, size)), size); err != nil {
						t.Error(err)
					}
				}
			})
		}
		workers.Wait()
		r.complete(s)
		r.holds(pieces(1, parts, size))
		r.nothingElse()
	}
}

// Where segments begin behind a base follows from how many parts that has.
func TestSegmentsBehindABase(t *testing.T) {
	r := newSegmentRig(t)
	base := r.plant(piece(99, partSize))
	s := r.node.Create(r.target())
	r.must(s.CopyBase(t.Context(), base, partSize))
	if s.NextPart() != 2 {
		t.Errorf("goes on with part %d", s.NextPart())
	}
	r.putAll(s, 2, 7, 1000)
	r.complete(s)
	r.holds(slices.Concat(piece(99, partSize), pieces(2, 7, 1000)))
	r.nothingElse()
}

// What is in order is kept, and only that, and goes on from there on another node.
func TestInterruptedInASegment(t *testing.T) {
	for name, test := range map[string]struct {
		stored []int
		kept   int // parts
	}{
		"direct parts":                 {[]int{1, 2}, 2},
		"part of a segment":            {[]int{1, 2, 3, 4}, 4},
		"a whole one":                  {[]int{1, 2, 3, 4, 5}, 5},
		"part of the second":           {[]int{1, 2, 3, 4, 5, 6, 7}, 7},
		"a gap in the segment":         {[]int{1, 2, 3, 5}, 3},
		"a gap at its beginning":       {[]int{1, 2, 4, 5}, 2},
		"a gap before it":              {[]int{1, 3, 4}, 1},
		"a gap, and another behind":    {[]int{1, 2, 3, 5, 6, 7}, 3},
		"a gap, and a whole behind":    {[]int{1, 2, 3, 5, 6, 7, 8}, 2},
		"nothing, and a whole behind":  {[]int{1, 2, 6, 7, 8}, 2},
		"a gap, and two whole behind":  {[]int{1, 2, 4, 6, 7, 8, 9, 10, 11}, 2},
		"several whole, and some more": {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSegmentRig(t)
			s := r.node.Create(r.target())
			for _, n := range test.stored {
				r.put(s, n, partSize)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the session is over already
			s.Interrupt(ctx)
			p := r.partial()
			if p.Size != int64(test.kept)*partSize {
				t.Fatalf("%d bytes are kept, want %d parts", p.Size, test.kept)
			}
			r.left(1, 1)
			r.goOn(p, test.kept, 1000)
		})
	}
}

// goOn resumes an upload of which the bytes of some parts are there, and adds more than a
// segment.
func (r *rig) goOn(p upload.Partial, kept, size int) {
	r.t.Helper()
	s, err := r.segmentNode("n2").Resume(r.t.Context(), r.target(), p)
	r.must(err)
	next := s.NextPart()
	for i := range perSegment + 1 {
		r.must(s.PutPart(r.t.Context(), next+i, bytes.NewReader(piece(kept+1+i, size)), int64(size)))
	}
	r.complete(s)
	r.holds(slices.Concat(pieces(1, kept, partSize), pieces(kept+1, kept+perSegment+1, size)))
	r.sweep() // of what a dead node has left
	r.nothingElse()
}

// A segment that a later session folds early is not followed by one that an earlier has folded.
func TestSegmentsBehindAGapAreCutOff(t *testing.T) {
	r := newSegmentRig(t)
	s := r.node.Create(r.target())
	for _, n := range []int{1, 2, 3, 5, 6, 7, 8} { // 4 is missing; the second segment is folded
		r.put(s, n, partSize)
	}
	s.Interrupt(t.Context())
	s, err := r.segmentNode("n2").Resume(t.Context(), r.target(), r.partial())
	r.must(err)
	r.put(s, s.NextPart(), partSize) // broken off behind it
	s.Interrupt(t.Context())
	p := r.partial()
	if p.Size != 3*partSize {
		t.Errorf("%d bytes can be resumed, want 3 parts", p.Size)
	}
	r.goOn(p, 3, 1000)
}

// step is a request that a node makes for a segment.
type step struct {
	op     string
	hidden bool // of the segment itself
}

func (s step) is(c storetest.Call) bool { return c.Op == s.op && store.Hidden(c.Key) == s.hidden }

func steps() map[string]step {
	return map[string]step{
		"begun":         {"Begin", true},
		"a part stored": {"PutPart", true},
		"completed":     {"Complete", true},
		"copied":        {"CopyPart", false},
		"aborted":       {"Abort", true}, // of which nothing is left
		"deleted":       {"Delete", true},
	}
}

// A node that dies, whenever that is, loses no more than the segment it was at, and what it
// leaves behind goes.
func TestNodeDiesInASegment(t *testing.T) {
	for name, at := range steps() {
		t.Run(name, func(t *testing.T) {
			r := newSegmentRig(t)
			r.dieAt(at)
			p := r.partial()
			kept := int(p.Size / partSize)
			if kept != direct && kept != direct+perSegment {
				t.Errorf("%d parts can be resumed", kept)
			}
			r.goOn(p, kept, 1000)
		})
	}
}

// dieAt uploads until a request has been served, and then nothing more is heard of the node.
func (r *rig) dieAt(at step) {
	var dead atomic.Bool
	r.files.After = func(_ context.Context, c storetest.Call, err error) error {
		if at.is(c) {
			dead.Store(true)
		}
		return err
	}
	r.files.Before = func(context.Context, storetest.Call) error {
		if dead.Load() {
			return store.Unavailable(errAway)
		}
		return nil
	}
	r.journal.fail(func(string) error {
		if dead.Load() {
			return errAway
		}
		return nil
	})
	s := r.node.Create(r.target())
	for n := 1; !dead.Load(); n++ {
		_ = s.PutPart(r.t.Context(), n, bytes.NewReader(piece(n, partSize)), partSize) // died in it, perhaps
	}
	r.files.After, r.files.Before = nil, nil
	r.journal.fail(nil)
	r.must(r.db.Release(r.t.Context(), r.record())) // as if its lease had ended
}

// A request that fails once, whether or not it was served, is repeated, and nobody notices.
func TestSegmentRequestsAreRepeated(t *testing.T) {
	const size = 1000
	for name, at := range steps() {
		for _, served := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, served: %v", name, served), func(t *testing.T) {
				r := newSegmentRig(t)
				r.failOnce(at, served)
				target := r.target()
				target.Store = retry.Wrap(r.files, retry.Options{First: time.Millisecond})
				s := r.node.Create(target)
				r.putAll(s, 1, 10, size)
				r.complete(s)
				r.holds(pieces(1, 10, size))
				r.sweep() // a Begin whose answer was lost leaves an upload behind
				r.nothingElse()
			})
		}
	}
}

// failOnce makes the first request of a kind fail, before or after it is served.
func (r *rig) failOnce(at step, served bool) {
	var failed atomic.Bool
	fail := func(c storetest.Call) error {
		if at.is(c) && failed.CompareAndSwap(false, true) {
			return store.Unavailable(errAway)
		}
		return nil
	}
	if !served {
		r.files.Before = func(_ context.Context, c storetest.Call) error { return fail(c) }
		return
	}
	r.files.After = func(_ context.Context, c storetest.Call, err error) error {
		if lost := fail(c); err == nil {
			return lost
		}
		return err
	}
}

// When nobody repeats it, the upload breaks off; all that was stored is kept, and folded if
// the store is back.
func TestSegmentRequestsFail(t *testing.T) {
	for name, at := range steps() {
		for _, served := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, served: %v", name, served), func(t *testing.T) {
				r := newSegmentRig(t)
				r.failOnce(at, served)
				s := r.node.Create(r.target())
				kept := 0
				for n := 1; n <= 6 && s.PutPart(t.Context(), n, bytes.NewReader(piece(n, partSize)), partSize) == nil; n++ {
					kept = n
				}
				if at.op == "Complete" && !served || at.op == "CopyPart" {
					kept++ // the part was stored, and what failed is done when it is interrupted
				}
				s.Interrupt(t.Context())
				p := r.partial()
				if p.Size != int64(kept)*partSize {
					t.Errorf("%d bytes can be resumed, want %d parts", p.Size, kept)
				}
				r.goOn(p, kept, 1000)
			})
		}
	}
}

// The last segment is folded when no more is to come. If that fails, it is no loss.
func TestLastFoldFails(t *testing.T) {
	for _, at := range []step{{"Complete", true}, {"CopyPart", false}} {
		r := newSegmentRig(t)
		r.failOnce(at, at.op == "CopyPart")
		s := r.node.Create(r.target())
		r.putAll(s, 1, 4, partSize)
		_, err := s.Complete(t.Context())
		r.fails(err, store.ErrUnavailable)
		r.holds(nil)
		s.Interrupt(t.Context())
		p := r.partial()
		if p.Size != 4*partSize {
			t.Errorf("%s: %d bytes can be resumed", at.op, p.Size)
		}
		r.goOn(p, 4, 1000)
	}
}

// What was not confirmed, or is of a client that has gone, leaves nothing or can be resumed.
func TestSegmentsOfWhatIsRefused(t *testing.T) {
	for _, end := range []func(*upload.Session, context.Context){(*upload.Session).Abort, (*upload.Session).Interrupt} {
		r := newSegmentRig(t)
		target := r.target()
		target.Confirm = func(_ context.Context, size int64) error {
			if size != 4*partSize+7 {
				t.Errorf("asked for %d bytes", size)
			}
			return errAway
		}
		s := r.node.Create(target)
		r.putAll(s, 1, 4, partSize)
		r.put(s, 5, 7)
		_, err := s.Complete(t.Context())
		r.fails(err, errAway)
		end(s, t.Context())
		r.sweep()
		r.holds(nil)
		r.nothingElse()
	}
}

func TestAbortInSegments(t *testing.T) {
	r := newSegmentRig(t)
	s := r.node.Create(r.target())
	for _, n := range []int{1, 2, 3, 4, 6, 7, 8, 10} { // two segments in progress, and one folded
		r.put(s, n, 100)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Abort(ctx)
	r.holds(nil)
	r.nothingElse()
}

// Whoever has lost the upload folds no more into it, and takes his segments away.
func TestTakenOverInASegment(t *testing.T) {
	r := newSegmentRig(t)
	old := r.node.Create(r.target())
	r.putAll(old, 1, 7, partSize) // one segment folded, and one begun
	p := r.partial()
	s, err := r.node.Resume(t.Context(), r.target(), p) // the same node: nobody waits for a lease
	r.must(err)
	_, err = old.Complete(t.Context())
	r.fails(err, upload.ErrTaken)
	old.Interrupt(t.Context())
	r.must(s.PutPart(t.Context(), s.NextPart(), bytes.NewReader(piece(6, partSize)), partSize))
	r.complete(s)
	r.holds(pieces(1, 6, partSize))
	r.nothingElse()
}

// Segments belong to nobody's list of unfinished uploads, and live as long as their node.
func TestRecordsOfSegments(t *testing.T) {
	r := newSegmentRig(t)
	s := r.node.Create(r.target())
	r.putAll(s, 1, 4, partSize)
	if record := r.record(); record.Key != "f" {
		t.Errorf("alice sees %s", record.Key)
	}
	segments, err := r.db.Of(t.Context(), bucket, "")
	r.must(err)
	if len(segments) != 1 || !store.Hidden(segments[0].Key) || !segments[0].Live(time.Now()) || strings.ContainsAny(segments[0].Key, " +") {
		t.Errorf("segments %+v", segments)
	}
	r.must(r.janitor("n1", 0).Work(t.Context())) // which is not to touch what is live
	r.put(s, 5, partSize)
	r.complete(s)
	r.nothingElse()
}

// The janitor lets a segment be that is being folded, however long that takes, and deletes
// those that no record leads to.
func TestJanitorDeletesSegments(t *testing.T) {
	r := newSegmentRig(t)
	put := func(key string) {
		_, err := r.files.Put(t.Context(), key, bytesOf(1), 1, store.PutOptions{})
		r.must(err)
	}
	put(store.HiddenDir + "/left")
	r.must(r.janitor("n1", time.Hour).Work(t.Context())) // it is too young
	_, err := r.files.Stat(t.Context(), store.HiddenDir+"/left")
	r.must(err)

	folding := false
	r.files.Before = func(ctx context.Context, c storetest.Call) error {
		if c.Op != "CopyPart" {
			return nil
		}
		folding = true
		return r.janitor("n1", -5*time.Second).Work(ctx) // objects are old enough, leases are not
	}
	s := r.node.Create(r.target())
	r.putAll(s, 1, 5, partSize)
	r.complete(s)
	r.holds(pieces(1, 5, partSize))
	r.nothingElse()
	if !folding {
		t.Error("nothing was folded")
	}
}

// A journal that is away costs segments nothing, either.
func TestSegmentsWithoutJournal(t *testing.T) {
	for _, op := range []string{"Begin", "Hold", "End"} {
		r := newSegmentRig(t)
		r.journal.fail(failing(op))
		s := r.node.Create(r.target())
		r.putAll(s, 1, 9, 1000)
		r.complete(s)
		r.holds(pieces(1, 9, 1000))
		r.journal.fail(nil)
		r.sweep()
		r.nothingElse()
	}
}

// The same with a store that is none of ours, from breaking off to the end.
func TestSegmentsOnMinIO(t *testing.T) {
	r := newSegmentRig(t)
	e := spdtest.MinIO(t)
	client, err := s3.New(s3.Options{Endpoint: e.URL, AccessKey: e.AccessKey, SecretKey: e.SecretKey})
	r.must(err)
	t.Cleanup(client.Close)
	r.must(client.MakeBucket(t.Context(), bucket))
	r.files.Store = client.Bucket(bucket)
	s := r.node.Create(r.target())
	r.putAll(s, 1, 7, partSize)
	s.Interrupt(t.Context())
	p := r.partial()
	if p.Size != 7*partSize {
		t.Errorf("%d bytes can be resumed", p.Size)
	}
	r.goOn(p, 7, partSize)

	r.dieAt(step{"Complete", true})
	r.sweep()
	r.holds(pieces(1, 11, partSize)) // as before
	r.nothingElse()
}
