package driver

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/upload"
)

// unfinishedFor is how long a session relies on its list of unfinished uploads. One that
// it interrupted itself it knows at once.
const unfinishedFor = time.Second

// unfinishedPatience is how long a command waits for that list. A database that hangs must
// not make sessions hang.
const unfinishedPatience = 2 * time.Second

// unfinished is what the user has not finished uploading, here or on another node.
type unfinished struct {
	mu      sync.Mutex
	records map[mounted.Place][]upload.Record // the latest first
	read    time.Time
}

// forget makes the next look ask the journal.
func (u *unfinished) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.read = time.Time{}
}

// unfinishedUploads lists them by place. A database that is away hides them.
func (d *Driver) unfinishedUploads(ctx context.Context) map[mounted.Place][]upload.Record {
	u := &d.unfinished
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Since(u.read) < unfinishedFor {
		return u.records
	}
	ctx, cancel := context.WithTimeout(ctx, unfinishedPatience)
	defer cancel()
	bucket := d.user().Bucket
	if d.mounts != nil {
		bucket = "" // any
	}
	records, err := d.Uploads.Of(ctx, bucket, d.user().Name)
	if err != nil {
		d.Log.Warn("unfinished uploads unknown", "err", err)
	}
	u.records, u.read = make(map[mounted.Place][]upload.Record, len(records)), time.Now()
	for _, r := range records {
		at := mounted.Place{Bucket: r.Bucket, Key: r.Key}
		u.records[at] = append(u.records[at], r)
	}
	return u.records
}

// visiblePartial is what has been received of an unfinished upload of that name, if its
// owner is to see it in place of the file, so that he can resume it: an upload that broke
// off, or one in progress where there is no file yet. While a file is being replaced, the
// file is what there is.
func (d *Driver) visiblePartial(ctx context.Context, n name) (p upload.Partial, ok bool, err error) {
	p, ok, err = d.partial(ctx, n)
	if !ok || !p.Live(time.Now()) {
		return p, ok, err
	}
	_, err = d.lookupFile(ctx, n)
	if errors.Is(err, fs.ErrNotExist) {
		return p, true, nil
	}
	return upload.Partial{}, false, err
}

// partial is what has been received of an unfinished upload of that name. ok is false if
// there is none.
func (d *Driver) partial(ctx context.Context, n name) (p upload.Partial, ok bool, err error) {
	for _, record := range d.unfinishedUploads(ctx)[d.place(n.key)] {
		at, err := d.storeAt(n.key)
		if err != nil {
			return upload.Partial{}, false, err
		}
		p, err = d.Uploads.Partial(ctx, at, record)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was completed, or thrown away
			d.unfinished.forget()
		case err != nil:
			return upload.Partial{}, false, err
		case p.Size > 0:
			return p, true, nil
		}
	}
	return upload.Partial{}, false, nil
}

// partialEntry shows a Partial as a file.
func partialEntry(n name, p upload.Partial) entry {
	return entry{name: n, object: partialObject(n.key, p)}
}

// showsPartial tells whether a command shows a file's size or time to its owner.
func showsPartial(verb string) bool {
	switch verb {
	case "SIZE", "MDTM", "MLST", "STAT":
		return true
	}
	return false
}

// discardUnfinished throws interrupted uploads of that name away. One that another
// session is still working on is left to it: the last to finish wins.
func (d *Driver) discardUnfinished(ctx context.Context, n name) (found bool) {
	for _, record := range d.unfinishedUploads(ctx)[d.place(n.key)] {
		if record.Live(time.Now()) {
			continue
		}
		at, err := d.storeAt(n.key)
		if err == nil {
			err = d.Uploads.Discard(ctx, at, record)
		}
		if err != nil {
			d.Log.Warn("interrupted upload not thrown away; the janitor will", "path", n.path, "err", err)
			continue
		}
		d.unfinished.forget()
		found = true
	}
	return found
}

// withPartials puts the unfinished uploads of a directory that its owner is to see among
// its files, which come sorted by name, as do these. Names begin with head.
func (d *Driver) withPartials(ctx context.Context, dir name, head string,
	files iter.Seq2[store.Object, error],
) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		pending := d.unfinishedIn(ctx, dir, head)
		for o, err := range files {
			for err == nil && len(pending) > 0 && pending[0] <= baseName(dir, o) {
				n := dir.child(pending[0])
				pending = pending[1:]
				p, ok, partErr := d.partial(ctx, n)
				switch {
				case partErr != nil:
					err = partErr
				case ok && o.Key == n.key && !p.Live(time.Now()): // resumed, it will replace the file
					o = partialObject(n.key, p)
				case ok && o.Key != n.key && !yield(partialObject(n.key, p), nil):
					return
				}
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
		for _, base := range pending {
			n := dir.child(base)
			p, ok, err := d.partial(ctx, n)
			if (ok || err != nil) && !yield(partialObject(n.key, p), err) || err != nil {
				return
			}
		}
	}
}

// unfinishedIn is the names of unfinished uploads into a directory, sorted.
func (d *Driver) unfinishedIn(ctx context.Context, dir name, head string) []string {
	var names []string
	here := d.place(dir.dir())
	for at := range d.unfinishedUploads(ctx) {
		base := path.Base(at.Key)
		if at.Bucket == here.Bucket && at.Key == here.Key+base && strings.HasPrefix(base, head) {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	return names
}

func partialObject(key string, p upload.Partial) store.Object {
	return store.Object{Key: key, Size: p.Size, ModTime: p.Started}
}
