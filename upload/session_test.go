package upload_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

func TestPutWhole(t *testing.T) {
	r := newRig(t)
	asked := int64(-1)
	target := r.target()
	target.Confirm = func(_ context.Context, size int64) error { asked = size; return nil }
	r.journal.fail(func(op string) error { t.Errorf("the journal is asked to %s", op); return nil })

	s := r.node.Create(target)
	r.must(s.PutWhole(t.Context(), bytes.NewReader([]byte("hello")), 5))
	object, err := s.Complete(t.Context())
	r.must(err)
	if object.Size != 5 || object.ETag == "" || asked != 5 {
		t.Errorf("object %v, confirmed %d bytes", object, asked)
	}
	r.holds([]byte("hello"))
	s.Interrupt(t.Context()) // what is published stays so
	s.Abort(t.Context())
	r.holds([]byte("hello"))
}

// What must be new leaves an object that is there alone, even one that came meanwhile.
func TestNewObject(t *testing.T) {
	r := newRig(t)
	target := r.target()
	target.New = true
	r.must(r.node.Create(target).PutWhole(t.Context(), bytes.NewReader([]byte("first")), 5))
	r.fails(r.node.Create(target).PutWhole(t.Context(), bytes.NewReader([]byte("later")), 5), store.ErrExist)
	r.holds([]byte("first"))

	s := r.node.Create(target)
	r.put(s, 1, partSize)
	_, err := s.Complete(t.Context())
	r.fails(err, store.ErrExist)
	s.Abort(t.Context())
	r.holds([]byte("first"))
	r.left(0, 0)

	r.must(r.files.Delete(t.Context(), target.Key))
	s = r.node.Create(target)
	r.put(s, 1, partSize)
	_, err = s.Complete(t.Context())
	r.must(err)
	r.holds(piece(1, partSize))
}

// If it is not known whether the name is free, it is not taken.
func TestNewObjectWithTheStoreAway(t *testing.T) {
	r := newRig(t)
	target := r.target()
	target.New = true
	s := r.node.Create(target)
	r.put(s, 1, partSize)
	r.away("Stat")
	_, err := s.Complete(t.Context())
	r.fails(err, store.ErrUnavailable)
	r.files.Before = nil
	r.holds(nil)
	s.Abort(t.Context())
	r.left(0, 0)
}

