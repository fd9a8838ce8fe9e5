package guard

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// refusalsKept is how many refusals are remembered.
const refusalsKept = 64

// refusals remembers how long the latest took whose password was looked at. It may be used
// concurrently.
type refusals struct {
	mu   sync.Mutex
	took []time.Duration
	next int
}

func (r *refusals) note(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.took) < refusalsKept {
		r.took = append(r.took, took)
		return
	}
	r.took[r.next] = took
	r.next = (r.next + 1) % refusalsKept
}

// one is how long one of them took, any; false: there was none yet.
func (r *refusals) one() (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.took) == 0 {
		return 0, false
	}
	return r.took[rand.IntN(len(r.took))], true //nolint:gosec // no secret
}

// Refuse takes as long as one of the latest refusals took whose password was looked at, so
// that a ban can be told neither by a quicker answer nor by a steadier one. It costs
// nothing but time. false: there was none yet, and the caller has to go through one.
func (b *Bans) Refuse(ctx context.Context) bool {
	took, ok := b.refusals.one()
	if !ok {
		return false
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}
