package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// listing is a directory that was read when ftpserverlib asked for its Stat, kept for the
// ReadDir that follows: one pass over the store answers both.
type listing struct {
	path    string
	entries []os.FileInfo
	started time.Time
}

// statListing answers the Stat before a ReadDir. A path that lists as empty may be a file.
func (d *Driver) statListing(verb, wire string) (fi os.FileInfo, err error) {
	started := time.Now()
	var failed error
	n, resolveErr := d.resolve(wire)
	if resolveErr == nil {
		fi, failed = d.readForStat(n, started)
	} else {
		failed = resolveErr
	}
	if failed == nil && fi.IsDir() {
		return fi, nil // ReadDir reports it
	}
	return fi, d.do(verb, wire, func(*Operation, name) error { return failed })
}

func (d *Driver) readForStat(n name, started time.Time) (os.FileInfo, error) {
	if err := d.permit(auth.List); err != nil {
		return nil, err
	}
	entries, err := d.readDir(n)
	if errors.Is(err, fs.ErrNotExist) {
		e, err := d.lookupFile(d.ctx, n)
		if err != nil {
			return nil, err
		}
		return d.info(e, true)
	}
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.listing = &listing{path: n.path, entries: entries, started: started}
	d.mu.Unlock()
	return d.plainInfo(entry{name: n, isDir: true}), nil
}

// ReadDir implements ftpserver.ClientDriverExtensionFileList.
func (d *Driver) ReadDir(wire string) (entries []os.FileInfo, err error) {
	err = d.do(d.Client.GetLastCommand(), wire, func(op *Operation, n name) error {
		if err := d.permit(auth.List); err != nil {
			return err
		}
		if kept := d.takeListing(n); kept != nil {
			entries, op.Started = kept.entries, kept.started
			return nil
		}
		entries, err = d.readDir(n)
		return err
	})
	return entries, err
}

func (d *Driver) takeListing(n name) *listing {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.listing
	d.listing = nil
	if kept == nil || kept.path != n.path {
		return nil
	}
	return kept
}

// readDir lists a directory, sorted by name. Absent: ErrNotExist.
func (d *Driver) readDir(n name) ([]os.FileInfo, error) {
	found, err := d.listObjects(n)
	if err != nil {
		return nil, err
	}
	partials, err := d.partialsIn(n, func(key string) bool {
		return slices.ContainsFunc(found, func(o store.Object) bool { return o.Key == key })
	})
	if err != nil {
		return nil, err
	}
	times, err := d.Times.TimesIn(d.ctx, d.user.Bucket, n.dir())
	if err != nil { // the store's own times are still true
		d.Log.Warn("kept times unknown", "path", n.path, "err", err)
	}
	entries := make([]os.FileInfo, 0, len(found)+len(partials))
	hidden := make(map[string]bool, len(partials))
	for _, e := range partials {
		entries = append(entries, d.plainInfo(e))
		hidden[e.key] = true
	}
	for _, object := range found {
		if hidden[object.Key] {
			continue
		}
		e := d.childOf(n, object)
		i := d.plainInfo(e)
		if kept, ok := times[object.Key]; ok && kept.Holds(object) {
			i.modTime = kept.ModTime
		}
		entries = append(entries, i)
	}
	slices.SortFunc(entries, func(a, b os.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// listObjects reads a directory's objects and prefixes without its own marker. Names
// that no FTP path can reach are left out.
func (d *Driver) listObjects(n name) ([]store.Object, error) {
	var found []store.Object
	exists, marker := n.home(), false
	for object, err := range d.Store.List(d.ctx, n.dir(), store.ListOptions{Delimiter: "/"}) {
		if err != nil {
			return nil, fmt.Errorf("list directory: %w", err)
		}
		exists = true
		switch {
		case object.Key == n.dir():
			marker = true
		case checkComponent(baseName(n, object)) == nil:
			found = append(found, object)
			if !object.Prefix {
				d.files.add(object.Key, object)
			}
		}
	}
	if !exists {
		return nil, os.ErrNotExist
	}
	d.dirs.add(n.dir(), seenDir{marker: marker})
	return found, nil
}

// baseName is the name of a listed object within its directory.
func baseName(dir name, object store.Object) string {
	return strings.TrimSuffix(strings.TrimPrefix(object.Key, dir.dir()), "/")
}

// childOf makes a listed object an entry.
func (d *Driver) childOf(dir name, object store.Object) entry {
	return entry{name: dir.child(baseName(dir, object)), object: object, isDir: object.Prefix}
}
