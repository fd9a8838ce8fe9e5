// Package retry asks a store again when it was unavailable.
//
// Every method of the contract may be called twice: a body is read from its start again, a
// part replaces itself. Three calls need care, because the answer of one that succeeded may
// get lost. Put with IfAbsent and Complete look at what is there: if it is what they would
// have made, they succeeded. Begin leaves an upload behind that nobody knows; lifecycle rules
// of the bucket should remove those.
//
// A body that breaks off is opened again where it broke, and a listing behind its last entry.
package retry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// Options say how long to try. The zero value is a good default.
type Options struct {
	// For bounds the time from the first attempt, or the last progress of a body or a
	// listing, to the start of the last attempt. 0 means 30 seconds.
	For time.Duration
	// First and Max are the first and the longest wait between attempts. Each wait is
	// random, between half and all of what doubles from First to Max. 0 means 50 ms, 2 s.
	First, Max time.Duration
	// Notify, if not nil, is told of each failed attempt that will be repeated, after wait.
	Notify func(op string, wait time.Duration, err error)
}

// Wrap returns s with its failed requests repeated.
func Wrap(s store.Store, opts Options) store.Store {
	opts.For = cmp.Or(opts.For, 30*time.Second)
	opts.First = cmp.Or(opts.First, 50*time.Millisecond)
	opts.Max = cmp.Or(opts.Max, 2*time.Second)
	return &retrier{Store: s, opts: opts}
}

type retrier struct {
	store.Store
	opts Options
}

var _ store.Store = (*retrier)(nil)

// Unwrap returns the store inside.
func (r *retrier) Unwrap() store.Store { return r.Store }

// patience counts failures in a row.
type patience struct {
	*retrier
	op    string
	since time.Time // the first attempt
	next  time.Duration
}

func (r *retrier) patience(op string) *patience {
	return &patience{retrier: r, op: op, since: time.Now(), next: r.opts.First}
}

// progress forgets the failures so far.
func (p *patience) progress() { p.since, p.next = time.Now(), p.opts.First }

// wait returns nil when it is time to try again, or the error to give up with.
func (p *patience) wait(ctx context.Context, err error) error {
	if !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	wait := p.next/2 + rand.N(p.next/2+1) // #nosec G404 -- no secret
	p.next = min(2*p.next, p.opts.Max)
	if time.Since(p.since)+wait > store.Patience(ctx, p.opts.For) {
		return err
	}
	if ctx.Err() == nil && p.opts.Notify != nil {
		p.opts.Notify(p.op, wait, err)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ended := ctx.Err(); errors.Is(ended, context.Canceled) { // not the store's fault
		return fmt.Errorf("%s: %w", p.op, ended)
	} else if ended != nil {
		return err
	}
	return nil
}

// do repeats fn until it succeeds or patience ends.
func (r *retrier) do(ctx context.Context, op string, fn func() error) error {
	p := r.patience(op)
	for {
		err := fn()
		if err == nil {
			return nil
		}
		if err = p.wait(ctx, err); err != nil {
			return err
		}
	}
}

// get is do for a function that returns a value.
func get[T any](ctx context.Context, r *retrier, op string, fn func() (T, error)) (T, error) {
	var v T
	err := r.do(ctx, op, func() (err error) {
		v, err = fn()
		return err
	})
	return v, err
}

func (r *retrier) Ping(ctx context.Context) error {
	return r.do(ctx, "ping", func() error { return r.Store.Ping(ctx) })
}

func (r *retrier) Stat(ctx context.Context, key string) (store.Object, error) {
	return get(ctx, r, "stat", func() (store.Object, error) { return r.Store.Stat(ctx, key) })
}

func (r *retrier) Digests(ctx context.Context, key string) (store.Digests, error) {
	return get(ctx, r, "digests", func() (store.Digests, error) { return r.Store.Digests(ctx, key) })
}

func (r *retrier) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	return get(ctx, r, "copy", func() (store.Object, error) { return r.Store.Copy(ctx, dst, src) })
}

func (r *retrier) Delete(ctx context.Context, key string) error {
	return r.do(ctx, "delete", func() error { return r.Store.Delete(ctx, key) })
}

func (r *retrier) Begin(ctx context.Context, key string, opts store.PutOptions) (string, error) {
	return get(ctx, r, "begin", func() (string, error) { return r.Store.Begin(ctx, key, opts) })
}

func (r *retrier) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	return get(ctx, r, "put_part", func() (store.Part, error) { return r.Store.PutPart(ctx, key, id, n, body, size) })
}

func (r *retrier) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	return get(ctx, r, "copy_part", func() (store.Part, error) { return r.Store.CopyPart(ctx, key, id, n, src, off, size) })
}

func (r *retrier) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	return get(ctx, r, "parts", func() ([]store.Part, error) { return r.Store.Parts(ctx, key, id) })
}

func (r *retrier) Abort(ctx context.Context, key, id string) error {
	return r.do(ctx, "abort", func() error { return r.Store.Abort(ctx, key, id) })
}

func (r *retrier) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	return get(ctx, r, "uploads", func() ([]store.Upload, error) { return r.Store.Uploads(ctx, prefix) })
}
