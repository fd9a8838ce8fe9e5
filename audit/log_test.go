package audit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSink runs write for each event.
type fakeSink struct {
	write  func(context.Context, Event) error
	closed int
}

var _ Sink = (*fakeSink)(nil)

func (s *fakeSink) Write(ctx context.Context, events []Event) (int, error) {
	for i, e := range events {
		if err := s.write(ctx, e); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

func (s *fakeSink) Close() error { s.closed++; return nil }

// collect returns a sink that keeps in order what it gets.
func collect(got *[]Event) *fakeSink {
	return &fakeSink{write: func(_ context.Context, e Event) error {
		*got = append(*got, e)
		return nil
	}}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mustClose(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func dropped(l *Log) (n []uint64) {
	for _, s := range l.Status() {
		n = append(n, s.Dropped)
	}
	return n
}

func TestEverySinkGetsEveryEventInOrder(t *testing.T) {
	const events, writers = 1000, 4
	got := make([][]Event, 2)
	l := New(discard(), collect(&got[0]), collect(&got[1]))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range events {
				l.Log(t.Context(), Event{Bytes: int64(i), Session: string(rune('a' + w))})
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
	for sink, events := range got {
		ids, next := make(map[string]bool), make(map[string]int64)
		for _, e := range events {
			if e.Bytes != next[e.Session] {
				t.Fatalf("sink %d: event %d of %s comes after %d", sink, e.Bytes, e.Session, next[e.Session])
			}
			next[e.Session]++
			ids[e.ID] = true
		}
		if len(ids) != 4000 {
			t.Errorf("sink %d got %d events", sink, len(ids))
		}
	}
}

// follower is a sink that follows transfers.
type follower struct{ *fakeSink }

func (follower) FollowsTransfers() {}

var _ Follower = follower{}

func TestOnlyFollowersHearOfProgress(t *testing.T) {
	var plain, followed []Event
	l := New(discard(), collect(&plain), follower{collect(&followed)})
	if !l.Followed() {
		t.Error("nobody follows")
	}
	l.Progress(Event{Transfer: "x", Action: Upload, Bytes: 5})
	l.Log(t.Context(), Event{Transfer: "x", Action: Upload, Bytes: 7})
	mustClose(t, l)
	l.Progress(Event{Transfer: "y"}) // too late; nothing happens
	if len(plain) != 1 || len(followed) != 2 || !followed[0].Running || followed[0].ID != "" || followed[1].Bytes != 7 {
		t.Errorf("%+v and %+v", plain, followed)
	}
	if other := New(discard(), collect(&plain)); other.Followed() {
		t.Error("somebody follows")
	} else {
		mustClose(t, other)
	}
}

// A sink that hangs for a minute takes no time from those who log, nor from other sinks;
// what its queue does not hold is lost to it alone.
func TestSinkThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow, fast []Event
		hangs := collect(&slow)
		keep := hangs.write
		hangs.write = func(ctx context.Context, e Event) error {
			if len(slow) == 0 {
				time.Sleep(time.Minute)
			}
			return keep(ctx, e)
		}
		l := New(discard(), hangs, collect(&fast))
		began := time.Now()
		l.Log(t.Context(), Event{})
		synctest.Wait() // the sink has it, and its queue is empty
		for range queueLength + 5 {
			l.Log(t.Context(), Event{})
			if len(l.queues[1].events) == queueLength {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("logging took %v", took)
		}
		if len(fast) != queueLength+6 {
			t.Errorf("the other sink got %d events", len(fast))
		}
		if got := dropped(l); got[0] != 5 || got[1] != 0 || l.Status()[0].Queued != queueLength {
			t.Errorf("status %+v", l.Status())
		}
		mustClose(t, l)
		if len(slow) != queueLength+1 || time.Since(began) != time.Minute {
			t.Errorf("after %v the sink has %d events", time.Since(began), len(slow))
		}
	})
}

// A sink that fails is offered the same events again, and both is reported once.
func TestSinkThatFailsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var report bytes.Buffer
		var got, others []Event
		fails := collect(&got)
		keep := fails.write
		began, attempts := time.Now(), 0
		fails.write = func(ctx context.Context, e Event) error {
			if e.Bytes >= 3 && time.Since(began) < 30*time.Second {
				attempts++
				return errors.New("disk full")
			}
			return keep(ctx, e)
		}
		l := New(slog.New(slog.NewTextHandler(&report, nil)), fails, collect(&others))
		for i := range 10 {
			l.Log(t.Context(), Event{Bytes: int64(i)})
		}
		synctest.Wait()
		if len(others) != 10 {
			t.Errorf("%d events arrived at the other sink", len(others))
		}
		mustClose(t, l)
		if len(got) != 10 {
			t.Errorf("%d events arrived", len(got))
		}
		for i, e := range got {
			if e.Bytes != int64(i) {
				t.Fatal("events are missing, twice there, or in disorder")
			}
		}
		// 0.1 s, 0.2 s and so on up to 5 s.
		if attempts < 8 || attempts > 12 {
			t.Errorf("%d attempts in 30 s", attempts)
		}
		if text := report.String(); strings.Count(text, "disk full") != 1 || !strings.Contains(text, "lost=0") {
			t.Errorf("reported:\n%s", text)
		}
	})
}

// Close gives a dead sink the time of its context and no more.
func TestCloseEndsADeadSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := &fakeSink{write: func(ctx context.Context, _ Event) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		l := New(discard(), dead)
		for range 10 {
			l.Log(t.Context(), Event{})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took %v", took)
		}
		l.Log(t.Context(), Event{})
		if got := dropped(l); got[0] != 11 || dead.closed != 1 {
			t.Errorf("dropped %d, closed %d times", got, dead.closed)
		}
	})
}

// One that does not even listen to its context is left behind, and can be waited for.
func TestCloseLeavesADeafSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		written := 0
		deaf := &fakeSink{write: func(context.Context, Event) error {
			<-release
			written++
			return nil
		}}
		l := New(discard(), deaf)
		l.Log(t.Context(), Event{})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		close(release)
		mustClose(t, l)
		if written != 1 || deaf.closed != 1 {
			t.Errorf("%d events written, closed %d times", written, deaf.closed)
		}
	})
}

// gatherer is a sink that wants its events together.
type gatherer struct {
	fakeSink
	batches []int
}

func (g *gatherer) Gather() time.Duration { return time.Second }

func (g *gatherer) Write(_ context.Context, events []Event) (int, error) {
	g.batches = append(g.batches, len(events))
	return len(events), nil
}

func TestGatherer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &gatherer{}
		l := New(discard(), sink)
		for range 3 {
			l.Log(t.Context(), Event{})
			time.Sleep(400 * time.Millisecond)
		}
		synctest.Wait()
		for range batchLength { // does not wait when there are enough
			l.Log(t.Context(), Event{})
		}
		synctest.Wait()
		if len(sink.batches) != 2 || sink.batches[0] != 3 || sink.batches[1] != batchLength {
			t.Errorf("batches of %d", sink.batches)
		}
		l.Log(t.Context(), Event{})
		began := time.Now()
		mustClose(t, l)
		if time.Since(began) != 0 || len(sink.batches) != 3 {
			t.Errorf("after %v batches of %d", time.Since(began), sink.batches)
		}
	})
}

func TestNilLog(t *testing.T) {
	(*Log)(nil).Progress(Event{})
	if (*Log)(nil).Followed() {
		t.Error("somebody follows")
	}
	var l *Log
	l.Log(t.Context(), Event{})
	if l.Status() != nil {
		t.Error("a nil Log has sinks")
	}
	mustClose(t, l)
}
