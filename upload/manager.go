// Package upload makes objects from what clients send, so that readers see the old
// object or the new one, whole, and never a part. An upload that breaks off is kept for
// its owner to resume, on any node.
package upload

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
)

const (
	// abortTimeout bounds the clean-up after an upload that failed.
	abortTimeout = 30 * time.Second
	// leaseTime is how long a session that does not renew its lease counts as alive.
	leaseTime = 10 * time.Second
	// renewEvery is how often leases are renewed.
	renewEvery = 3 * time.Second
)

// Options of a Manager.
type Options struct {
	Journal Journal
	Node    string // this node's name
	Log     *slog.Logger
	// DirectParts is how many parts of a file are stored as such; what follows is gathered in
	// segments of at most SegmentSize bytes. 0 means 6,000 parts and 1.5 GiB, with which a
	// file can be as large as the store allows, and its end waits for a copy of no more.
	DirectParts int
	SegmentSize int64
}

const (
	directParts = 6000
	segmentSize = 3 << 29
)

// Manager begins and resumes uploads. It may be used concurrently.
type Manager struct {
	Options

	mu   sync.Mutex
	live map[*Session]bool // hold a lease that must be renewed

	away bool // the journal does not answer; of Run alone
}

// NewManager returns a Manager. Its Run must be running for leases to be renewed.
func NewManager(o Options) *Manager {
	o.DirectParts = cmp.Or(o.DirectParts, directParts)
	o.SegmentSize = cmp.Or(o.SegmentSize, segmentSize)
	return &Manager{Options: o, live: make(map[*Session]bool)}
}

// Run renews the leases of this node's uploads until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// renew extends all leases. A session that has lost its upload adds nothing more to it.
func (m *Manager) renew(ctx context.Context) {
	for _, s := range m.sessions() {
		err := s.hold(ctx)
		if err != nil && !errors.Is(err, ErrTaken) {
			if !m.away && ctx.Err() == nil {
				m.Log.Warn("leases of uploads not renewed; they pause until the database is back", "err", err)
			}
			m.away = true
			return // the next round tries again
		}
	}
	m.away = false
}

func (m *Manager) sessions() []*Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	sessions := make([]*Session, 0, len(m.live))
	for s := range m.live {
		sessions = append(sessions, s)
	}
	return sessions
}

func (m *Manager) setLive(s *Session, live bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if live {
		m.live[s] = true
	} else {
		delete(m.live, s)
	}
}

// Of lists what an account has not finished uploading to a bucket, or to any if that is "",
// the latest first.
func (m *Manager) Of(ctx context.Context, bucket, owner string) ([]Record, error) {
	return m.Journal.Of(ctx, bucket, owner)
}

// Partial is what is stored of an unfinished upload.
type Partial struct {
	Record
	Parts []store.Part // in order from 1, without a gap
	Size  int64        // bytes of Parts: from there it can be resumed
}

// Partial asks the store what it has of an unfinished upload. If the upload is gone, its
// record goes too, and the error is store.ErrNotExist.
func (m *Manager) Partial(ctx context.Context, s store.Multiparter, r Record) (Partial, error) {
	parts, err := s.Parts(ctx, r.Key, r.ID)
	if errors.Is(err, store.ErrNotExist) {
		if endErr := m.Journal.End(ctx, r.Bucket, r.Key, r.ID); endErr != nil {
			m.Log.Warn("record of a finished upload not removed", "key", r.Key, "err", endErr)
		}
		return Partial{}, err
	}
	if err != nil {
		return Partial{}, fmt.Errorf("list parts: %w", err)
	}
	parts = leading(parts)
	return Partial{Record: r, Parts: parts, Size: sizeOf(parts)}, nil
}

// Upto cuts a Partial down to its first n bytes; ok is false if no part ends there.
func (p Partial) Upto(n int64) (cut Partial, ok bool) {
	cut = Partial{Record: p.Record}
	for _, part := range p.Parts {
		if cut.Size == n {
			break
		}
		cut.Parts = append(cut.Parts, part)
		cut.Size += part.Size
	}
	return cut, cut.Size == n
}

// Discard throws an unfinished upload away.
func (m *Manager) Discard(ctx context.Context, s store.Multiparter, r Record) error {
	if err := s.Abort(ctx, r.Key, r.ID); err != nil {
		return fmt.Errorf("abort upload: %w", err)
	}
	return m.Journal.End(ctx, r.Bucket, r.Key, r.ID)
}

// newHolder names a session in the journal.
func newHolder() string { return rand.Text() }
