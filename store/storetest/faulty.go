package storetest

import (
	"context"
	"io"
	"iter"

	"github.com/spdscheme/spdserver/store"
)

// Call names one call of a Store's method.
type Call struct {
	Op   string // the method's name, "PutPart"
	Key  string // of the object that is read or made; the prefix of listings
	Part int    // of PutPart and CopyPart
}

// Faulty is a Store that fails as its fields say; a nil field lets all pass. The fields
// are called from wherever the Store is, perhaps concurrently.
type Faulty struct {
	store.Store
	// Before is asked before each call. Its error is the answer; the store is not asked.
	Before func(context.Context, Call) error
	// After gets the store's answer and returns the one to give: an error in place of nil
	// is an answer that got lost.
	After func(context.Context, Call, error) error
	// Entry is asked before each entry of a listing. Its error ends the listing.
	Entry func(store.Object) error
	// Body wraps the body that Open returns.
	Body func(io.ReadCloser) io.ReadCloser
}

var _ store.Store = (*Faulty)(nil)

// call does fn between Before and After.
func (f *Faulty) call(ctx context.Context, c Call, fn func() error) error {
	if f.Before != nil {
		if err := f.Before(ctx, c); err != nil {
			return err
		}
	}
	err := fn()
	if f.After != nil {
		err = f.After(ctx, c, err)
	}
	return err
}

// Ping is Store.Ping, with faults.
func (f *Faulty) Ping(ctx context.Context) error {
	return f.call(ctx, Call{Op: "Ping"}, func() error { return f.Store.Ping(ctx) })
}

// Stat is Store.Stat, with faults.
func (f *Faulty) Stat(ctx context.Context, key string) (o store.Object, err error) {
	err = f.call(ctx, Call{Op: "Stat", Key: key}, func() error {
		o, err = f.Store.Stat(ctx, key)
		return err
	})
	return o, err
}

// Digests is Store.Digests, with faults.
func (f *Faulty) Digests(ctx context.Context, key string) (d store.Digests, err error) {
	err = f.call(ctx, Call{Op: "Digests", Key: key}, func() error {
		d, err = f.Store.Digests(ctx, key)
		return err
	})
	return d, err
}

// Open is Store.Open, with faults.
func (f *Faulty) Open(ctx context.Context, key string, off, n int64, ifMatch string) (body io.ReadCloser, o store.Object, err error) {
	err = f.call(ctx, Call{Op: "Open", Key: key}, func() error {
		body, o, err = f.Store.Open(ctx, key, off, n, ifMatch)
		return err
	})
	if err != nil {
		if body != nil {
			_ = body.Close() // nobody will read it
		}
		return nil, store.Object{}, err
	}
	if f.Body != nil {
		body = f.Body(body)
	}
	return body, o, nil
}

// List is Store.List, with faults. After is not called.
func (f *Faulty) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if f.Before != nil {
			if err := f.Before(ctx, Call{Op: "List", Key: prefix}); err != nil {
				yield(store.Object{}, err)
				return
			}
		}
		for o, err := range f.Store.List(ctx, prefix, opts) {
			if err == nil && f.Entry != nil {
				err = f.Entry(o)
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// Put is Store.Put, with faults.
func (f *Faulty) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (o store.Object, err error) {
	err = f.call(ctx, Call{Op: "Put", Key: key}, func() error {
		o, err = f.Store.Put(ctx, key, body, size, opts)
		return err
	})
	return o, err
}

// Copy is Store.Copy, with faults.
func (f *Faulty) Copy(ctx context.Context, dst string, src store.Object) (o store.Object, err error) {
	err = f.call(ctx, Call{Op: "Copy", Key: dst}, func() error {
		o, err = f.Store.Copy(ctx, dst, src)
		return err
	})
	return o, err
}

// Delete is Store.Delete, with faults.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	return f.call(ctx, Call{Op: "Delete", Key: key}, func() error { return f.Store.Delete(ctx, key) })
}

// Begin is Store.Begin, with faults.
func (f *Faulty) Begin(ctx context.Context, key string, opts store.PutOptions) (id string, err error) {
	err = f.call(ctx, Call{Op: "Begin", Key: key}, func() error {
		id, err = f.Store.Begin(ctx, key, opts)
		return err
	})
	return id, err
}

// PutPart is Store.PutPart, with faults.
func (f *Faulty) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (p store.Part, err error) {
	err = f.call(ctx, Call{Op: "PutPart", Key: key, Part: n}, func() error {
		p, err = f.Store.PutPart(ctx, key, id, n, body, size)
		return err
	})
	return p, err
}

// CopyPart is Store.CopyPart, with faults.
func (f *Faulty) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (p store.Part, err error) {
	err = f.call(ctx, Call{Op: "CopyPart", Key: key, Part: n}, func() error {
		p, err = f.Store.CopyPart(ctx, key, id, n, src, off, size)
		return err
	})
	return p, err
}

// Parts is Store.Parts, with faults.
func (f *Faulty) Parts(ctx context.Context, key, id string) (parts []store.Part, err error) {
	err = f.call(ctx, Call{Op: "Parts", Key: key}, func() error {
		parts, err = f.Store.Parts(ctx, key, id)
		return err
	})
	return parts, err
}

// Complete is Store.Complete, with faults.
func (f *Faulty) Complete(ctx context.Context, key, id string, parts []store.Part) (o store.Object, err error) {
	err = f.call(ctx, Call{Op: "Complete", Key: key}, func() error {
		o, err = f.Store.Complete(ctx, key, id, parts)
		return err
	})
	return o, err
}

// Abort is Store.Abort, with faults.
func (f *Faulty) Abort(ctx context.Context, key, id string) error {
	return f.call(ctx, Call{Op: "Abort", Key: key}, func() error { return f.Store.Abort(ctx, key, id) })
}

// Uploads is Store.Uploads, with faults.
func (f *Faulty) Uploads(ctx context.Context, prefix string) (uploads []store.Upload, err error) {
	err = f.call(ctx, Call{Op: "Uploads", Key: prefix}, func() error {
		uploads, err = f.Store.Uploads(ctx, prefix)
		return err
	})
	return uploads, err
}
