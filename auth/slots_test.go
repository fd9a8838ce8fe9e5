package auth

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// most tells how many of n operations of that cost run at once.
func most(t *testing.T, s *slots, n int, c cost) (highest int32) {
	t.Helper()
	var running, peak, done atomic.Int32
	for range n {
		go func() {
			if err := s.use(t.Context(), c, func() {
				if now := running.Add(1); now > peak.Load() {
					peak.Store(now)
				}
				time.Sleep(time.Second)
				running.Add(-1)
			}); err != nil {
				t.Error(err)
			}
			done.Add(1)
		}()
		synctest.Wait() // one after the other, so that peak is exact
	}
	time.Sleep(time.Duration(n+1) * time.Second)
	if got := done.Load(); got != int32(n) {
		t.Errorf("%d of %d are done", got, n)
	}
	return peak.Load()
}

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		name string
		cost cost
		want func(processors int) int
	}{
		{"as many as processors", cost{class: "x"}, func(n int) int { return n }},
		{"each with all threads", cost{class: "x", threads: 1000}, func(int) int { return 1 }},
		{"each with the most memory", cost{class: "x", memory: argonMaxMemory}, func(n int) int {
			return max(1, n*argonMemory/argonMaxMemory)
		}},
		{"our own hashes", newHashCost(), func(n int) int { return n }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSlots()
				if got, want := most(t, s, s.processorMax+3, c.cost), c.want(s.processorMax); int(got) != want {
					t.Errorf("%d at once, want %d", got, want)
				}
			})
		})
	}
}

func TestWaitingForMemoryEndsWithContext(t *testing.T) {
	s := newSlots()
	if err := s.memory.Acquire(t.Context(), max(argonMaxMemory, int64(s.processorMax)*argonMemory)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.use(ctx, newHashCost(), func() { t.Error("runs") }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if !s.processors.TryAcquire(int64(s.processorMax)) {
		t.Error("a processor is still taken")
	}
}
