package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// Target is what an upload is to become.
type Target struct {
	Store    store.Store
	Bucket   string
	Key      string
	Owner    string // account name
	PartSize int64  // bytes of the first parts
	Largest  int64  // bytes of the largest part that may come
	New      bool   // nothing is replaced: if there is an object of that name, store.ErrExist
	// Confirm is asked right before the object becomes visible, once; an error keeps it
	// from that. size is what the whole object will have.
	Confirm func(ctx context.Context, size int64) error
	// Alive is asked after Confirm, at the very last moment: an error says that the client
	// has gone. It may be asked several times.
	Alive func() error
}

// Session is one upload: a buffer.PartSink whose parts become one object. A small file
// is one Put; anything larger is a multipart upload, begun with its first part. Its parts
// are numbered on, far beyond those of a multipart upload; see segment.go.
//
// PutPart may be called concurrently. One of Complete, Interrupt and Abort is called when
// all PutParts have returned.
type Session struct {
	manager *Manager
	target  Target

	mu     sync.Mutex
	record Record    // of the multipart upload; without an ID before the first part
	noted  bool      // record is in the journal
	taken  bool      // another session has taken the upload over
	held   time.Time // when the last renewal of the lease was sent that has arrived
	busy   time.Time // until when the session before may not have heard that it has lost
	parts  map[int]store.Part
	object store.Object
	done   bool // the object is published

	sealing sync.Mutex
	sealed  bool // nothing is stored behind the parts it goes on from

	layout   layout
	segments map[int]*segment // not folded yet, by the part that each becomes
}

// Create begins an upload. It makes no request.
func (m *Manager) Create(target Target) *Session {
	return &Session{
		manager: m, target: target, parts: make(map[int]store.Part),
		layout: m.layout(target.Largest), segments: make(map[int]*segment), sealed: true,
	}
}

// Resume goes on with an unfinished upload, behind the parts of p; whoever was adding to
// it no longer may.
func (m *Manager) Resume(ctx context.Context, target Target, p Partial) (*Session, error) {
	s := m.Create(target)
	s.record, s.sealed = p.Record, false
	for _, part := range p.Parts {
		s.parts[part.Number] = part
	}
	s.record.Node, s.record.Holder, s.noted = m.Node, newHolder(), true
	sent := time.Now()
	busy, err := m.Journal.Take(ctx, s.leased())
	if err != nil {
		return nil, err
	}
	s.held, s.busy = sent, busy
	for _, other := range m.sessions() {
		if other.leased().same(s.record) {
			other.lose()
			s.busy = time.Time{} // it has heard
		}
	}
	m.setLive(s, true)
	return s, nil
}

// leased is the session's record with a fresh lease.
func (s *Session) leased() Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record
	r.Lease = time.Now().Add(leaseTime)
	return r
}

// lose makes the session add no more parts: they would take the place of those of the
// session that has the upload now.
func (s *Session) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = true
}

// PutWhole publishes a file smaller than a part by one Put.
func (s *Session) PutWhole(ctx context.Context, body io.ReadSeeker, size int64) error {
	if err := s.target.Confirm(ctx, size); err != nil {
		return err
	}
	var gone error
	alive := func() error {
		if gone = s.target.Alive(); gone != nil {
			return errGone // which is not tried again
		}
		return nil
	}
	object, err := s.target.Store.Put(ctx, s.target.Key, body, size, store.PutOptions{IfAbsent: s.target.New, Confirm: alive})
	if gone != nil {
		return gone
	}
	if err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	s.object, s.done = object, true
	return nil
}

var errGone = errors.New("the client has gone")

// PutPart stores one part of a larger file, 1 to LastPart.
func (s *Session) PutPart(ctx context.Context, n int, body io.ReadSeeker, size int64) error {
	id, err := s.begin(ctx)
	if err != nil {
		return err
	}
	if err := s.seal(ctx, id); err != nil {
		return err
	}
	n, within := s.layout.place(n)
	if within > 0 {
		return s.putInSegment(ctx, n, within, body, size)
	}
	return s.owning(ctx, func(ctx context.Context) error {
		if err := again(body); err != nil {
			return err
		}
		part, err := s.target.Store.PutPart(ctx, s.target.Key, id, n, body, size)
		if err != nil {
			return lost(err)
		}
		s.add(part)
		return nil
	})
}

