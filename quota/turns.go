package quota

import (
	"context"
	"fmt"
	"time"
)

const (
	// TurnsKept is how long is known that somebody has changed an object.
	TurnsKept = time.Minute
	// turnTimeout bounds how long an operation waits for those of other nodes.
	turnTimeout = time.Minute
	// turnPause is how long it waits before it asks again; it doubles.
	turnPause    = 5 * time.Millisecond
	maxTurnPause = 100 * time.Millisecond
)

// Turn is the right to change an object before anybody else does, on any node: from the
// moment in which is asked what it replaces, or deletes, until that is counted. End must be
// called; it does nothing on nil.
type Turn struct {
	ledger *Ledger
	name   Name
	object string
	unlock func() // this node's other sessions
	since  time.Time
	quiet  bool // nobody else has had a turn for TurnsKept
}

// Turn waits for the turn to change an object (bucket, "/" and key) that a count holds. Who
// wants several must ask for them in the order of their names.
func (l *Ledger) Turn(ctx context.Context, n Name, object string) (*Turn, error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	unlock, err := l.locks.lock(ctx, object)
	if err != nil {
		return nil, err
	}
	t := &Turn{ledger: l, name: n, object: object, unlock: unlock, since: time.Now()}
	if err := t.take(ctx); err != nil {
		unlock()
		return nil, fmt.Errorf("take turns: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns[t] = struct{}{}
	return t, nil
}

func (t *Turn) take(ctx context.Context) error {
	l := t.ledger
	for pause := turnPause; ; pause = min(2*pause, maxTurnPause) {
		taken, quiet, err := l.Counts.TakeTurn(ctx, t.object, l.Node, time.Now().Add(leaseTime))
		if t.quiet = quiet; err != nil || taken {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("another node is busy with it: %w", ctx.Err())
		}
	}
}

// Unchanged tells whether the object is still what was read from the store at a time before
// the turn.
func (t *Turn) Unchanged(read time.Time) bool {
	return t.quiet && time.Since(read) < TurnsKept/2
}

// End gives the turn to the next one, in spite of a session that has ended. If another node
// could not wait for it, the count is made again.
func (t *Turn) End(ctx context.Context) {
	if t == nil {
		return
	}
	defer t.unlock()
	l := t.ledger
	l.mu.Lock()
	delete(l.turns, t)
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if held, err := l.Counts.EndTurn(ctx, t.object, l.Node); err != nil || !held {
		l.Recount(t.name, "turn to change a file has run out", err)
	}
}

// renewTurns extends the leases of operations that take long.
func (l *Ledger) renewTurns(ctx context.Context, until time.Time) error {
	var objects []string
	l.mu.Lock()
	for t := range l.turns {
		if time.Since(t.since) > renewEvery {
			objects = append(objects, t.object)
		}
	}
	l.mu.Unlock()
	if len(objects) == 0 {
		return nil
	}
	return l.Counts.RenewTurns(ctx, l.Node, objects, until)
}
