package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Log gives events to its sinks. It may be used concurrently. A nil *Log drops
// everything, uncounted.
type Log struct {
	queues  []*queue
	run     string // begins the ids of the events: unique among all Logs
	counter atomic.Uint64

	mu     sync.RWMutex // closed and the closing of the queues, against Log
	closed bool
}

// Status is how a sink does.
type Status struct {
	Sink    string // its name
	Queued  int    // events that wait
	Dropped uint64 // events that it has not got, and will not get
}

// New returns a Log to the given sinks and starts a goroutine for each, until Close.
// Sinks that fail are reported to logger.
func New(logger *slog.Logger, sinks ...Sink) *Log {
	l := &Log{run: strings.ToLower(rand.Text()[:12])}
	for _, s := range sinks {
		l.queues = append(l.queues, newQueue(s, logger))
	}
	return l
}

// Log records e and gives it its ID. It never waits: a sink that is too far behind does
// not get e.
func (l *Log) Log(_ context.Context, e Event) {
	if l == nil || len(l.queues) == 0 {
		return
	}
	e.ID = l.run + "-" + strconv.FormatUint(l.counter.Add(1), 10)
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, q := range l.queues {
		if l.closed {
			q.dropped.Add(1)
			continue
		}
		q.offer(e)
	}
}

// Followed tells whether a sink wants to hear of transfers that go on.
func (l *Log) Followed() bool {
	if l == nil {
		return false
	}
	for _, q := range l.queues {
		if q.follows {
			return true
		}
	}
	return false
}

// Progress tells the sinks that are a Follower how far an Upload or Download has come. It never waits;
// what a queue does not hold is not missed, as a later event tells more. The transfer's own
// event must come behind the last of these.
func (l *Log) Progress(e Event) {
	if l == nil {
		return
	}
	e.Running = true
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, q := range l.queues {
		if q.follows && !l.closed {
			q.offerProgress(e)
		}
	}
}

// Status returns how the sinks do, in the order of New.
func (l *Log) Status() []Status {
	if l == nil {
		return nil
	}
	all := make([]Status, len(l.queues))
	for i, q := range l.queues {
		all[i] = Status{Sink: q.name, Queued: len(q.events), Dropped: q.dropped.Load()}
	}
	return all
}

// closeGrace is how long Close waits for sinks that know their time is over.
const closeGrace = time.Second

// Close writes what is queued and closes the sinks. If ctx ends first, the sinks are told
// to give up, the rest is lost, and Close returns ctx's error; a sink that hangs even then
// is left behind. A second Close waits for it again.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		for _, q := range l.queues {
			close(q.events)
		}
	}
	l.mu.Unlock()
	var errs []error
	for _, q := range l.queues {
		errs = append(errs, q.wait(ctx))
	}
	return errors.Join(errs...)
}

// wait waits for the end of the queue, or of ctx.
func (q *queue) wait(ctx context.Context) error {
	select {
	case <-q.ended:
		return q.closing
	case <-ctx.Done():
	}
	q.cancel()
	select {
	case <-q.ended:
	case <-time.After(closeGrace):
	}
	return fmt.Errorf("write the rest of the audit trail to %s: %w", q.name, ctx.Err())
}
