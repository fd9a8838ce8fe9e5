package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// refundTimeout bounds the note that room has become free.
const refundTimeout = 10 * time.Second

func (d *Driver) hasQuota() bool { return d.user.QuotaBytes > 0 || d.user.QuotaFiles > 0 }

// charge books what the user is about to store, or refuses it with auth.ErrQuota.
func (d *Driver) charge(ctx context.Context, bytes, files int64) error {
	if !d.hasQuota() || bytes == 0 && files == 0 {
		return nil
	}
	err := d.Usage.Charge(ctx, d.user.Name, bytes, files)
	if errors.Is(err, auth.ErrNotFound) {
		if err = d.countUsage(ctx); err == nil {
			err = d.Usage.Charge(ctx, d.user.Name, bytes, files)
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
	err := d.Usage.Charge(ctx, d.user.Name, -bytes, -files)
	if err != nil && !errors.Is(err, auth.ErrNotFound) {
		d.Log.Warn("quota not refunded", "bytes", bytes, "files", files, "err", err)
	}
}

// countUsage counts what the user has stored, the first time a quota asks for it.
func (d *Driver) countUsage(ctx context.Context) error {
	var bytes, files int64
	for object, err := range d.Store.List(ctx, d.user.Prefix, store.ListOptions{}) {
		if err != nil {
			return fmt.Errorf("count usage: %w", err)
		}
		if !strings.HasSuffix(object.Key, "/") {
			bytes, files = bytes+object.Size, files+1
		}
	}
	return d.Usage.SetUsed(ctx, d.user.Name, bytes, files)
}

// quotaLeft is how many bytes the user may still store; ok is false without a quota.
func (d *Driver) quotaLeft(ctx context.Context) (left int64, ok bool, err error) {
	if d.user.QuotaBytes <= 0 {
		return 0, false, nil
	}
	used, _, err := d.Usage.Used(ctx, d.user.Name)
	if errors.Is(err, auth.ErrNotFound) {
		if err = d.countUsage(ctx); err == nil {
			used, _, err = d.Usage.Used(ctx, d.user.Name)
		}
	}
	if err != nil {
		return 0, false, store.Unavailable(fmt.Errorf("read quota: %w", err))
	}
	return max(d.user.QuotaBytes-used, 0), true, nil
}
