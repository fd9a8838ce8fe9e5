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
	"github.com/spdscheme/spdserver/moves"
	"github.com/spdscheme/spdserver/quota"
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
	endTurns, err := d.turns(d.ctx, source.name, to)
	if err != nil {
		return err
	}
	defer endTurns()
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
	return d.moveFile(source, to, replaced)
}

// moving is what a file's move books: at its new name and at the old one.
type moving struct {
	driver   *Driver
	to, from *quota.Hold
}

// reserveMove books a move. Within one count, only what it replaces counts.
func (d *Driver) reserveMove(ctx context.Context, from, to name, size int64, replaced *entry) (m moving, err error) {
	m.driver = d
	var change quota.Amount
	if replaced != nil {
		change = quota.Amount{Bytes: -replaced.object.Size, Files: -1}
	}
	there, _ := d.quotaAt(to)
	here, _ := d.quotaAt(from)
	if there == here {
		m.to, err = d.reserve(ctx, to, change)
		return m, err
	}
	change.Bytes, change.Files = change.Bytes+size, change.Files+1
	if m.to, err = d.reserve(ctx, to, change); err == nil {
		m.from = d.reserveRemoval(ctx, from, size)
	}
	return m, err
}

// copied and deleted end what was booked at the new name and at the old one.
func (m moving) copied(err error)  { m.driver.settle(m.to, err) }
func (m moving) deleted(err error) { m.driver.settle(m.from, err) }

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
func (d *Driver) moveFile(source entry, to name, replaced *entry) error {
	booked, err := d.reserveMove(d.ctx, source.name, to, source.object.Size, replaced)
	if err != nil {
		return err
	}
	d.files.forget(source.key)
	copied, err := d.copyObject(d.patient, to.key, source.object)
	if errors.Is(err, store.ErrChanged) { // since RNFR
		d.recount(source.name, "file renamed that has changed meanwhile", nil)
		d.recount(to, "file renamed that has changed meanwhile", nil)
		if source, err = d.lookupFile(d.ctx, source.name); err == nil {
			copied, err = d.copyObject(d.patient, to.key, source.object)
		}
	}
	booked.copied(err)
	if err != nil {
		booked.deleted(err)
		return fmt.Errorf("copy: %w", err)
	}
	modTime := d.timeOf(source)
	if err = d.keepParent(source.name); err == nil {
		err = d.Store.Delete(d.patient, source.key)
	}
	booked.deleted(err)
	if err != nil {
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
	from, there := d.place(source.dir()), d.place(to.dir())
	noted, err := d.Moves.Begin(d.ctx, moves.Move{
		Owner: d.user().Name, FromBucket: from.Bucket, From: from.Key, ToBucket: there.Bucket, To: there.Key,
	})
	if err != nil {
		return store.Unavailable(err)
	}
	move := &dirMove{driver: d, from: source.dir(), to: to.dir(), noted: noted}
	left, err := d.moveDir(move, source)
	for _, hold := range move.booked { // of what is left to be finished
		hold.Doubt()
	}
	noted.End(d.ctx, left)
	return err
}

// moveDir does a rename that has been noted. left is not nil if objects are left under both
// names, for the node or another one to finish it later.
func (d *Driver) moveDir(move *dirMove, source entry) (left, err error) {
	if err := move.copyAll(); err != nil {
		return move.undo(), err
	}
	if len(move.keys) == 0 { // gone since RNFR
		return nil, os.ErrNotExist
	}
	if err := d.keepParent(source.name); err != nil {
		return move.undo(), err
	}
	if err := move.noted.Keep(d.ctx); err != nil {
		err = store.Unavailable(err)
		return err, err
	}
	d.dirs.clear()
	d.files.clear()
	d.Made.add(d.place(move.to))
	err = move.deleteSources()
	d.Made.movedAway(d.place(source.dir()))
	return err, err
}

// dirMove is a directory on its way from one prefix to another.
type dirMove struct {
	driver *Driver
	noted  *moves.Rename
	from   string
	to     string
	keys   []string // of the sources, copied or about to be

	mu     sync.Mutex
	times  []store.KeptTime // for the copies
	booked []*quota.Hold    // what the copies count at their new place, if that is another
	gone   quota.Amount     // and no longer count at the old one, below zero
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
			if err := m.noted.Held(); err != nil {
				return store.Unavailable(err)
			}
			if err := m.book(ctx, object); err != nil {
				return err
			}
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

// book books a copy where it counts for another quota than its source. Directories do not
// count.
func (m *dirMove) book(ctx context.Context, o store.Object) error {
	d, from, to := m.driver, m.driver.nameOf(o.Key), m.driver.nameOf(m.target(o.Key))
	here, _ := d.quotaAt(from)
	there, _ := d.quotaAt(to)
	if here == there || strings.HasSuffix(o.Key, "/") {
		return nil
	}
	hold, err := d.reserve(ctx, to, quota.Amount{Bytes: o.Size, Files: 1})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.booked = append(m.booked, hold)
	m.gone.Bytes -= o.Size
	m.gone.Files--
	return nil
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
	for _, hold := range m.booked {
		d.settle(hold, nil)
	}
	m.booked = nil
	gone, err := d.reserve(d.ctx, d.nameOf(m.from), m.gone)
	if err != nil {
		d.Log.Warn("quota not refunded", "bytes", -m.gone.Bytes, "err", err)
	}
	if err := m.deleteAll(d.patient, m.keys); err != nil {
		gone.Doubt() // some of them are
		return fmt.Errorf("delete the old name: %w", err)
	}
	gone.Settle(d.ctx)
	d.moveTimes(m.from, m.times)
	return nil
}

// undo removes the copies; the sources are all still there.
func (m *dirMove) undo() error {
	if err := m.noted.Turn(m.driver.ctx); err != nil {
		m.driver.Log.Warn("copies of a failed rename remain for now", "err", err)
		return err
	}
	copies := make([]string, len(m.keys))
	for i, key := range m.keys {
		copies[i] = m.target(key)
	}
	err := m.deleteAll(context.WithoutCancel(m.driver.patient), copies)
	if err != nil {
		m.driver.Log.Warn("copies of a failed rename remain", "err", err)
	}
	for _, hold := range m.booked {
		if err != nil {
			hold.Doubt()
		} else {
			hold.Release(m.driver.ctx)
		}
	}
	m.booked = nil
	return err
}

// deleteAll deletes objects as long as the rename is this node's.
func (m *dirMove) deleteAll(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesInFlight)
	for _, key := range keys {
		group.Go(func() error {
			if err := m.noted.Held(); err != nil {
				return store.Unavailable(err)
			}
			return m.driver.Store.Delete(ctx, key)
		})
	}
	return group.Wait()
}
