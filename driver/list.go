package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
)

// Listing is what a client is shown by LIST, NLST, MLSD or STAT: a directory, a file, or
// what a pattern matches. It is for one goroutine, and must be closed.
type Listing struct {
	// Pause, if not nil, is called before a wait for the store: what has been written so
	// far should reach the client now. Its error ends the listing.
	Pause func() error

	driver  *Driver
	ctx     context.Context
	cancel  context.CancelFunc
	op      Operation
	target  Entry
	dir     *reading // if the target is a directory
	matches *matches // if it is a pattern
	failed  error    // not the client's connection
}

// OpenListing finds out what there is to list, by the first page. The rest is read while
// the client takes it; all of it ends with ctx. An error is a Reply.
func (d *Driver) OpenListing(ctx context.Context, verb, wire string) (*Listing, error) {
	l := &Listing{driver: d, op: Operation{Verb: verb, Started: time.Now()}}
	l.ctx, l.cancel = context.WithCancel(ctx)
	d.transfers.Add(1)
	if err := l.open(wire); err != nil {
		l.failed = err
		return nil, l.Close(err)
	}
	return l, nil
}

func (l *Listing) open(wire string) error {
	d := l.driver
	n, err := d.resolve(wire)
	l.op.Path = pathOf(n, wire)
	if err != nil {
		return err
	}
	if err := d.permit(n, auth.List); err != nil {
		return err
	}
	if opened, err := l.openPattern(n, wire); opened || err != nil {
		return err
	}
	return l.openName(n)
}

// openName opens a directory, or finds a file.
func (l *Listing) openName(n name) error {
	d := l.driver
	l.dir = d.read(l.ctx, n, "")
	err := l.dir.begin()
	if errors.Is(err, fs.ErrNotExist) {
		l.dir.close()
		l.dir = nil
		return l.openFile(n)
	}
	l.target = d.entryOf(n, store.Object{Key: n.dir(), Prefix: true})
	return err
}

func (l *Listing) openFile(n name) error {
	d := l.driver
	e, err := d.lookupFile(l.ctx, n)
	if err != nil {
		return err
	}
	l.target = d.show(e, true)
	return nil
}

// IsDir tells whether a directory is listed.
func (l *Listing) IsDir() bool { return l.dir != nil }

// Fixed is the part of a pattern before its first wildcard, as the client wrote it, which
// the names of Entries are below; ok is false if it is no pattern.
func (l *Listing) Fixed() (wire string, ok bool) {
	if l.matches == nil {
		return "", false
	}
	return l.matches.fixed, true
}

// Target is the directory or file that is listed. A pattern has none.
func (l *Listing) Target() Entry { return l.target }

// Entries yields what there is, sorted by name as UTF-8: of a directory its entries, of a
// file the file itself. It may be called once. An error ends it; it has not been
// translated: Close does that.
func (l *Listing) Entries() iter.Seq2[Entry, error] {
	switch {
	case l.matches != nil:
		return l.matches.all
	case l.dir != nil:
		return l.entries(l.dir)
	}
	return func(yield func(Entry, error) bool) { yield(l.target, nil) }
}

// Below yields the entries of a directory that Entries or Below has yielded; one that is
// gone by now has none. Each directory that is not finished with costs the memory of some
// pages.
func (l *Listing) Below(e Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		dir := l.driver.nameOf(e.object.Key)
		if l.driver.permit(dir, auth.List) != nil {
			return // as if it were empty
		}
		r := l.driver.read(l.ctx, dir, "")
		defer r.close()
		if err := r.begin(); !errors.Is(err, fs.ErrNotExist) {
			l.entries(r)(yield)
		}
	}
}

// entries are those of a directory, with the user's unfinished uploads.
func (l *Listing) entries(r *reading) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		d := l.driver
		find := func(key string) (store.Object, error) { return d.findPrefix(l.ctx, key) }
		sorted := byName(r.objects(l.pause), r.dir.dir(), r.head, find)
		for o, err := range d.withPartials(l.ctx, r.dir, r.head, sorted) {
			if err != nil {
				l.fail(err)
				yield(Entry{}, err)
				return
			}
			n := r.dir.child(baseName(r.dir, o))
			if d.hidden(n) {
				continue
			}
			if !yield(d.entryOf(n, o), nil) {
				return
			}
		}
	}
}

// fail remembers what went wrong on this side of the data connection.
func (l *Listing) fail(err error) {
	if l.failed == nil && !errors.Is(err, errPause) {
		l.failed = err
	}
}

// errPause: it was Pause that failed.
var errPause = errors.New("pause")

func (l *Listing) pause() error {
	if l.Pause == nil {
		return nil
	}
	if err := l.Pause(); err != nil {
		return fmt.Errorf("%w: %w", errPause, err)
	}
	return nil
}

// Close ends the listing and reports it. err is what went wrong with the listing, or with
// its way to the client, if anything did; Close returns it as a Reply.
func (l *Listing) Close(err error) error {
	defer l.driver.transfers.Done()
	l.cancel()
	if l.dir != nil {
		l.dir.close()
	}
	if l.matches != nil {
		l.matches.stop()
	}
	_, told := errors.AsType[*Reply](err)
	switch {
	case l.failed != nil:
		err = l.failed
	case err != nil && !told:
		err = fmt.Errorf("%w: %w", errTransfer, err)
	}
	return l.driver.end(l.op, err)
}

// List yields the entries of a directory, or a file, as one operation. Its errors are
// Replies.
func (d *Driver) List(ctx context.Context, verb, wire string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l, err := d.OpenListing(ctx, verb, wire)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, failed := range l.Entries() {
			if err = failed; err != nil || !yield(e, nil) {
				break
			}
		}
		if err = l.Close(err); err != nil {
			yield(Entry{}, err)
		}
	}
}

// findPrefix looks for a directory by its key, with its kept time. None: an object
// without a key.
func (d *Driver) findPrefix(ctx context.Context, key string) (store.Object, error) {
	e, err := d.lookupDir(ctx, d.nameOf(key))
	if errors.Is(err, fs.ErrNotExist) {
		return store.Object{}, nil
	}
	if err != nil {
		return store.Object{}, err
	}
	o := store.Object{Key: key, Prefix: true}
	if t, ok := d.keptTime(ctx, e); ok {
		o.ModTime = t
	}
	return o, nil
}