// seal cuts off what is stored behind the parts that the session goes on from, whose place in
// the file will be another: should this session end early, too, its last part could have that
// for a successor. S3 deletes no single parts; one of a byte is none that others can follow.
func (s *Session) seal(ctx context.Context, id string) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	if s.sealed {
		return nil
	}
	err := s.owning(ctx, func(ctx context.Context) error {
		stored, err := s.target.Store.Parts(ctx, s.target.Key, id)
		if err != nil {
			return fmt.Errorf("list parts: %w", lost(err))
		}
		return s.cutOff(ctx, id, stored)
	})
	s.sealed = err == nil
	return err
}

func (s *Session) cutOff(ctx context.Context, id string, stored []store.Part) error {
	for _, p := range stored {
		if _, mine := s.parts[p.Number]; mine || p.Size < store.MinPartSize {
			continue
		}
		if _, err := s.target.Store.PutPart(ctx, s.target.Key, id, p.Number, bytes.NewReader([]byte{0}), 1); err != nil {
			return fmt.Errorf("cut off part %d: %w", p.Number, lost(err))
		}
	}
	return nil
}

// CopyBase makes the first n bytes of an existing object the first parts of this one,
// inside the store. n must be at least store.MinPartSize.
func (s *Session) CopyBase(ctx context.Context, base store.Object, n int64) error {
	for i, r := range baseRanges(n) {
		if err := s.copyPart(ctx, i+1, base, r.off, r.size); err != nil {
			return fmt.Errorf("copy the present object: %w", err)
		}
	}
	return nil
}

// copyPart makes part n of bytes of another object.
func (s *Session) copyPart(ctx context.Context, n int, from store.Object, off, size int64) error {
	id, err := s.begin(ctx)
	if err != nil {
		return err
	}
	return s.owning(ctx, func(ctx context.Context) error {
		part, err := s.target.Store.CopyPart(ctx, s.target.Key, id, n, from, off, size)
		if err != nil {
			return fmt.Errorf("copy part %d: %w", n, err)
		}
		s.add(part)
		return nil
	})
}

type byteRange struct{ off, size int64 }

// baseRanges cuts n bytes into as few parts of equal size as S3 allows.
func baseRanges(n int64) []byteRange {
	count := (n + store.MaxPartSize - 1) / store.MaxPartSize
	size := (n + count - 1) / count
	var ranges []byteRange
	for off := int64(0); off < n; off += size {
		ranges = append(ranges, byteRange{off, min(size, n-off)})
	}
	return ranges
}

// begin begins the multipart upload, once, and returns its id.
func (s *Session) begin(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.taken:
		return "", ErrTaken
	case s.record.ID != "":
		return s.record.ID, nil
	}
	id, err := s.target.Store.Begin(ctx, s.target.Key, store.PutOptions{})
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", err)
	}
	now := time.Now()
	s.record = Record{
		Bucket: s.target.Bucket, Key: s.target.Key, ID: id,
		Owner: s.target.Owner, Node: s.manager.Node, Holder: newHolder(),
		PartSize: s.target.PartSize, Started: now, Lease: now.Add(leaseTime),
	}
	if err := s.manager.Journal.Begin(context.WithoutCancel(ctx), s.record); err != nil {
		// A database that is away must not stop a transfer that needs it only if it fails.
		s.manager.Log.Warn("upload not noted in the journal; it could not be resumed", "key", s.target.Key, "err", err)
		return id, nil
	}
	s.noted, s.held = true, now
	s.manager.setLive(s, true)
	return id, nil
}

func (s *Session) add(part store.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[part.Number] = part
}

// inOrder lists the parts by number.
func (s *Session) inOrder() []store.Part {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := slices.Collect(maps.Values(s.parts))
	slices.SortFunc(parts, func(a, b store.Part) int { return a.Number - b.Number })
	return parts
}

// leading is what others can follow of parts in order: those from 1 on, without a gap.
func leading(parts []store.Part) []store.Part {
	n := 0
	for n < len(parts) && parts[n].Number == n+1 && parts[n].Size >= store.MinPartSize {
		n++
	}
	return parts[:n]
}

// sizeOf is how many bytes parts have.
func sizeOf(parts []store.Part) (size int64) {
	for _, part := range parts {
		size += part.Size
	}
	return size
}

