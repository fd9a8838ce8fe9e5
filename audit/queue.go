package audit

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// queueLength is how many events may wait for a sink: a few megabytes, and some
	// seconds of a busy node.
	queueLength = 8192
	// batchLength is how many events are written at a time.
	batchLength = 256
	// A sink that fails is tried again after minPause, then after twice that, and so on.
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
)

// queue is what stands between a Log and one of its sinks.
type queue struct {
	sink     Sink
	name     string
	patience time.Duration // of Gatherer
	follows  bool          // it is a Follower
	logger   *slog.Logger
	events   chan Event
	dropped  atomic.Uint64

	ctx     context.Context // ends when there is no more time to write
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the goroutine has ended
	closing error         // of closing the sink; read it after ended

	failing bool
	lost    uint64 // dropped when it began to fail
}

func newQueue(sink Sink, logger *slog.Logger) *queue {
	q := &queue{
		sink:   sink,
		name:   fmt.Sprintf("%T", sink),
		logger: logger,
		events: make(chan Event, queueLength),
		ended:  make(chan struct{}),
	}
	if s, ok := sink.(fmt.Stringer); ok {
		q.name = s.String()
	}
	if s, ok := sink.(Gatherer); ok {
		q.patience = s.Gather()
	}
	_, q.follows = sink.(Follower)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go q.run()
	return q
}

// offer queues e if there is room.
func (q *queue) offer(e Event) {
	select {
	case q.events <- e:
	default:
		q.dropped.Add(1)
	}
}

// offerProgress leaves half of the queue to events that happen once.
func (q *queue) offerProgress(e Event) {
	if len(q.events) >= queueLength/2 {
		return
	}
	select {
	case q.events <- e:
	default:
	}
}

// run owns the sink.
func (q *queue) run() {
	defer close(q.ended)
	defer q.cancel()
	batch := make([]Event, 0, batchLength)
	for e := range q.events {
		batch = q.gather(append(batch[:0], e))
		q.write(batch)
		clear(batch) // paths are not kept
	}
	q.closing = q.sink.Close()
}

// gather adds to batch what is queued and, with patience, what comes soon.
func (q *queue) gather(batch []Event) []Event {
	enough := make(<-chan time.Time) // never
	if q.patience > 0 {
		timer := time.NewTimer(q.patience)
		defer timer.Stop()
		enough = timer.C
	}
	for len(batch) < batchLength {
		if q.patience <= 0 && len(q.events) == 0 {
			return batch
		}
		select {
		case e, open := <-q.events:
			if !open {
				return batch
			}
			batch = append(batch, e)
		case <-enough:
			return batch
		}
	}
	return batch
}

// write writes batch, however often it takes. Only the end of q.ctx makes it give up.
func (q *queue) write(batch []Event) {
	pause := minPause
	for {
		n, err := q.sink.Write(q.ctx, batch)
		if err == nil {
			q.works()
			return
		}
		q.fails(err)
		if n > 0 {
			batch, pause = batch[n:], minPause
		}
		select {
		case <-time.After(pause):
		case <-q.ctx.Done():
			q.dropped.Add(uint64(len(batch)))
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// fails and works report an outage once, and not with every event.
func (q *queue) fails(err error) {
	if q.failing {
		return
	}
	q.failing, q.lost = true, q.dropped.Load()
	q.logger.Error("audit trail cannot be written; trying again", "sink", q.name, "err", err)
}

func (q *queue) works() {
	if !q.failing {
		return
	}
	q.failing = false
	q.logger.Warn("audit trail can be written again", "sink", q.name, "lost", q.dropped.Load()-q.lost)
}
