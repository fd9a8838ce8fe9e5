package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

// quotaAt is what a file of that name counts for, and the limit. A mount may have its own.
func (d *Driver) quotaAt(n name) (counted quota.Name, limit quota.Amount) {
	return quota.NameOf(d.user(), d.mountOf(n))
}

func (d *Driver) hasQuota(n name) bool {
	_, limit := d.quotaAt(n)
	return limit.Bytes > 0 || limit.Files > 0
}

// placesOf is where the files of a count are.
func (d *Driver) placesOf(counted quota.Name) []quota.Place {
	if counted.User == "" {
		return []quota.Place{quota.PlaceOf(counted)}
	}
	return quota.PlacesOf(d.user())
}

// reserve books what is about to change at a name; quota.ErrExceeded refuses it. What it
// returns must be settled or released, and is nil where there is no quota.
func (d *Driver) reserve(ctx context.Context, n name, change quota.Amount) (*quota.Hold, error) {
	if !d.hasQuota(n) {
		return nil, nil
	}
	counted, limit := d.quotaAt(n)
	hold, err := d.Quota.Take(ctx, counted, d.placesOf(counted), change, limit)
	if err != nil && !errors.Is(err, quota.ErrExceeded) {
		err = store.Unavailable(err)
	}
	return hold, err
}

// reserveRemoval books that a file is about to be deleted, which never fails.
func (d *Driver) reserveRemoval(ctx context.Context, n name, size int64) *quota.Hold {
	hold, err := d.reserve(ctx, n, quota.Amount{Bytes: -size, Files: -1})
	if err != nil {
		d.Log.Warn("quota not refunded", "bytes", size, "err", err)
	}
	return hold
}

// turn waits until nobody else, on any node, changes a file that counts. End must be called
// of what it returns, which is nil where there is no quota.
func (d *Driver) turn(ctx context.Context, n name) (*quota.Turn, error) {
	if !d.hasQuota(n) {
		return nil, nil
	}
	counted, _ := d.quotaAt(n)
	t, err := d.Quota.Turn(ctx, counted, d.objectOf(n))
	if err != nil {
		return nil, store.Unavailable(err)
	}
	return t, nil
}

// turns does so for both names of a rename, in an order that all keep to.
func (d *Driver) turns(ctx context.Context, a, b name) (end func(), err error) {
	if d.objectOf(b) < d.objectOf(a) {
		a, b = b, a
	}
	first, err := d.turn(ctx, a)
	if err != nil {
		return nil, err
	}
	if d.objectOf(a) == d.objectOf(b) { // reached in two ways
		return func() { first.End(d.ctx) }, nil
	}
	second, err := d.turn(ctx, b)
	if err != nil {
		first.End(d.ctx)
		return nil, err
	}
	return func() { second.End(d.ctx); first.End(d.ctx) }, nil
}

// objectOf names what is stored for a file, whoever has it and by whatever mount.
func (d *Driver) objectOf(n name) string {
	at := d.place(n.key)
	return at.Bucket + "/" + at.Key
}

// recount has the count of a file made again.
func (d *Driver) recount(n name, reason string, err error) {
	if d.hasQuota(n) {
		counted, _ := d.quotaAt(n)
		d.Quota.Recount(counted, reason, err)
	}
}

// settle ends a reservation as err says.
func (d *Driver) settle(hold *quota.Hold, err error) {
	switch {
	case err == nil:
		hold.Settle(d.ctx)
	case errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded):
		hold.Doubt() // it may have happened all the same
	default:
		hold.Release(d.ctx)
	}
}

// quotaLeft is how many bytes may still be stored at a name; ok is false without a quota.
func (d *Driver) quotaLeft(ctx context.Context, n name) (left int64, ok bool, err error) {
	counted, limit := d.quotaAt(n)
	if limit.Bytes <= 0 {
		return 0, false, nil
	}
	used, err := d.Quota.Used(ctx, counted, d.placesOf(counted))
	if err != nil {
		return 0, false, store.Unavailable(fmt.Errorf("read quota: %w", err))
	}
	return max(limit.Bytes-used.Bytes, 0), true, nil
}

// roomFor is how large a file may become that replaces another, or nothing. Nobody can
// tell while the database is away; what is stored is charged all the same.
func (d *Driver) roomFor(ctx context.Context, n name, replaced entry) int64 {
	left, limited, err := d.quotaLeft(ctx, n)
	if err != nil || !limited {
		return math.MaxInt64
	}
	return left + replaced.object.Size
}

// growth is an upload's PartSink. It stops one that has outgrown the quota, long before
// the client has sent everything.
type growth struct {
	*upload.Session
	upload *uploading

	mu   sync.Mutex
	size int64 // bytes of the parts
	room int64 // how large the file may become, when that was last asked
}

// PutPart implements buffer.PartSink.
func (g *growth) PutPart(ctx context.Context, n int, body io.ReadSeeker, size int64) error {
	if err := g.add(ctx, size); err != nil {
		return err
	}
	return g.Session.PutPart(ctx, n, body, size)
}

func (g *growth) add(ctx context.Context, n int64) error {
	if !g.upload.driver.hasQuota(g.upload.name) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.size == 0
	g.size += n
	select {
	case <-g.upload.check.done:
	default:
		if first {
			return nil // nobody waits to know what is replaced, but who goes on
		}
		select {
		case <-g.upload.check.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if g.size > g.room {
		g.room = g.upload.driver.roomFor(ctx, g.upload.name, g.upload.check.existing)
	}
	if g.size > g.room {
		return quota.ErrExceeded
	}
	return nil
}
