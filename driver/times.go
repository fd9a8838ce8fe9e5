package driver

import (
	"fmt"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// SetTime is MFMT (draft-somers-ftp-mfxx), MDTM with a time and SITE UTIME.
func (d *Driver) SetTime(wire string, mtime time.Time) error {
	return d.do("MFMT", wire, func(_ *Operation, n name) error {
		if err := d.permit(n, auth.Times); err != nil {
			return err
		}
		e, err := d.lookup(d.ctx, n, false)
		if err != nil {
			return err
		}
		kept := keptFor(e.object, mtime)
		if e.isDir {
			kept = store.KeptTime{Key: n.dir(), ModTime: mtime}
		}
		if err := d.times().set(d.ctx, kept); err != nil {
			return store.Unavailable(fmt.Errorf("keep time: %w", err))
		}
		return nil
	})
}

// keptFor ties a time to this version of an object.
func keptFor(o store.Object, modTime time.Time) store.KeptTime {
	return store.KeptTime{Key: o.Key, ETag: o.ETag, Stored: o.ModTime, ModTime: modTime}
}

// replaceTime has a file that was stored anew show the time of that. A time kept for the one
// before holds no more by itself, unless both have the same content and were stored within one
// second: that is asked for only if the session has kept one lately.
func (d *Driver) replaceTime(n name) {
	if _, ok := d.timed.get(n.key); ok {
		d.timed.forget(n.key)
		d.dropTimes(d.ctx, n.key)
	}
}

// timeOf is the modification time of a file: the one a client set, or the store's.
func (d *Driver) timeOf(e entry) time.Time {
	kept, ok, err := d.times().of(d.ctx, e.key)
	if err != nil || !ok {
		return e.object.ModTime
	}
	o := e.object
	if !kept.Holds(o) && kept.ETag == o.ETag {
		// The session has seen the file before it had that time: another one has set it.
		if fresh, err := d.Store.Stat(d.ctx, e.key); err == nil {
			o = fresh
		}
	}
	if kept.Holds(o) {
		return kept.ModTime
	}
	return o.ModTime
}

// timesByDir looks up the times of a whole tree, a directory at a time.
type timesByDir struct {
	driver *Driver
	dirs   map[string]map[string]store.KeptTime
}

func (t timesByDir) of(o store.Object) time.Time {
	dir := o.Key[:strings.LastIndex(strings.TrimSuffix(o.Key, "/"), "/")+1]
	found, ok := t.dirs[dir]
	if !ok {
		found, _ = t.driver.times().in(t.driver.ctx, dir) // else the store's own
		t.dirs[dir] = found
	}
	if kept, ok := found[o.Key]; ok && kept.Holds(o) {
		return kept.ModTime
	}
	return o.ModTime
}

// moveTimes keeps the times of renamed files and forgets those of the old name. A
// failure costs the times, not the files.
func (d *Driver) moveTimes(old string, kept []store.KeptTime) {
	for i, t := range kept {
		if strings.HasSuffix(t.Key, "/") {
			kept[i].ETag = "" // a directory's time holds whatever its marker is
		}
	}
	if err := d.times().set(d.ctx, kept...); err != nil {
		d.Log.Warn("times of renamed files not kept", "err", err)
	}
	d.dropTimes(d.ctx, old)
}