func TestPartsOutOfOrder(t *testing.T) {
	r := newRig(t)
	s := r.node.Create(r.target())
	var wg sync.WaitGroup
	for _, n := range []int{3, 1, 4, 2} {
		wg.Go(func() {
			size := partSize
			if n == 4 {
				size = 7
			}
			if err := s.PutPart(t.Context(), n, bytes.NewReader(piece(n, size)), int64(size)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r.left(1, 1)
	r.holds(nil)
	object, err := s.Complete(t.Context())
	r.must(err)
	if object.Size != 3*partSize+7 {
		t.Errorf("size %d", object.Size)
	}
	r.holds(slices.Concat(piece(1, partSize), piece(2, partSize), piece(3, partSize), piece(4, 7)))
	r.left(0, 0)
}

func TestCopyBase(t *testing.T) {
	r := newRig(t)
	old := r.plant(piece(9, partSize+100))
	s := r.node.Create(r.target())
	r.must(s.CopyBase(t.Context(), old, partSize))
	next := s.NextPart()
	r.put(s, next, 3)
	_, err := s.Complete(t.Context())
	r.must(err)
	r.holds(slices.Concat(piece(9, partSize), piece(next, 3)))
	r.left(0, 0)
}

// The base must still be what was looked at.
func TestCopyBaseOfAnotherObject(t *testing.T) {
	r := newRig(t)
	old := r.plant(piece(9, partSize))
	r.plant(piece(8, partSize))
	s := r.node.Create(r.target())
	r.fails(s.CopyBase(t.Context(), old, partSize), store.ErrChanged)
	s.Abort(t.Context())
	r.holds(piece(8, partSize))
	r.left(0, 0)
}

// Complete names the parts that the session has seen stored, not what else is there.
func TestCompleteNamesItsParts(t *testing.T) {
	r := newRig(t)
	r.breakOff(3)
	cut, ok := r.partial().Upto(partSize)
	if !ok {
		t.Fatal("no part ends there")
	}
	s, err := r.node.Resume(t.Context(), r.target(), cut)
	r.must(err)
	r.put(s, 2, 5)
	_, err = s.Complete(t.Context())
	r.must(err)
	r.holds(slices.Concat(piece(1, partSize), piece(2, 5)))
	r.left(0, 0)
}

func TestConfirmRefuses(t *testing.T) {
	refused := errors.New("refused")
	for _, size := range []int{5, partSize} {
		r := newRig(t)
		r.plant([]byte("old"))
		target := r.target()
		target.Confirm = func(_ context.Context, got int64) error {
			if got != int64(size) {
				t.Errorf("asked for %d bytes, want %d", got, size)
			}
			return refused
		}
		s := r.node.Create(target)
		if size < partSize {
			r.fails(s.PutWhole(t.Context(), bytes.NewReader(make([]byte, size)), int64(size)), refused)
		} else {
			r.put(s, 1, size)
			_, err := s.Complete(t.Context())
			r.fails(err, refused)
		}
		s.Abort(t.Context())
		r.holds([]byte("old"))
		r.left(0, 0)
	}
}

// What Complete could not publish can be kept, and published by another session.
func TestCompleteFails(t *testing.T) {
	for _, keep := range []bool{true, false} {
		r := newRig(t)
		r.plant([]byte("old"))
		s := r.node.Create(r.target())
		r.put(s, 1, partSize)
		r.put(s, 2, 3)
		r.away("Complete")
		_, err := s.Complete(t.Context())
		r.fails(err, store.ErrUnavailable)
		r.files.Before = nil
		r.holds([]byte("old"))
		if !keep {
			s.Abort(t.Context())
			r.left(0, 0)
			continue
		}
		s.Interrupt(t.Context())
		r.left(1, 1)
		p := r.partial()
		if p.Size != partSize { // the short part cannot be followed by another
			t.Errorf("%d bytes can be resumed from", p.Size)
		}
		s, err = r.node.Resume(t.Context(), r.target(), p)
		r.must(err)
		r.put(s, 2, 4)
		_, err = s.Complete(t.Context())
		r.must(err)
		r.holds(slices.Concat(piece(1, partSize), piece(2, 4)))
		r.left(0, 0)
	}
}

// An upload whose Complete has worked, though nobody was told, is over.
func TestCompleteWorkedUnheard(t *testing.T) {
	r := newRig(t)
	s := r.node.Create(r.target())
	r.put(s, 1, partSize)
	r.files.After = func(_ context.Context, c storetest.Call, err error) error {
		if c.Op == "Complete" {
			return store.Unavailable(errAway)
		}
		return err
	}
	_, err := s.Complete(t.Context())
	r.fails(err, store.ErrUnavailable)
	s.Interrupt(t.Context())
	r.left(0, 1)
	_, err = r.node.Partial(t.Context(), r.files, r.record())
	r.fails(err, store.ErrNotExist)
	r.left(0, 0)
	r.holds(piece(1, partSize))
}

// What can be resumed is kept; anything else is thrown away.
func TestInterrupt(t *testing.T) {
	for name, test := range map[string]struct {
		add  func(*rig, *upload.Session)
		kept int
	}{
		"nothing sent":       {func(*rig, *upload.Session) {}, 0},
		"first part":         {func(r *rig, s *upload.Session) { r.put(s, 1, partSize) }, 1},
		"short first part":   {func(r *rig, s *upload.Session) { r.put(s, 1, partSize-1) }, 0},
		"without first part": {func(r *rig, s *upload.Session) { r.put(s, 2, partSize) }, 0},
		"gap":                {func(r *rig, s *upload.Session) { r.put(s, 1, partSize); r.put(s, 3, partSize) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.node.Create(r.target())
			test.add(r, s)
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the session is over already
			s.Interrupt(ctx)
			r.left(test.kept, test.kept)
			if test.kept == 0 {
				return
			}
			if record := r.record(); record.Live(time.Now()) || record.Holder != "" {
				t.Errorf("still held: %+v", record)
			}
			if p := r.partial(); p.Size != partSize || len(p.Parts) != 1 {
				t.Errorf("%d bytes in %d parts can be resumed", p.Size, len(p.Parts))
			}
		})
	}
}

func TestAbortAfterTheSessionHasEnded(t *testing.T) {
	r := newRig(t)
	s := r.node.Create(r.target())
	r.put(s, 1, partSize)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Abort(ctx)
	r.left(0, 0)
}

// What the store does not abort stays in the journal, for the janitor.
func TestAbortFails(t *testing.T) {
	r := newRig(t)
	s := r.node.Create(r.target())
	r.put(s, 1, partSize)
	r.away("Abort")
	s.Abort(t.Context())
	r.left(1, 1)
}

func TestResumeTakesOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := r.newNode("n2")
	old := r.node.Create(r.target())
	r.put(old, 1, partSize)
	p := r.partial()
	if !p.Live(time.Now()) || p.Node != "n1" {
		t.Errorf("the upload is not live on n1: %+v", p.Record)
	}
	s, err := other.Resume(t.Context(), r.target(), p)
	r.must(err)
	if record := r.record(); !record.Live(time.Now()) || record.Node != "n2" {
		t.Errorf("the upload is not live on n2: %+v", record)
	}

	_, err = old.Complete(t.Context())
	r.fails(err, upload.ErrTaken)
	old.Interrupt(t.Context()) // which is not his to release,
	old.Abort(t.Context())     // or to throw away
	if record := r.record(); !record.Live(time.Now()) {
		t.Errorf("released by the one who had it before: %+v", record)
	}
	r.put(s, 2, 3)
	_, err = s.Complete(t.Context())
	r.must(err)
	r.holds(slices.Concat(piece(1, partSize), piece(2, 3)))
	r.left(0, 0)
}

func TestResumeOfWhatIsGone(t *testing.T) {
	r := newRig(t)
	r.breakOff(1)
	p := r.partial()
	r.must(r.node.Discard(t.Context(), r.files, p.Record))
	r.left(0, 0)
	_, err := r.node.Resume(t.Context(), r.target(), p)
	r.fails(err, upload.ErrTaken)
	r.must(r.node.Discard(t.Context(), r.files, p.Record)) // again
}

// Whoever held an upload that was taken over may not know it until his lease ends. The new
// holder waits for that, and the old one writes no more from then on, journal or not.
func TestTakeOverWaitsForTheLease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cutOff := &faultyJournal{Journal: r.db}
	old := upload.NewManager(upload.Options{Journal: cutOff, Node: "n1", Log: discardLog()}).Create(r.target())
	r.put(old, 1, partSize)
	cutOff.fail(failing("Hold", "End", "Release"))
	r.put(old, 2, partSize) // his lease is good for some seconds more

	taken := time.Now()
	s, err := r.newNode("n2").Resume(t.Context(), r.target(), r.partial())
	r.must(err)
	r.put(s, 3, partSize)
	if waited := time.Since(taken); waited < 8*time.Second {
		t.Errorf("it waited for %v only", waited)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := old.PutPart(ctx, 2, bytesOf(partSize-1), partSize-1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a part of him who has no lease: %v", err)
	}
	if _, err = old.Complete(ctx); err == nil {
		t.Error("completed by him who has no lease")
	}
	old.Abort(t.Context()) // which is not his to throw away
	cutOff.fail(nil)
	r.fails(old.PutPart(t.Context(), 2, bytesOf(partSize-1), partSize-1), upload.ErrTaken)
	_, err = old.Complete(t.Context())
	r.fails(err, upload.ErrTaken)
	_, err = s.Complete(t.Context())
	r.must(err)
	r.holds(slices.Concat(piece(1, partSize), piece(2, partSize), piece(3, partSize)))
	r.left(0, 0)
}

// A session whose lease has ended goes on when it has it again, from the part that it was at.
func TestUploadPausesWithoutLease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.node.Create(r.target())
	r.put(s, 1, partSize)
	r.journal.fail(failing("Hold"))
	begun := make(chan struct{})
	var tries atomic.Int32
	r.files.Before = func(ctx context.Context, c storetest.Call) error {
		if c.Op == "PutPart" && tries.Add(1) == 1 { // a request that hangs until the lease ends
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- s.PutPart(t.Context(), 2, bytes.NewReader(piece(2, partSize)), partSize) }()
	<-begun
	select {
	case err := <-done:
		t.Fatalf("not paused: %v", err)
	case <-time.After(11 * time.Second): // longer than a lease
	}
	r.journal.fail(nil)
	r.must(<-done)
	_, err := s.Complete(t.Context())
	r.must(err)
	r.holds(slices.Concat(piece(1, partSize), piece(2, partSize)))
}

// What an earlier session has stored behind a gap never follows what a later one adds.
func TestPartsBehindAGapAreCutOff(t *testing.T) {
	r := newRig(t)
	s := r.node.Create(r.target())
	for _, n := range []int{1, 3, 4} {
		r.put(s, n, partSize)
	}
	s.Interrupt(t.Context())
	s, err := r.newNode("n2").Resume(t.Context(), r.target(), r.partial())
	r.must(err)
	r.put(s, 2, partSize+1) // broken off behind it
	s.Interrupt(t.Context())
	p := r.partial()
	if p.Size != 2*partSize+1 {
		t.Errorf("%d bytes can be resumed", p.Size)
	}
	s, err = r.newNode("n3").Resume(t.Context(), r.target(), p)
	r.must(err)
	r.put(s, 3, 7)
	_, err = s.Complete(t.Context())
	r.must(err)
	r.holds(slices.Concat(piece(1, partSize), piece(2, partSize+1), piece(3, 7)))
	r.left(0, 0)
}

// It is tried again when it has failed.
func TestCuttingOffFails(t *testing.T) {
	for _, op := range []string{"Parts", "PutPart"} {
		r := newRig(t)
		s := r.node.Create(r.target())
		r.put(s, 1, partSize)
		r.put(s, 3, partSize)
		s.Interrupt(t.Context())
		s, err := r.node.Resume(t.Context(), r.target(), r.partial())
		r.must(err)
		r.away(op)
		r.fails(s.PutPart(t.Context(), 2, bytesOf(partSize), partSize), store.ErrUnavailable)
		r.files.Before = nil
		r.put(s, 2, partSize)
		s.Interrupt(t.Context())
		if p := r.partial(); p.Size != 2*partSize {
			t.Errorf("%s: %d bytes can be resumed", op, p.Size)
		}
	}
}

// A journal that is away costs the possibility to resume, not the transfer.
func TestJournalIsAway(t *testing.T) {
	for _, op := range []string{"Begin", "Hold", "End"} {
		t.Run(op, func(t *testing.T) {
			r := newRig(t)
			r.journal.fail(failing(op))
			s := r.node.Create(r.target())
			r.put(s, 1, partSize)
			r.put(s, 2, 3)
			_, err := s.Complete(t.Context())
			r.must(err)
			r.holds(slices.Concat(piece(1, partSize), piece(2, 3)))
		})
	}
	t.Run("all the time, and interrupted", func(t *testing.T) {
		r := newRig(t)
		r.journal.fail(failing("Begin", "Hold", "Release", "End"))
		s := r.node.Create(r.target())
		r.put(s, 1, partSize)
		s.Interrupt(t.Context())
		r.left(0, 0) // nobody would find it
	})
	t.Run("when released", func(t *testing.T) {
		r := newRig(t)
		s := r.node.Create(r.target())
		r.put(s, 1, partSize)
		r.journal.fail(failing("Release"))
		s.Interrupt(t.Context())
		r.journal.fail(nil)
		if record := r.record(); !record.Live(time.Now()) || record.Live(time.Now().Add(time.Minute)) {
			t.Errorf("its lease does not end by itself: %+v", record)
		}
	})
	t.Run("when resumed", func(t *testing.T) {
		r := newRig(t)
		r.breakOff(1)
		p := r.partial()
		r.journal.fail(failing("Take"))
		if _, err := r.node.Resume(t.Context(), r.target(), p); !errors.Is(err, errAway) {
			t.Errorf("error %v", err)
		}
		r.left(1, 1)
	})
}

// A failed Begin is tried again by the next part.
func TestBeginFails(t *testing.T) {
	r := newRig(t)
	r.away("Begin")
	s := r.node.Create(r.target())
	r.fails(s.PutPart(t.Context(), 1, bytes.NewReader(nil), 0), store.ErrUnavailable)
	s.Interrupt(t.Context())
	s.Abort(t.Context())
	r.files.Before = nil
	r.left(0, 0)
	r.put(s, 1, partSize)
	_, err := s.Complete(t.Context())
	r.must(err)
	r.holds(piece(1, partSize))
}
