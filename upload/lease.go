package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// No two sessions write to one upload, on whatever nodes they are. A session writes only
// while it is sure to hold the lease, by its own clock, which need not agree with anybody's.
// One that takes the upload over waits for the end of the lease before. So a session that
// cannot reach the journal pauses when its lease ends, and goes on when it has renewed it:
// if nobody else has taken the upload meanwhile.

const (
	// leaseMargin is how much earlier a session stops than others may begin.
	leaseMargin = time.Second
	// regainFor is how long a paused session waits for the journal, and regainEvery how often
	// it asks.
	regainFor   = time.Minute
	regainEvery = 500 * time.Millisecond
	// holdTimeout bounds one renewal.
	holdTimeout = 5 * time.Second
)

// errLapsed: the lease has ended in the middle of a request.
var errLapsed = errors.New("lease of the upload not renewed in time")

// owning does something to the upload while no other session can. If the lease ends in the
// middle, do is ended, and called again once it has been regained.
func (s *Session) owning(ctx context.Context, do func(context.Context) error) error {
	for {
		if err := s.regain(ctx); err != nil {
			return err
		}
		if err := s.whileHeld(ctx, do); !errors.Is(err, errLapsed) {
			return err
		}
	}
}

// whileHeld calls do, and ends its context when the lease ends: errLapsed.
func (s *Session) whileHeld(ctx context.Context, do func(context.Context) error) error {
	if !s.inJournal() {
		return do(ctx) // nobody else can know of the upload
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var timer *time.Timer
	timer = time.AfterFunc(leaseTime, func() { // not before the Reset below
		if left := s.left(); left > 0 {
			timer.Reset(left)
			return
		}
		cancel(errLapsed)
	})
	defer timer.Stop()
	timer.Reset(s.left())
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errLapsed) {
		return fmt.Errorf("%w: %w", errLapsed, err)
	}
	return err
}

// regain waits until the session holds its upload, and nobody before it does.
func (s *Session) regain(ctx context.Context) error {
	if err := s.awaitFormer(ctx); err != nil {
		return err
	}
	deadline := time.Now().Add(regainFor)
	for {
		switch {
		case s.isTaken():
			return ErrTaken
		case !s.inJournal() || s.left() > 0:
			return nil
		}
		err := s.hold(ctx)
		if err == nil || errors.Is(err, ErrTaken) {
			return err
		}
		if time.Now().After(deadline) {
			return store.Unavailable(fmt.Errorf("%w: %w", errLapsed, err))
		}
		if err := pause(ctx, regainEvery); err != nil {
			return err
		}
	}
}

// awaitFormer waits until whoever held the upload before must have stopped.
func (s *Session) awaitFormer(ctx context.Context) error {
	s.mu.Lock()
	busy := s.busy
	s.mu.Unlock()
	if wait := time.Until(busy); wait > 0 {
		return pause(ctx, wait)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold renews the lease.
func (s *Session) hold(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	sent := time.Now()
	err := s.manager.Journal.Hold(ctx, s.leased())
	switch {
	case err == nil:
		s.renewed(sent)
	case errors.Is(err, ErrTaken):
		s.lose()
	}
	return err
}

// renewed notes that a lease has begun when it was asked for, or later.
func (s *Session) renewed(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = sent
}

// left is how much longer the session may write.
func (s *Session) left() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return leaseTime - leaseMargin - time.Since(s.held)
}

func (s *Session) inJournal() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noted
}

func (s *Session) isTaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// again lets a part be sent from its beginning.
func again(body io.Seeker) error {
	if body == nil {
		return nil
	}
	_, err := body.Seek(0, io.SeekStart)
	return err
}
