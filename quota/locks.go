package quota

import (
	"context"
	"fmt"
	"sync"
)

// locks let one session of a node at a time delete an object, so that it is taken off a
// count once.
type locks struct {
	mu    sync.Mutex
	turns map[string]*turn
}

// turn is what the sessions wait for that want one object.
type turn struct {
	free    chan struct{} // holds one token
	waiting int           // sessions that have the token or want it
}

// Lock waits until no other session of this node has the object of that name.
func (l *Ledger) Lock(ctx context.Context, object string) (unlock func(), err error) {
	t := l.locks.join(object)
	select {
	case <-t.free:
		return func() {
			t.free <- struct{}{}
			l.locks.leave(object, t)
		}, nil
	case <-ctx.Done():
		l.locks.leave(object, t)
		return nil, fmt.Errorf("wait for another session: %w", ctx.Err())
	}
}

func (l *locks) join(object string) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.turns[object]
	if !ok {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		l.turns[object] = t
	}
	t.waiting++
	return t
}

func (l *locks) leave(object string, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.waiting--; t.waiting == 0 {
		delete(l.turns, object)
	}
}
