package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// queueLength is how many events may wait for the sinks: a few megabytes at most, and
// some seconds of a busy node.
const queueLength = 8192

// Log gives events to its sinks. It may be used concurrently. A nil *Log drops
// everything, uncounted.
type Log struct {
	sinks   []*watched
	logger  *slog.Logger
	dropped atomic.Uint64
	ended   chan struct{} // closed when the goroutine has ended
	failed  error         // of closing the sinks; read it after ended

	mu     sync.RWMutex // closed and the closing of queue, against Log
	closed bool
	queue  chan Event
}

// New returns a Log to the given sinks and starts the goroutine that writes to them,
// until Close. Failing sinks are reported to logger.
func New(logger *slog.Logger, sinks ...Sink) *Log {
	l := &Log{
		logger: logger,
		ended:  make(chan struct{}),
		queue:  make(chan Event, queueLength),
	}
	for _, s := range sinks {
		l.sinks = append(l.sinks, &watched{sink: s})
	}
	go l.run()
	return l
}

// Log records e. It never waits: if the sinks are too far behind, or the Log is closed,
// e is dropped.
func (l *Log) Log(_ context.Context, e Event) {
	if l == nil || len(l.sinks) == 0 {
		return
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		l.dropped.Add(1)
		return
	}
	select {
	case l.queue <- e:
	default:
		l.dropped.Add(1)
	}
}

// Dropped returns how many events at least one sink has not got.
func (l *Log) Dropped() uint64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// Close writes what is queued and closes the sinks. If ctx ends first, Close returns its
// error, and a sink that hangs is left behind.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	select {
	case <-l.ended:
		return l.failed
	case <-ctx.Done():
		return fmt.Errorf("write the rest of the audit trail: %w", ctx.Err())
	}
}

// run owns the sinks.
func (l *Log) run() {
	defer close(l.ended)
	for e := range l.queue {
		l.write(e)
	}
	var errs []error
	for _, s := range l.sinks {
		errs = append(errs, s.sink.Close())
	}
	l.failed = errors.Join(errs...)
}

// write gives e to every sink.
func (l *Log) write(e Event) {
	lost := false
	for _, s := range l.sinks {
		lost = !s.write(e, l.logger) || lost
	}
	if lost {
		l.dropped.Add(1)
	}
}

// watched is a sink and whether it works, so that a full disk is reported once and not
// with every event.
type watched struct {
	sink    Sink
	failing bool
	lost    int // events since it began to fail
}

func (w *watched) write(e Event, logger *slog.Logger) bool {
	err := w.sink.Write(e)
	switch {
	case err != nil && !w.failing:
		w.failing = true
		logger.Error("audit trail cannot be written", "err", err)
	case err == nil && w.failing:
		logger.Warn("audit trail can be written again", "lost", w.lost)
		w.failing, w.lost = false, 0
	}
	if err != nil {
		w.lost++
	}
	return err == nil
}
