package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// copiesInFlight is how many objects of a directory are copied or deleted at a time.
const copiesInFlight = 16

// Rename is RNTO (RFC 959). S3 has no rename: everything is copied
// first and deleted after, so that a failure at any point loses nothing.
func (d *Driver) Rename(fromWire, toWire string) error {
	return d.do("RNTO", fromWire, func(op *Operation, from name) error {
		to, err := d.resolve(toWire)
		if err != nil {
			return err
		}
		op.Target = to.path
		if err := d.permitRename(from, to); err != nil {
			return err
		}
		if from.home() || to.home() {
			return errHome
		}
		if err := errors.Join(d.notMountPoint(from), d.notMountPoint(to)); err != nil {
			return err
		}
		source, err := d.renameSource(from)
		if err != nil || from.key == to.key {
			return err
		}
		if source.isDir {
			return d.renameDir(source, to)
		}
		return d.renameFile(source, to)
	})
}

// permitRename checks the rights at both ends, and the new name.
func (d *Driver) permitRename(from, to name) error {
	if err := d.permit(from, auth.Rename); err != nil {
		return err
	}
	if err := d.permit(to, auth.Rename); err != nil {
		return err
	}
	return d.permitName(to)
}

// renameSource is what RNFR has just found.
func (d *Driver) renameSource(from name) (entry, error) {
	d.mu.Lock()
	found := d.renaming
	d.renaming = nil
	d.mu.Unlock()
	if found != nil && found.name == from {
		return *found, nil
	}
	return d.lookup(d.ctx, from, false)
}

func (d *Driver) renameFile(source entry, to name) error {
	if to.slash {
		return errNotFile
	}
	replaced, err := d.renameTarget(to)
	if err != nil {
		return err
	}
	if replaced != nil && replaced.isDir {
		return errIsDirectory
	}
	if replaced != nil {
		if err := d.permit(to, auth.Overwrite); err != nil {
			return err
		}
	}
	if err := d.moveFile(source, to); err != nil {
		return err
	}
	if replaced != nil {
		d.refund(replaced.object.Size, 1)
	}
	return nil
}

// renameTarget finds what is at a new name: nil if nothing.
func (d *Driver) renameTarget(to name) (*entry, error) {
	if err := d.needParent(d.ctx, to); err != nil {
		return nil, err
	}
	e, err := d.probe(d.ctx, to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &e, err
}

// moveFile copies a file with its time, then deletes it.
func (d *Driver) moveFile(source entry, to name) error {
	d.files.forget(source.key)
	copied, err := d.copyObject(d.patient, to.key, source.object)
	if errors.Is(err, store.ErrChanged) { // since RNFR
		if source, err = d.lookupFile(d.ctx, source.name); err == nil {
			copied, err = d.copyObject(d.patient, to.key, source.object)
		}
	}
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	modTime := d.timeOf(source)
	if err := d.keepParent(source.name); err != nil {
		return err
	}
	if err := d.Store.Delete(d.patient, source.key); err != nil {
		return fmt.Errorf("delete the old name: %w", err)
	}
	if !modTime.IsZero() {
		d.moveTimes(source.key, []store.KeptTime{keptFor(copied, modTime)})
	}
	return nil
}

// copyObject copies an object and finds out the time and ETag of the copy, to which a kept
// time is tied: not every store's answer has them.
func (d *Driver) copyObject(ctx context.Context, key string, source store.Object) (store.Object, error) {
	copied, err := d.Store.Copy(ctx, key, source)
	if err != nil || !copied.ModTime.IsZero() && copied.ETag != "" {
		return copied, err
	}
	if seen, err := d.Store.Stat(ctx, key); err == nil {
		return seen, nil
	}
	return copied, nil // copied all the same
}

// renameDir moves everything below a directory to a name where nothing is.
func (d *Driver) renameDir(source entry, to name) error {
	if strings.HasPrefix(to.dir(), source.dir()) {
		return errIntoItself
	}
	target, err := d.renameTarget(to)
	if err != nil {
		return err
	}
	if target != nil {
		return os.ErrExist
	}
	move := &dirMove{driver: d, from: source.dir(), to: to.dir()}
	if err := move.copyAll(); err != nil {
		move.undo()
		return err
	}
	if len(move.keys) == 0 { // gone since RNFR
		return os.ErrNotExist
	}
	if err := d.keepParent(source.name); err != nil {
		move.undo()
		return err
	}
	d.dirs.clear()
	d.Made.remove(d.place(source.dir()))
	d.Made.add(d.place(to.dir()))
	d.files.clear()
	return move.deleteSources()
}

// dirMove is a directory on its way from one prefix to another.
type dirMove struct {
	driver *Driver
	from   string
	to     string
	keys   []string // of the sources, copied or about to be

	mu    sync.Mutex
	times []store.KeptTime // for the copies
}

// copyAll copies every object below the source, several at a time.
func (m *dirMove) copyAll() error {
	d := m.driver
	times := timesByDir{driver: d, dirs: make(map[string]map[string]store.KeptTime)}
	group, ctx := errgroup.WithContext(d.patient)
	group.SetLimit(copiesInFlight)
	var listErr error
	for object, err := range d.Store.List(ctx, m.from, store.ListOptions{}) {
		if err != nil {
			listErr = fmt.Errorf("list directory: %w", err)
			break
		}
		if listErr = d.permitInside(d.nameOf(object.Key), d.nameOf(m.target(object.Key))); listErr != nil {
			break
		}
		m.keys = append(m.keys, object.Key)
		modTime := times.of(object)
		group.Go(func() error {
			copied, err := d.copyObject(ctx, m.target(object.Key), object)
			if err != nil {
				return fmt.Errorf("copy: %w", err)
			}
			m.keep(keptFor(copied, modTime))
			return nil
		})
	}
	return errors.Join(group.Wait(), listErr)
}

func (m *dirMove) keep(t store.KeptTime) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.times = append(m.times, t)
}

func (m *dirMove) target(key string) string { return m.to + strings.TrimPrefix(key, m.from) }

// deleteSources removes what has been copied.
func (m *dirMove) deleteSources() error {
	d := m.driver
	if err := d.deleteAll(d.patient, m.keys); err != nil {
		return fmt.Errorf("delete the old name: %w", err)
	}
	d.moveTimes(m.from, m.times)
	return nil
}

// undo removes the copies; the sources are all still there.
func (m *dirMove) undo() {
	copies := make([]string, len(m.keys))
	for i, key := range m.keys {
		copies[i] = m.target(key)
	}
	if err := m.driver.deleteAll(context.WithoutCancel(m.driver.patient), copies); err != nil {
		m.driver.Log.Warn("copies of a failed rename remain", "err", err)
	}
}

func (d *Driver) deleteAll(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesInFlight)
	for _, key := range keys {
		group.Go(func() error { return d.Store.Delete(ctx, key) })
	}
	return group.Wait()
}
