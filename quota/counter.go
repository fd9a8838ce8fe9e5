package quota

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/store"
)

const (
	counterJob   = "quota counter"
	counterEvery = 5 * time.Second
	// again is when a count that something came in between of is made once more.
	again = 30 * time.Second
)

// Counter makes counts from what is stored. It may be used concurrently.
type Counter struct {
	Counts Counts
	Stores store.Opener
	// Places tells where a count's files are. No such account: ErrNoAccount.
	Places func(context.Context, Name) ([]Place, error)
	Node   string
	Log    *slog.Logger
}

// Count makes a count again, tries times at most, with a pause in between. Files may come
// and go meanwhile: the count is then too high rather than too low, and exact is false.
func (c *Counter) Count(ctx context.Context, n Name, tries int, pause time.Duration) (found Amount, exact bool, err error) {
	places, err := c.Places(ctx, n)
	if err != nil {
		return Amount{}, false, err
	}
	for try := 1; ; try++ {
		found, exact, err = c.count(ctx, n, places)
		if err != nil || exact || try >= tries {
			return found, exact, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return found, false, ctx.Err()
		}
	}
}

// First makes a count for the first time. It is made again soon: what sessions did that had
// no quota yet is in no count.
func (c *Counter) First(ctx context.Context, n Name, places []Place) error {
	since, counted, err := c.Counts.BeginCount(ctx, n)
	if err != nil || counted {
		return err
	}
	found, err := c.scan(ctx, places)
	if err != nil {
		return err
	}
	if _, err = c.Counts.EndCount(ctx, n, found, since, true); err != nil {
		return err
	}
	return c.Counts.Reserve(ctx, Reservation{Name: n, Lease: time.Now().Add(again)})
}

// count counts once. What was charged since it began may have been seen or not, as what was
// under way when it began or when it ended: it is added, so that nothing is missing.
func (c *Counter) count(ctx context.Context, n Name, places []Place) (Amount, bool, error) {
	since, counted, err := c.Counts.BeginCount(ctx, n)
	if err != nil {
		return Amount{}, false, err
	}
	before, err := c.underWay(ctx, n)
	if err != nil {
		return Amount{}, false, err
	}
	found, err := c.scan(ctx, places)
	if err != nil {
		return Amount{}, false, err
	}
	after, err := c.underWay(ctx, n)
	if err != nil {
		return Amount{}, false, err
	}
	found = found.plus(before).plus(after)
	exact, err := c.Counts.EndCount(ctx, n, found, since, !counted)
	return found, exact && before.plus(after) == Amount{}, err
}

// underWay is what nodes that are alive may have under way.
func (c *Counter) underWay(ctx context.Context, n Name) (Amount, error) {
	var sum Amount
	reserved, err := c.Counts.Reserved(ctx, n)
	for _, r := range reserved {
		if time.Now().Before(r.Lease) {
			sum = sum.plus(r.Most)
		}
	}
	return sum, err
}

// scan adds up what is stored.
func (c *Counter) scan(ctx context.Context, places []Place) (Amount, error) {
	var sum Amount
	for _, p := range places {
		found, err := c.scanPlace(ctx, p)
		if errors.Is(err, store.ErrNoBucket) { // nothing is in there
			c.Log.Warn("bucket of a mount does not exist", "bucket", p.Bucket)
			continue
		}
		if err != nil {
			return Amount{}, fmt.Errorf("count usage: %w", err)
		}
		sum = sum.plus(found)
	}
	return sum, nil
}

func (c *Counter) scanPlace(ctx context.Context, p Place) (Amount, error) {
	var sum Amount
	bucket, err := c.Stores(p.Bucket)
	if err != nil {
		return Amount{}, err
	}
	for o, err := range bucket.List(ctx, p.Prefix, store.ListOptions{}) {
		if err != nil {
			return Amount{}, err
		}
		if p.holds(p.Bucket, o.Key) && !store.Hidden(o.Key) && !strings.HasSuffix(o.Key, "/") {
			sum = sum.plus(Amount{o.Size, 1})
		}
	}
	return sum, nil
}

// Run makes those counts again that dead nodes have left in doubt, until ctx ends. Every
// node runs it; one at a time works.
func (c *Counter) Run(ctx context.Context) {
	ticker := time.NewTicker(counterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := c.Work(ctx); err != nil && ctx.Err() == nil {
				c.Log.Warn("quotas in doubt not counted again; next try soon", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Work is one round of Run.
func (c *Counter) Work(ctx context.Context) error {
	now := time.Now()
	leader, err := c.Counts.Lead(ctx, counterJob, c.Node, now, now.Add(3*counterEvery))
	if err != nil || !leader {
		return err
	}
	expired, err := c.Counts.Expired(ctx, now)
	for _, r := range expired {
		err = errors.Join(err, c.resolve(ctx, r))
	}
	return errors.Join(err, c.Counts.PruneTurns(ctx, now.Add(-TurnsKept)))
}

// resolve makes a count again, and then forgets the reservation that was left behind; not one
// of doubts that have come up meanwhile.
func (c *Counter) resolve(ctx context.Context, r Reservation) error {
	began := time.Now()
	found, exact, err := c.Count(ctx, r.Name, 1, 0)
	switch {
	case errors.Is(err, ErrNoAccount):
		return c.Counts.Unreserve(ctx, r.Name, r.Node, began)
	case err == nil && exact:
		c.Log.Info("quota counted again", "user", r.User, "place", r.Place, "node", r.Node, "bytes", found.Bytes, "files", found.Files)
		return c.Counts.Unreserve(ctx, r.Name, r.Node, began)
	}
	if later := c.Counts.Reserve(ctx, Reservation{Name: r.Name, Node: r.Node, Lease: time.Now().Add(again)}); later != nil {
		return errors.Join(err, later)
	}
	return err
}
