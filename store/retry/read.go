package retry

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/spdscheme/spdserver/store"
)

// Open repeats an Open, and resumes its body.
func (r *retrier) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	var o store.Object
	rc, err := get(ctx, r, "open", func() (rc io.ReadCloser, err error) {
		rc, o, err = r.Store.Open(ctx, key, off, n, ifMatch)
		return rc, err
	})
	if err != nil || o.ETag == "" { // without an ETag it might be another object's end
		return rc, o, err
	}
	end := o.Size
	if n >= 0 {
		end = min(end, off+n)
	}
	return &body{patience: r.patience("read"), ctx: ctx, object: o, rc: rc, pos: off, end: end}, o, nil
}

// body resumes where it broke off, as long as the object is the same.
type body struct {
	*patience
	ctx      context.Context // of Open
	object   store.Object
	rc       io.ReadCloser
	pos, end int64
	broken   error // why rc must be replaced
}

func (b *body) Read(p []byte) (int, error) {
	return b.take(func() (int, error) { return b.rc.Read(p) })
}

func (b *body) SpliceInto(pipe, n int) (int, error) {
	return b.take(func() (int, error) { return store.SpliceInto(b.rc, pipe, n) })
}

// take reads from what rc is now.
func (b *body) take(read func() (int, error)) (int, error) {
	for {
		if b.broken != nil {
			if err := b.resume(); err != nil {
				return 0, err
			}
		}
		n, err := read()
		b.pos += int64(n)
		if n > 0 {
			b.progress()
		}
		if !errors.Is(err, store.ErrUnavailable) || b.pos >= b.end {
			return n, err
		}
		b.broken = err
		if n > 0 {
			return n, nil
		}
	}
}

// resume opens the rest. Failures to open it, and bodies that break at once, count together.
func (b *body) resume() error {
	for {
		if err := b.wait(b.ctx, b.broken); err != nil {
			return err
		}
		rc, _, err := b.Store.Open(b.ctx, b.object.Key, b.pos, b.end-b.pos, b.object.ETag)
		if err == nil {
			_ = b.rc.Close() // broken
			b.rc, b.broken = rc, nil
			return nil
		}
		b.broken = err
	}
}

func (b *body) Close() error { return b.rc.Close() }

// List repeats a List behind the last entry it gave.
func (r *retrier) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		opts, p := opts, r.patience("list")
		for {
			var failed error
			for o, err := range r.Store.List(ctx, prefix, opts) {
				if err != nil {
					failed = err
					break
				}
				if !yield(o, nil) {
					return
				}
				p.progress()
				opts.StartAfter = o.Key
				if opts.Limit > 0 {
					if opts.Limit--; opts.Limit == 0 {
						return
					}
				}
			}
			if failed == nil {
				return
			}
			if err := p.wait(ctx, failed); err != nil {
				yield(store.Object{}, err)
				return
			}
		}
	}
}
