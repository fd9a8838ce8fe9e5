package quota

import (
	"context"
	"fmt"
	"sync"
)

// locks let one session of a node at a time change an object. They are what a session waits
// for before it asks for a Turn among the nodes.
type locks struct {
	mu    sync.Mutex
	queue map[string]*lock
}

// lock is what the sessions wait for that want one object.
type lock struct {
	free    chan struct{} // holds one token
	waiting int           // sessions that have the token or want it
}

// lock waits until no other session of this node has the object of that name.
func (l *locks) lock(ctx context.Context, object string) (unlock func(), err error) {
	t := l.join(object)
	select {
	case <-t.free:
		return func() {
			t.free <- struct{}{}
			l.leave(object, t)
		}, nil
	case <-ctx.Done():
		l.leave(object, t)
		return nil, fmt.Errorf("wait for another session: %w", ctx.Err())
	}
}

func (l *locks) join(object string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.queue[object]
	if !ok {
		t = &lock{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		l.queue[object] = t
	}
	t.waiting++
	return t
}

func (l *locks) leave(object string, t *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.waiting--; t.waiting == 0 {
		delete(l.queue, object)
	}
}
