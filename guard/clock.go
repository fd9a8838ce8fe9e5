package guard

import (
	"sync"
	"time"
)

// clock is the time of the journal. Between two looks at it the time goes on by this
// machine's monotonic clock, so that neither a node whose clock is wrong nor one whose
// clock is set makes a ban shorter or longer. It may be used concurrently.
type clock struct {
	mu    sync.Mutex
	told  time.Time // by the journal, or by the machine as long as nobody has asked
	asked time.Time // when, with a monotonic reading
}

func newClock() *clock {
	now := time.Now()
	return &clock{told: now.UTC().Round(0), asked: now}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told.Add(time.Since(c.asked))
}

// set takes what the journal says, of which asked was the moment, and returns how wrong the
// clock was.
func (c *clock) set(told, asked time.Time) (shift time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	told = told.UTC().Round(0)
	shift = told.Sub(c.told.Add(asked.Sub(c.asked)))
	c.told, c.asked = told, asked
	return shift
}
