package auth

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// slots let no more hash operations run than there are processors, and bound the memory
// that they take together. Who waits is served in turn.
type slots struct {
	processors   *semaphore.Weighted
	memory       *semaphore.Weighted // KiB
	processorMax int
}

func newSlots() *slots {
	n := runtime.GOMAXPROCS(0)
	return &slots{
		processors:   semaphore.NewWeighted(int64(n)),
		memory:       semaphore.NewWeighted(max(argonMaxMemory, int64(n)*argonMemory)),
		processorMax: n,
	}
}

// use runs f when there is room for what it costs, or not at all if ctx ends first.
func (s *slots) use(ctx context.Context, c cost, f func()) error {
	threads := int64(min(max(c.threads, 1), s.processorMax))
	if err := s.processors.Acquire(ctx, threads); err != nil {
		return fmt.Errorf("wait to hash: %w", err)
	}
	defer s.processors.Release(threads)
	if err := s.memory.Acquire(ctx, c.memory); err != nil {
		return fmt.Errorf("wait for memory to hash: %w", err)
	}
	defer s.memory.Release(c.memory)
	f()
	return nil
}
