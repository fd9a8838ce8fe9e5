package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// entry is a file or directory that exists.
type entry struct {
	name
	object store.Object // of a directory: its marker, if it has one
	isDir  bool
	marker bool // of a directory: it has a marker object
}

// Stat is Lookup for the command that is being executed: SIZE, MDTM, STAT, RNFR, CWD, CDUP, HASH and AVBL.
func (d *Driver) Stat(wire string) (os.FileInfo, error) {
	found, err := d.Lookup(d.Client.Verb(), wire)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Lookup finds a file or directory. The command tells what is asked for, and so which
// request answers it most likely. An error is a Reply.
func (d *Driver) Lookup(verb, wire string) (found Entry, err error) {
	err = d.do(verb, wire, func(_ *Operation, n name) error {
		if err := d.permitLookup(verb, n); err != nil {
			return err
		}
		e, err := d.lookupFor(verb, n)
		if err != nil {
			return err
		}
		found = d.show(e, wantsTime(verb))
		if e.isDir && changesDirectory(verb) {
			d.enter(wire, n)
		}
		return nil
	})
	return found, err
}

// permitLookup checks whether the user may learn what is at a path. One who may do no more
// than upload may go into directories, and see how much of an upload of his own has come.
func (d *Driver) permitLookup(verb string, n name) error {
	switch {
	case verb == "RNFR":
		return d.permit(n, auth.Rename)
	case changesDirectory(verb) || verb == "AVBL" || n.home() || d.may(n)&^auth.UploadOnly != 0:
		return nil
	case showsPartial(verb):
		if _, ok, err := d.visiblePartial(d.ctx, n); ok || err != nil {
			return err
		}
	}
	return os.ErrPermission
}

// lookupFor finds what a command's path is. RNFR makes do with a file that the session
// has just seen; RNTO finds out if it is gone.
func (d *Driver) lookupFor(verb string, n name) (entry, error) {
	if showsPartial(verb) {
		if p, ok, err := d.visiblePartial(d.ctx, n); ok || err != nil {
			return partialEntry(n, p), err
		}
	}
	if verb != "RNFR" {
		return d.lookup(d.ctx, n, wantsDirectory(verb))
	}
	e := entry{name: n}
	var ok bool
	if e.object, ok = d.files.get(n.key); !ok || n.slash {
		var err error
		if e, err = d.lookup(d.ctx, n, false); err != nil {
			return entry{}, err
		}
	}
	d.remember(e)
	return e, nil
}

// wantsDirectory tells whether a command's path is more likely a directory.
func wantsDirectory(verb string) bool {
	return changesDirectory(verb) || verb == "AVBL" || verb == "STAT"
}

func changesDirectory(verb string) bool {
	switch verb {
	case "CWD", "XCWD", "CDUP", "XCUP":
		return true
	}
	return false
}

// wantsTime tells whether a command shows modification times.
func wantsTime(verb string) bool { return verb == "MDTM" || verb == "MLST" || verb == "STAT" }

// lookup finds what a path is: one request if the first guess is right.
func (d *Driver) lookup(ctx context.Context, n name, dirFirst bool) (entry, error) {
	if n.home() {
		return entry{name: n, isDir: true, marker: true}, nil
	}
	first, second := d.lookupFile, d.lookupDir
	if dirFirst {
		first, second = second, first
	}
	e, err := first(ctx, n)
	if errors.Is(err, fs.ErrNotExist) {
		return second(ctx, n)
	}
	return e, err
}

func (d *Driver) lookupFile(ctx context.Context, n name) (entry, error) {
	if n.slash {
		return entry{}, os.ErrNotExist
	}
	object, err := d.Store.Stat(ctx, n.key)
	if err != nil {
		return entry{}, fmt.Errorf("stat: %w", err)
	}
	d.files.add(n.key, object)
	return entry{name: n, object: object}, nil
}

// lookupDir finds a directory by its marker or by anything below it.
func (d *Driver) lookupDir(ctx context.Context, n name) (entry, error) {
	for object, err := range d.Store.List(ctx, n.dir(), store.ListOptions{Limit: 1}) {
		if err != nil {
			return entry{}, fmt.Errorf("look for directory: %w", err)
		}
		e := entry{name: n, isDir: true, marker: object.Key == n.dir()}
		if e.marker {
			e.object = object
		}
		d.dirs.add(n.dir(), seenDir{marker: e.marker})
		return e, nil
	}
	return entry{}, os.ErrNotExist
}

// probe finds what a path is, file or directory, mostly by one request: the keys that
// begin with it, of which the file's is the first. Neither: ErrNotExist.
func (d *Driver) probe(ctx context.Context, n name) (entry, error) {
	if n.home() {
		return entry{name: n, isDir: true, marker: true}, nil
	}
	var last string
	opts := store.ListOptions{Delimiter: "/", Limit: store.PageSize}
	count := 0
	for object, err := range d.Store.List(ctx, n.key, opts) {
		switch {
		case err != nil:
			return entry{}, fmt.Errorf("look for name: %w", err)
		case object.Key == n.key:
			return entry{name: n, object: object}, nil
		case object.Key == n.dir():
			return entry{name: n, isDir: true}, nil
		}
		last, count = object.Key, count+1
	}
	if count < store.PageSize || last > n.dir() {
		return entry{}, os.ErrNotExist
	}
	return d.lookupDir(ctx, n) // a thousand names sort between "name" and "name/"
}

// needParent checks that the directory a path lies in exists.
func (d *Driver) needParent(ctx context.Context, n name) error {
	up := n.parent()
	if up.home() {
		return nil
	}
	if _, ok := d.knownDir(up); ok {
		return nil
	}
	_, err := d.lookupDir(ctx, up)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoParent
	}
	return err
}

// keepParent makes sure that the directory a path lies in does not vanish with it.
func (d *Driver) keepParent(n name) error {
	up := n.parent()
	if up.home() {
		return nil
	}
	if seen, ok := d.knownDir(up); ok && seen.marker {
		return nil
	}
	err := d.putMarker(up)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// show makes an entry one for the client, with its kept time if that is asked for.
func (d *Driver) show(e entry, withTime bool) Entry {
	o := e.object
	o.Key = e.key
	if e.isDir {
		o.Key, o.Prefix = e.dir(), true
	}
	if withTime {
		if t, ok := d.keptTime(d.ctx, e); ok {
			o.ModTime = t
		}
	}
	return d.entryOf(e.name, o)
}

// keptTime is the time that a client has set.
func (d *Driver) keptTime(ctx context.Context, e entry) (t time.Time, ok bool) {
	key := e.key
	if e.isDir {
		key = e.dir()
	}
	kept, ok, err := d.times().of(ctx, key)
	if err != nil { // the store's own time is still true
		d.Log.Warn("kept time unknown", "path", e.path, "err", err)
	}
	return kept.ModTime, err == nil && ok && kept.Holds(e.object)
}

// remember keeps what RNFR found for RNTO.
func (d *Driver) remember(e entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.renaming = &e
}
