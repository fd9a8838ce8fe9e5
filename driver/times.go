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
		if err := d.Times.SetTimes(d.ctx, d.user().Bucket, kept); err != nil {
			return store.Unavailable(fmt.Errorf("keep time: %w", err))
		}
		return nil
	})
}

// keptFor ties a time to this version of an object.
func keptFor(o store.Object, modTime time.Time) store.KeptTime {
	return store.KeptTime{Key: o.Key, ETag: o.ETag, Stored: o.ModTime, ModTime: modTime}
}

// timeOf is the modification time of a file: the one a client set, or the store's.
func (d *Driver) timeOf(e entry) time.Time {
	kept, ok, err := d.Times.TimeOf(d.ctx, d.user().Bucket, e.key)
	if err == nil && ok && kept.Holds(e.object) {
		return kept.ModTime
	}
	return e.object.ModTime
}

// timesByDir looks up the times of a whole tree, a directory at a time.
type timesByDir struct {
	driver *Driver
	dirs   map[string]map[string]store.KeptTime
}

func (t timesByDir) of(o store.Object) time.Time {
	dir := o.Key[:strings.LastIndex(strings.TrimSuffix(o.Key, "/"), "/")+1]
	times, ok := t.dirs[dir]
	if !ok {
		times, _ = t.driver.Times.TimesIn(t.driver.ctx, t.driver.user().Bucket, dir) // else the store's own
		t.dirs[dir] = times
	}
	if kept, ok := times[o.Key]; ok && kept.Holds(o) {
		return kept.ModTime
	}
	return o.ModTime
}

// moveTimes keeps the times of renamed files and forgets those of the old name. A
// failure costs the times, not the files.
func (d *Driver) moveTimes(old string, times []store.KeptTime) {
	for i, t := range times {
		if strings.HasSuffix(t.Key, "/") {
			times[i].ETag = "" // a directory's time holds whatever its marker is
		}
	}
	if err := d.Times.SetTimes(d.ctx, d.user().Bucket, times...); err != nil {
		d.Log.Warn("times of renamed files not kept", "err", err)
	}
	d.dropTimes(d.ctx, old)
}
