package upload

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spdscheme/spdserver/store"
)

// The store takes only so many parts of an upload, and a part that a client sends must fit
// into memory. So what comes behind the first parts is gathered in segments. A segment is an
// upload of its own, under a hidden key. When it is full it is folded: completed, made one
// part of its upload by a copy inside the store, and deleted.
//
// Its record stays in the journal until the object is deleted, so that the janitor finds what
// a node leaves behind that dies in between.

// segment is one that is being filled.
type segment struct {
	*Session
	stored atomic.Int32 // parts
}

// layout says which of the parts that a client's bytes are gathered into are parts of the
// upload, and which are gathered further.
type layout struct {
	direct  int // the first parts, which are the upload's own
	segment int // how many of those behind become one
}

// layout is that of an upload none of whose parts is larger than that.
func (m *Manager) layout(largest int64) layout {
	return layout{direct: m.DirectParts, segment: int(max(m.SegmentSize/max(largest, store.MinPartSize), 1))}
}

// place is the part of the upload that part n goes into. within is its number in the
// segment, or 0 if it is that part itself.
func (l layout) place(n int) (part, within int) {
	behind := n - l.direct - 1
	if behind < 0 {
		return n, 0
	}
	return l.direct + 1 + behind/l.segment, behind%l.segment + 1
}

// first is the first part that goes into a part of the upload.
func (l layout) first(part int) int {
	return part + max(part-l.direct-1, 0)*(l.segment-1)
}

// NextPart is the number of the part to go on with, behind those that are stored.
func (s *Session) NextPart() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layout.first(len(s.parts) + 1)
}

// LastPart is the highest number that a part can have.
func (s *Session) LastPart() int { return s.layout.first(store.MaxParts+1) - 1 }

// putInSegment stores a part of the segment that becomes part n. Whoever stores the last
// that it lacks folds it.
func (s *Session) putInSegment(ctx context.Context, n, within int, body io.ReadSeeker, size int64) error {
	g := s.segment(n)
	if err := g.PutPart(ctx, within, body, size); err != nil {
		return fmt.Errorf("segment %d: %w", n, err)
	}
	if int(g.stored.Add(1)) < s.layout.segment {
		return nil
	}
	return s.fold(ctx, n, g.inOrder())
}

// segment is the one that becomes part n.
func (s *Session) segment(n int) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.segments[n]
	if !ok {
		target := s.target
		target.Key, target.Owner, target.New = store.HiddenDir+"/"+rand.Text(), "", false
		target.Confirm = func(context.Context, int64) error { return nil }
		target.Alive = func() error { return nil }
		g = &segment{Session: s.manager.Create(target)}
		g.layout = layout{direct: store.MaxParts}
		s.segments[n] = g
	}
	return g
}

// fold makes a segment of these parts, and that one part of the upload.
func (s *Session) fold(ctx context.Context, n int, parts []store.Part) error {
	g := s.segment(n)
	object, err := g.publishOnce(ctx, parts)
	if err == nil {
		err = lost(s.copyPart(ctx, n, object, 0, object.Size))
	}
	if err != nil {
		return fmt.Errorf("fold segment %d: %w", n, err)
	}
	s.mu.Lock()
	delete(s.segments, n)
	s.mu.Unlock()
	g.Abort(ctx) // of what is left
	return nil
}

// publishOnce is publish, unless that has been done and nobody was told. Nobody else knows
// the key.
func (g *segment) publishOnce(ctx context.Context, parts []store.Part) (store.Object, error) {
	object, err := g.publish(ctx, parts)
	if err == nil {
		return object, nil
	}
	if object, statErr := g.target.Store.Stat(ctx, g.target.Key); statErr == nil && object.Size == sizeOf(parts) {
		return object, nil
	}
	return store.Object{}, err
}

// foldLast folds what is left when no more is to come: all parts are stored.
func (s *Session) foldLast(ctx context.Context) error {
	for _, n := range s.unfolded() {
		if err := s.fold(ctx, n, s.segment(n).inOrder()); err != nil {
			return err
		}
	}
	return nil
}

// foldDurable folds what whoever resumes can go on from, and throws the rest away. Nothing may
// be stored behind a segment that lacks a part: it would seem to follow.
func (s *Session) foldDurable(ctx context.Context) {
	defer s.dropSegments(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	for _, n := range s.unfolded() {
		parts, kept := s.inOrder(), leading(s.segment(n).inOrder())
		if parts[len(parts)-1].Number != n-1 || len(kept) == 0 {
			return
		}
		if err := s.fold(ctx, n, kept); err != nil {
			s.manager.Log.Warn("end of an interrupted upload not kept", "key", s.target.Key, "err", err)
			return
		}
		if len(kept) < s.layout.segment {
			return
		}
	}
}

// remove throws away what is stored of an upload: of a segment also its object.
func remove(ctx context.Context, s store.Store, key, id string) error {
	if err := s.Abort(ctx, key, id); err != nil || !store.Hidden(key) {
		return err
	}
	return s.Delete(ctx, key)
}

// dropSegments throws away what has not been folded.
func (s *Session) dropSegments(ctx context.Context) {
	var dropping sync.WaitGroup
	for _, n := range s.unfolded() {
		dropping.Go(func() { s.segment(n).Abort(ctx) })
	}
	dropping.Wait()
}

// unfolded lists the segments there are, in order.
func (s *Session) unfolded() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.segments))
}
