package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

// refundTimeout bounds the note that room has become free.
const refundTimeout = 10 * time.Second

func (d *Driver) hasQuota() bool { return d.user().QuotaBytes > 0 || d.user().QuotaFiles > 0 }

// charge books what the user is about to store, or refuses it with auth.ErrQuota.
func (d *Driver) charge(ctx context.Context, bytes, files int64) error {
	if !d.hasQuota() || bytes == 0 && files == 0 {
		return nil
	}
	err := d.Usage.Charge(ctx, d.user().Name, bytes, files)
	if errors.Is(err, auth.ErrNotFound) {
		if err = d.countUsage(ctx); err == nil {
			err = d.Usage.Charge(ctx, d.user().Name, bytes, files)
		}
	}
	if err != nil && !errors.Is(err, auth.ErrQuota) {
		return store.Unavailable(fmt.Errorf("charge quota: %w", err))
	}
	return err
}

// refund gives back what was charged or stored. What was never counted needs none.
func (d *Driver) refund(bytes, files int64) {
	if !d.hasQuota() || bytes == 0 && files == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), refundTimeout)
	defer cancel()
	err := d.Usage.Charge(ctx, d.user().Name, -bytes, -files)
	if err != nil && !errors.Is(err, auth.ErrNotFound) {
		d.Log.Warn("quota not refunded", "bytes", bytes, "files", files, "err", err)
	}
}

// countUsage counts what the user has stored, the first time a quota asks for it.
func (d *Driver) countUsage(ctx context.Context) error {
	var bytes, files int64
	for object, err := range d.Store.List(ctx, d.user().Prefix, store.ListOptions{}) {
		if err != nil {
			return fmt.Errorf("count usage: %w", err)
		}
		if !strings.HasSuffix(object.Key, "/") {
			bytes, files = bytes+object.Size, files+1
		}
	}
	return d.Usage.SetUsed(ctx, d.user().Name, bytes, files)
}

// quotaLeft is how many bytes the user may still store; ok is false without a quota.
func (d *Driver) quotaLeft(ctx context.Context) (left int64, ok bool, err error) {
	if d.user().QuotaBytes <= 0 {
		return 0, false, nil
	}
	used, _, err := d.Usage.Used(ctx, d.user().Name)
	if errors.Is(err, auth.ErrNotFound) {
		if err = d.countUsage(ctx); err == nil {
			used, _, err = d.Usage.Used(ctx, d.user().Name)
		}
	}
	if err != nil {
		return 0, false, store.Unavailable(fmt.Errorf("read quota: %w", err))
	}
	return max(d.user().QuotaBytes-used, 0), true, nil
}

// roomFor is how large a file may become that replaces another, or nothing. Nobody can
// tell while the database is away; what is stored is charged all the same.
func (d *Driver) roomFor(ctx context.Context, replaced entry) int64 {
	left, limited, err := d.quotaLeft(ctx)
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
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size += n
	select {
	case <-g.upload.check.done:
	default:
		return nil // what is replaced is not known yet
	}
	if g.size > g.room {
		g.room = g.upload.driver.roomFor(ctx, g.upload.check.existing)
	}
	if g.size > g.room {
		return auth.ErrQuota
	}
	return nil
}
