package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// Mkdir is MKD (RFC 959): a marker object "name/".
func (d *Driver) Mkdir(wire string) error {
	return d.do("MKD", wire, func(_ *Operation, n name) error {
		if err := d.permit(n, auth.Mkdir); err != nil {
			return err
		}
		if err := d.permitName(n); err != nil {
			return err
		}
		if err := d.needFree(n); err != nil {
			return err
		}
		if err := d.putMarker(n); err != nil {
			return err
		}
		d.keepDirTime(n)
		return nil
	})
}

// needFree checks that a name is neither file nor directory, and that its parent is there.
func (d *Driver) needFree(n name) error {
	group, ctx := errgroup.WithContext(d.ctx)
	group.Go(func() error { return d.needParent(ctx, n) })
	group.Go(func() error {
		_, err := d.probe(ctx, n)
		switch {
		case err == nil:
			return os.ErrExist
		case errors.Is(err, fs.ErrNotExist):
			return nil
		}
		return err
	})
	return group.Wait()
}

// putMarker stores a directory's marker object. Present already: ErrExist.
func (d *Driver) putMarker(n name) error {
	opts := store.PutOptions{ContentType: store.DirContent, IfAbsent: true}
	_, err := d.Store.Put(d.ctx, n.dir(), bytes.NewReader(nil), 0, opts)
	if err == nil || errors.Is(err, fs.ErrExist) {
		d.dirs.add(n.dir(), seenDir{marker: true})
		d.Made.add(d.place(n.dir()))
	}
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	return nil
}

// keepDirTime notes when a directory was made: listings show it without a request for
// each directory.
func (d *Driver) keepDirTime(n name) {
	made := store.KeptTime{Key: n.dir(), ModTime: time.Now().UTC().Truncate(time.Second)}
	if err := d.times().set(d.ctx, made); err != nil {
		d.Log.Warn("directory's time not kept", "path", n.path, "err", err)
	}
}

// RemoveDir is RMD (RFC 959).
func (d *Driver) RemoveDir(wire string) error {
	return d.do("RMD", wire, func(_ *Operation, n name) error {
		if err := d.permit(n, auth.Rmdir); err != nil {
			return err
		}
		if n.home() {
			return errHome
		}
		if err := d.notMountPoint(n); err != nil {
			return err
		}
		if err := d.needEmpty(n); err != nil {
			return err
		}
		if err := d.keepParent(n); err != nil {
			return err
		}
		err := d.Store.Delete(d.ctx, n.dir())
		d.dirs.forget(n.dir()) // whatever err says: the answer may have been lost
		d.Made.remove(d.place(n.dir()))
		if err != nil {
			return fmt.Errorf("remove directory: %w", err)
		}
		d.dropTimes(d.ctx, n.dir())
		return nil
	})
}

// needEmpty checks that a directory has nothing but its marker.
func (d *Driver) needEmpty(n name) error {
	found := false
	for object, err := range d.Store.List(d.ctx, n.dir(), store.ListOptions{Limit: 2}) {
		if err != nil {
			return fmt.Errorf("look into directory: %w", err)
		}
		if object.Key != n.dir() {
			return errNotEmpty
		}
		found = true
	}
	if found {
		return nil
	}
	if _, err := d.lookupFile(d.ctx, n); err != nil {
		return err
	}
	return errNotDirectory
}

// dropTimes forgets kept times; a failure leaves rows that hold for nothing.
func (d *Driver) dropTimes(ctx context.Context, key string) {
	if err := d.times().drop(ctx, key); err != nil {
		d.Log.Warn("kept time not dropped", "err", err)
	}
}
