package driver

import (
	"context"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// reading is a directory that is being read, in the order of the store's keys. A goroutine
// asks for one page ahead, so that the store works while the client takes what there is.
type reading struct {
	driver *Driver
	ctx    context.Context
	cancel context.CancelFunc
	dir    name
	head   string    // all names begin with it
	pages  chan page // closed by the goroutine when it ends
	first  *page     // if it has been waited for
}

// page is what the store answers at a time.
type page struct {
	objects []store.Object // names that no FTP path can reach are left out
	last    bool
	err     error // it is the last, and the listing is not complete
}

// read begins to read a directory. Whoever calls it must close it.
func (d *Driver) read(ctx context.Context, dir name, head string) *reading {
	ctx, cancel := context.WithCancel(ctx)
	r := &reading{driver: d, ctx: ctx, cancel: cancel, dir: dir, head: head, pages: make(chan page)}
	go func() {
		defer close(r.pages)
		r.readPages()
	}()
	return r
}

// close ends the goroutine.
func (r *reading) close() {
	r.cancel()
	for range r.pages { // until it is closed
	}
}

// begin waits for the first page. A directory without any is missing: ErrNotExist.
func (r *reading) begin() error {
	first := r.next()
	r.first = &first
	return first.err
}

// next waits for a page.
func (r *reading) next() page {
	if p, ok := <-r.pages; ok {
		return p
	}
	return page{last: true, err: context.Cause(r.ctx)}
}

// objects yields what the pages hold. pause, if not nil, is called before a wait.
func (r *reading) objects(pause func() error) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for {
			p, err := r.page(pause)
			if err != nil {
				yield(store.Object{}, err)
				return
			}
			for _, o := range p.objects {
				if !yield(o, nil) {
					return
				}
			}
			if p.last {
				return
			}
		}
	}
}

// page is the next page, read already or not.
func (r *reading) page(pause func() error) (page, error) {
	if r.first != nil {
		p := *r.first
		r.first = nil
		return p, p.err
	}
	select {
	case p, ok := <-r.pages:
		if ok {
			return p, p.err
		}
	default:
		if pause != nil {
			if err := pause(); err != nil {
				return page{}, err
			}
		}
	}
	p := r.next()
	return p, p.err
}

// readPages is the goroutine.
func (r *reading) readPages() {
	times := keptTimes{driver: r.driver, ctx: r.ctx, dir: r.dir.dir(), more: true}
	give := func(p page) bool {
		times.fill(p.objects)
		select {
		case r.pages <- p:
			return true
		case <-r.ctx.Done():
			return false
		}
	}
	p, count := page{}, 0
	for o, err := range r.driver.Store.List(r.ctx, r.dir.dir()+r.head, store.ListOptions{Delimiter: "/"}) {
		if err != nil {
			give(page{last: true, err: fmt.Errorf("list directory: %w", err)})
			return
		}
		if r.see(o, count) {
			p.objects = append(p.objects, o)
		}
		if count++; count%store.PageSize == 0 {
			if !give(p) {
				return
			}
			p = page{objects: make([]store.Object, 0, store.PageSize)}
		}
	}
	p.last = true
	if count == 0 && !r.dir.home() {
		p.err = os.ErrNotExist
	}
	give(p)
}

// see notes what an object tells about the directory, and whether it is an entry of it.
func (r *reading) see(o store.Object, count int) bool {
	d := r.driver
	marker := o.Key == r.dir.dir()
	if count == 0 && r.head == "" {
		d.dirs.add(r.dir.dir(), seenDir{marker: marker})
	}
	if marker || checkComponent(baseName(r.dir, o)) != nil {
		return false
	}
	if !o.Prefix && count < maxSeen {
		d.files.add(o.Key, o)
	}
	return true
}

// baseName is the name of a listed object within its directory.
func baseName(dir name, object store.Object) string {
	return strings.TrimSuffix(strings.TrimPrefix(object.Key, dir.dir()), "/")
}

// keptTimes are those of a directory, read along with it.
type keptTimes struct {
	driver *Driver
	ctx    context.Context
	dir    string
	rows   []store.KeptTime // not passed yet, in the order of keys
	more   bool             // there may be rows behind
}

// fill puts kept times in place of the store's. Objects come in the order of their keys.
func (k *keptTimes) fill(objects []store.Object) {
	for i := range objects {
		if t, ok := k.of(objects[i]); ok {
			objects[i].ModTime = t
		}
	}
}

func (k *keptTimes) of(o store.Object) (time.Time, bool) {
	for {
		for len(k.rows) > 0 && k.rows[0].Key < o.Key {
			k.rows = k.rows[1:]
		}
		if len(k.rows) > 0 || !k.more {
			break
		}
		k.read(o.Key)
	}
	if len(k.rows) == 0 || k.rows[0].Key != o.Key || !k.rows[0].Holds(o) {
		return time.Time{}, false
	}
	return k.rows[0].ModTime, true
}

// read gets the rows from a key on. Without the database the store's times are still true.
func (k *keptTimes) read(from string) {
	d := k.driver
	rows, err := d.times().from(k.ctx, k.dir, from, store.PageSize)
	if err != nil && k.ctx.Err() == nil {
		d.Log.Warn("kept times unknown", "directory", k.dir, "err", err)
	}
	k.rows, k.more = rows, len(rows) == store.PageSize
}
