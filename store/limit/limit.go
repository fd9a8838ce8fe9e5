// Package limit lets only so many requests go to a store at a time.
//
// Others wait in order of arrival. It belongs below package retry, so that an attempt that
// waits for its turn to try again holds nothing.
package limit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"golang.org/x/sync/semaphore"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/internal/pages"
)

// Limiter is the limit that all stores it wraps share. It may be used concurrently.
type Limiter struct{ slots *semaphore.Weighted }

// New returns a limit of n requests at a time; n < 1 means 1.
func New(n int) *Limiter {
	return &Limiter{semaphore.NewWeighted(int64(max(n, 1)))}
}

// Wrap returns s with the limit.
func (l *Limiter) Wrap(s store.Store) store.Store {
	return &limited{Store: s, limiter: l}
}

type limited struct {
	store.Store
	limiter *Limiter
}

var _ store.Store = (*limited)(nil)

// Unwrap returns the store inside.
func (l *limited) Unwrap() store.Store { return l.Store }

// acquire waits for a slot until ctx ends, which is a fault of the store if it was a
// deadline: it is overloaded.
func (l *limited) acquire(ctx context.Context) error {
	err := l.limiter.slots.Acquire(ctx, 1)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("wait for a request slot: %w", err)
	if errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return store.Unavailable(err)
}

func (l *limited) release() { l.limiter.slots.Release(1) }

// do runs fn in a slot.
func (l *limited) do(ctx context.Context, fn func() error) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.release()
	return fn()
}

// get runs fn in a slot.
func get[T any](ctx context.Context, l *limited, fn func() (T, error)) (T, error) {
	if err := l.acquire(ctx); err != nil {
		var none T
		return none, err
	}
	defer l.release()
	return fn()
}

func (l *limited) Ping(ctx context.Context) error {
	return l.do(ctx, func() error { return l.Store.Ping(ctx) })
}

func (l *limited) Stat(ctx context.Context, key string) (store.Object, error) {
	return get(ctx, l, func() (store.Object, error) { return l.Store.Stat(ctx, key) })
}

func (l *limited) Digests(ctx context.Context, key string) (store.Digests, error) {
	return get(ctx, l, func() (store.Digests, error) { return l.Store.Digests(ctx, key) })
}

// Open holds its slot only until the answer's headers have arrived. The body is read at the
// pace of a client who may be slow, or wait for another request to this very store: slots
// held so long would let a few clients stop all others.
func (l *limited) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, store.Object{}, err
	}
	defer l.release()
	return l.Store.Open(ctx, key, off, n, ifMatch)
}

// List holds a slot while a page is asked for, not while the caller looks at its entries.
func (l *limited) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	begin := func() error { return l.acquire(ctx) }
	end := func(error) { l.release() }
	return pages.Watch(l.Store.List(ctx, prefix, opts), begin, end)
}

func (l *limited) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	return get(ctx, l, func() (store.Object, error) { return l.Store.Put(ctx, key, body, size, opts) })
}

func (l *limited) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	return get(ctx, l, func() (store.Object, error) { return l.Store.Copy(ctx, dst, src) })
}

func (l *limited) Delete(ctx context.Context, key string) error {
	return l.do(ctx, func() error { return l.Store.Delete(ctx, key) })
}

func (l *limited) Begin(ctx context.Context, key string, opts store.PutOptions) (string, error) {
	return get(ctx, l, func() (string, error) { return l.Store.Begin(ctx, key, opts) })
}

func (l *limited) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	return get(ctx, l, func() (store.Part, error) { return l.Store.PutPart(ctx, key, id, n, body, size) })
}

func (l *limited) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	return get(ctx, l, func() (store.Part, error) { return l.Store.CopyPart(ctx, key, id, n, src, off, size) })
}

func (l *limited) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	return get(ctx, l, func() ([]store.Part, error) { return l.Store.Parts(ctx, key, id) })
}

func (l *limited) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	return get(ctx, l, func() (store.Object, error) { return l.Store.Complete(ctx, key, id, parts) })
}

func (l *limited) Abort(ctx context.Context, key, id string) error {
	return l.do(ctx, func() error { return l.Store.Abort(ctx, key, id) })
}

func (l *limited) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	return get(ctx, l, func() ([]store.Upload, error) { return l.Store.Uploads(ctx, prefix) })
}
