package audit

import (
	"context"
	"time"
)

// Sink takes events, from one goroutine. One that is a fmt.Stringer is called by that
// name in log and metrics; the name must not hold a secret.
type Sink interface {
	// Write records events in their order and returns how many it is done with: all of
	// them, or fewer and an error. The rest is offered again after a while, so that an
	// outage costs nothing that fits into the queue. Write should give up when ctx ends.
	// It must not keep events.
	Write(ctx context.Context, events []Event) (n int, err error)
	// Close is called once, after the last Write.
	Close() error
}

// Gatherer is a Sink to which few large writes are dearer than many small ones.
type Gatherer interface {
	Sink
	// Gather is how long an event may wait for others to be written with.
	Gather() time.Duration
}

// Follower is a Sink that counts what is moved while transfers go on, so that a crash costs
// no more than the last seconds of them. Write gets events that are Running, too.
type Follower interface {
	Sink
	// FollowsTransfers does nothing.
	FollowsTransfers()
}

// Format appends e to line, which may hold other text before, and returns it. What it has
// no words for it leaves out: then line comes back as it was. There is no line break.
type Format func(line []byte, e Event) []byte
