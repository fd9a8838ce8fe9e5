package driver

import (
	"context"
	"errors"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
)

// Keys are those of the account's own store, over which its mounts lie. What is shared with
// other sessions (the journal of uploads, kept times, caches) goes by places instead, which
// are the same however an object is reached.

// mount puts the account's mounts over its store, if it has any.
func (d *Driver) mount() {
	user := d.user()
	if len(user.Mounts) == 0 {
		return
	}
	mounts := make([]mounted.Mount, len(user.Mounts))
	d.mountAt = make(map[string]int, len(mounts))
	for i, m := range user.Mounts {
		at := user.Prefix + m.Path[1:] + "/"
		mounts[i] = mounted.Mount{At: at, Bucket: m.Bucket, Prefix: m.Prefix, ReadOnly: m.ReadOnly}
		d.mountAt[at] = i
	}
	d.mounts = mounted.New(d.Store, mounted.Options{
		Bucket: user.Bucket, Mounts: mounts, Open: d.Stores, Buffers: d.Copies,
	})
	d.Store = d.mounts
}

// place is where an object really is.
func (d *Driver) place(key string) mounted.Place {
	if d.mounts == nil {
		return mounted.Place{Bucket: d.user().Bucket, Key: key}
	}
	return d.mounts.Place(key)
}

// storeAt is the store that an object really is in, under the key of its place.
func (d *Driver) storeAt(key string) (store.Store, error) {
	if d.mounts == nil {
		return d.Store, nil
	}
	return d.mounts.At(key)
}

// notMountPoint checks that a directory is no mount point, and that none lies below it.
func (d *Driver) notMountPoint(n name) error {
	if d.mounts != nil && d.mounts.Leads(n.dir()) {
		return mounted.ErrMountPoint
	}
	return nil
}

// mountOf is the mount that a name lies in, or nil. A mount point lies in its own.
func (d *Driver) mountOf(n name) *auth.Mount {
	if d.mounts == nil {
		return nil
	}
	if i, ok := d.mountAt[d.mounts.MountOf(n.dir())]; ok {
		return &d.user().Mounts[i]
	}
	return nil
}

// placedTimes are those that clients have set, by key.
type placedTimes struct{ *Driver }

func (d *Driver) times() placedTimes { return placedTimes{d} }

// set is store.Times.SetTimes. The whole of a bucket has no time.
func (t placedTimes) set(ctx context.Context, kept ...store.KeptTime) error {
	byBucket := make(map[string][]store.KeptTime)
	for _, k := range kept {
		t.timed.add(k.Key, struct{}{})
		p := t.place(k.Key)
		if k.Key = p.Key; p.Key != "" {
			byBucket[p.Bucket] = append(byBucket[p.Bucket], k)
		}
	}
	var err error
	for bucket, kept := range byBucket {
		err = errors.Join(err, t.Times.SetTimes(ctx, bucket, kept...))
	}
	return err
}

// of is store.Times.TimeOf.
func (t placedTimes) of(ctx context.Context, key string) (store.KeptTime, bool, error) {
	p := t.place(key)
	kept, ok, err := t.Times.TimeOf(ctx, p.Bucket, p.Key)
	kept.Key = key
	return kept, ok, err
}

// in is store.Times.TimesIn.
func (t placedTimes) in(ctx context.Context, dir string) (map[string]store.KeptTime, error) {
	p := t.place(dir)
	found, err := t.Times.TimesIn(ctx, p.Bucket, p.Key)
	if t.mounts == nil || err != nil {
		return found, err
	}
	byKey := make(map[string]store.KeptTime, len(found))
	for _, kept := range found {
		kept.Key = dir + kept.Key[len(p.Key):]
		byKey[kept.Key] = kept
	}
	return byKey, nil
}

// from is store.Times.TimesFrom.
func (t placedTimes) from(ctx context.Context, dir, from string, limit int) ([]store.KeptTime, error) {
	p := t.place(dir)
	found, err := t.Times.TimesFrom(ctx, p.Bucket, p.Key, p.Key+from[len(dir):], limit)
	for i, kept := range found {
		found[i].Key = dir + kept.Key[len(p.Key):]
	}
	return found, err
}

// drop is store.Times.DropTimes.
func (t placedTimes) drop(ctx context.Context, key string) error {
	p := t.place(key)
	return t.Times.DropTimes(ctx, p.Bucket, p.Key)
}