// Complete publishes the object, unless PutWhole has. It names the very parts that this
// session has seen stored: should another session have taken the upload over and replaced
// one of them, the store refuses, and no bytes are mixed.
func (s *Session) Complete(ctx context.Context) (store.Object, error) {
	if s.done {
		return s.object, nil
	}
	if err := s.foldLast(ctx); err != nil {
		return store.Object{}, err
	}
	parts := s.inOrder()
	if err := s.target.Confirm(ctx, sizeOf(parts)); err != nil {
		return store.Object{}, err
	}
	if err := s.nameFree(ctx); err != nil {
		return store.Object{}, err
	}
	if err := s.target.Alive(); err != nil {
		return store.Object{}, err
	}
	object, err := s.publish(ctx, parts)
	if err != nil {
		return store.Object{}, err
	}
	s.done = true
	s.end(context.WithoutCancel(ctx))
	return object, nil
}

// publish makes the object of these parts.
func (s *Session) publish(ctx context.Context, parts []store.Part) (object store.Object, err error) {
	if err := s.stillHeld(ctx); err != nil {
		return store.Object{}, err
	}
	err = s.whileHeld(ctx, func(ctx context.Context) (err error) {
		object, err = s.target.Store.Complete(ctx, s.target.Key, s.record.ID, parts)
		return err
	})
	if errors.Is(err, errLapsed) {
		err = store.Unavailable(err)
	}
	if err != nil {
		return store.Object{}, fmt.Errorf("complete upload: %w", lost(err))
	}
	object.Size = sizeOf(parts)
	return object, nil
}

// nameFree checks that an object that must be new still is. S3 stores that cannot complete an
// upload under a condition are many, so this leaves a moment in which another may come.
func (s *Session) nameFree(ctx context.Context) error {
	if !s.target.New {
		return nil
	}
	switch _, err := s.target.Store.Stat(ctx, s.target.Key); {
	case errors.Is(err, store.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for the name: %w", err)
	}
	return store.ErrExist
}

// lost tells an upload that is gone, or has lost a part, from a file that does not exist.
// It can never be completed.
func lost(err error) error {
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrPartLost) {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return err
}

// stillHeld fails if another session has taken the upload over. If the journal is away, the
// lease must do as long as it lasts; then it waits.
func (s *Session) stillHeld(ctx context.Context) error {
	if !s.inJournal() {
		return nil
	}
	if err := s.hold(ctx); errors.Is(err, ErrTaken) {
		return err
	}
	return s.regain(ctx)
}

// Interrupt keeps what was stored for the owner to resume, if that is anything, else it
// is Abort. It works also after ctx has ended.
func (s *Session) Interrupt(ctx context.Context) {
	if s.done || s.record.ID == "" {
		return
	}
	if first, ok := s.parts[1]; !ok || first.Size < store.MinPartSize || !s.noted {
		s.Abort(ctx) // nothing to resume, or nobody would find it
		return
	}
	s.foldDurable(ctx)
	s.manager.setLive(s, false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	released := s.record
	released.Lease = time.Now()
	if err := s.manager.Journal.Release(ctx, released); err != nil {
		s.manager.Log.Warn("interrupted upload not released; it is when its lease ends", "key", s.target.Key, "err", err)
	}
}

// Abort throws away what was stored, if the object was not published. It works also
// after ctx has ended.
func (s *Session) Abort(ctx context.Context) {
	s.dropSegments(ctx)
	if s.done || s.record.ID == "" {
		return
	}
	s.manager.setLive(s, false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	if s.inJournal() && s.hold(ctx) != nil && (s.isTaken() || s.left() <= 0) {
		return // it is another's, or may be; if nobody's, the janitor's
	}
	if err := remove(ctx, s.target.Store, s.target.Key, s.record.ID); err != nil {
		s.manager.Log.Warn("upload not aborted; the janitor will", "key", s.target.Key, "err", err)
		return
	}
	s.end(ctx)
}

// end removes the journal's record.
func (s *Session) end(ctx context.Context) {
	s.manager.setLive(s, false)
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	if err := s.manager.Journal.End(ctx, s.target.Bucket, s.target.Key, s.record.ID); err != nil {
		s.manager.Log.Warn("finished upload still in the journal", "key", s.target.Key, "err", err)
	}
}
