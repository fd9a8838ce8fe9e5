// Package upload makes objects from what clients send, so that readers see the old
// object or the new one, whole, and never a part.
package upload

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// abortTimeout bounds the clean-up after an upload that failed.
const abortTimeout = 30 * time.Second

// Manager begins uploads. It may be used concurrently.
type Manager struct {
	journal Journal
	node    string
	log     *slog.Logger
}

// NewManager returns a Manager that notes multipart uploads of this node in journal.
func NewManager(journal Journal, node string, log *slog.Logger) *Manager {
	return &Manager{journal: journal, node: node, log: log}
}

// Target is what an upload is to become.
type Target struct {
	Store    store.Store
	Bucket   string
	Key      string
	Owner    string // account name
	PartSize int64  // bytes of the first parts
	// Confirm is asked right before the object becomes visible, once; an error keeps it
	// from that. size is what the whole object will have.
	Confirm func(ctx context.Context, size int64) error
}

// Session is one upload: a buffer.PartSink whose parts become one object. A small file
// is one Put; anything larger is a multipart upload, begun with its first part.
//
// PutPart may be called concurrently; Complete and Abort are called after all PutParts
// have returned, and one of them must be.
type Session struct {
	manager *Manager
	target  Target

	mu     sync.Mutex
	id     string // of the multipart upload; "" before the first part
	parts  []store.Part
	object store.Object
	done   bool // the object is published
}

// Create begins an upload. It makes no request.
func (m *Manager) Create(target Target) *Session {
	return &Session{manager: m, target: target}
}

// PutWhole publishes a file smaller than a part by one Put.
func (s *Session) PutWhole(ctx context.Context, body io.ReadSeeker, size int64) error {
	if err := s.target.Confirm(ctx, size); err != nil {
		return err
	}
	object, err := s.target.Store.Put(ctx, s.target.Key, body, size, store.PutOptions{})
	if err != nil {
		return fmt.Errorf("put object: %w", err)
	}
	s.object, s.done = object, true
	return nil
}

// PutPart stores one part of a larger file.
func (s *Session) PutPart(ctx context.Context, n int, body io.ReadSeeker, size int64) error {
	id, err := s.begin(ctx)
	if err != nil {
		return err
	}
	part, err := s.target.Store.PutPart(ctx, s.target.Key, id, n, body, size)
	if err != nil {
		return err
	}
	s.add(part)
	return nil
}

// CopyBase makes the first n bytes of an existing object the first parts of this one,
// inside the store, and returns how many parts that took. n must be at least
// store.MinPartSize.
func (s *Session) CopyBase(ctx context.Context, base store.Object, n int64) (parts int, err error) {
	id, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	ranges := baseRanges(n)
	for i, r := range ranges {
		part, err := s.target.Store.CopyPart(ctx, s.target.Key, id, i+1, base, r.off, r.size)
		if err != nil {
			return 0, fmt.Errorf("copy part %d of the present object: %w", i+1, err)
		}
		s.add(part)
	}
	return len(ranges), nil
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
	if s.id != "" {
		return s.id, nil
	}
	id, err := s.target.Store.Begin(ctx, s.target.Key, store.PutOptions{})
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", err)
	}
	s.id = id
	record := Record{
		Bucket: s.target.Bucket, Key: s.target.Key, ID: id,
		Owner: s.target.Owner, Node: s.manager.node,
		PartSize: s.target.PartSize, Started: time.Now(),
	}
	if err := s.manager.journal.Begin(ctx, record); err != nil {
		// A database that is away must not stop a transfer that needs it only if it fails.
		s.manager.log.Warn("upload not noted in the journal", "key", s.target.Key, "err", err)
	}
	return id, nil
}

func (s *Session) add(part store.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, part)
}

// Complete publishes the object, unless PutWhole has.
func (s *Session) Complete(ctx context.Context) (store.Object, error) {
	if s.done {
		return s.object, nil
	}
	slices.SortFunc(s.parts, func(a, b store.Part) int { return a.Number - b.Number })
	var size int64
	for _, part := range s.parts {
		size += part.Size
	}
	if err := s.target.Confirm(ctx, size); err != nil {
		return store.Object{}, err
	}
	object, err := s.target.Store.Complete(ctx, s.target.Key, s.id, s.parts)
	if err != nil {
		return store.Object{}, fmt.Errorf("complete upload: %w", err)
	}
	s.done = true
	object.Size = size
	s.forget(context.WithoutCancel(ctx))
	return object, nil
}

// Abort throws away what was stored, if the object was not published. It works also
// after ctx has ended.
func (s *Session) Abort(ctx context.Context) {
	if s.done || s.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	if err := s.target.Store.Abort(ctx, s.target.Key, s.id); err != nil {
		s.manager.log.Warn("upload not aborted; its journal row stays", "key", s.target.Key, "err", err)
		return
	}
	s.forget(ctx)
}

// forget removes the journal row.
func (s *Session) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	if err := s.manager.journal.End(ctx, s.target.Bucket, s.target.Key, s.id); err != nil {
		s.manager.log.Warn("finished upload still in the journal", "key", s.target.Key, "err", err)
	}
}
