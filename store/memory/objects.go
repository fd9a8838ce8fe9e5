package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/store"
)

func (b *bucket) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := check(ctx, key); err != nil {
		return store.Object{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o, err := b.find(key, "")
	return o.Object, err
}

// Digests knows none: like most stores, it keeps what uploaders ask for, and they do not.
func (b *bucket) Digests(ctx context.Context, key string) (store.Digests, error) {
	o, err := b.Stat(ctx, key)
	return store.Digests{Object: o}, err
}

func (b *bucket) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Object{}, err
	}
	if off < 0 {
		return nil, store.Object{}, fmt.Errorf("open at offset %d", off)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o, err := b.find(key, ifMatch)
	if err != nil {
		return nil, store.Object{}, err
	}
	data := o.data[min(off, o.Size):]
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return &body{ctx: ctx, r: bytes.NewReader(data)}, o.Object, nil
}

// body is what Open returns: it ends with its context.
type body struct {
	ctx context.Context
	r   *bytes.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if err := ended(b.ctx); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (b *body) Close() error { return nil }

func (b *bucket) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if err := ended(ctx); err != nil {
			yield(store.Object{}, err)
			return
		}
		entries := b.entries(prefix, opts)
		for i, key := range slices.Sorted(maps.Keys(entries)) {
			if opts.Limit > 0 && i == opts.Limit {
				return
			}
			if err := ended(ctx); err != nil {
				yield(store.Object{}, err)
				return
			}
			if !yield(entries[key], nil) {
				return
			}
		}
	}
}

func (b *bucket) entries(prefix string, opts store.ListOptions) listing {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries := make(listing)
	for key, o := range b.objects {
		if strings.HasPrefix(key, prefix) {
			entries.add(o.Object, prefix, opts)
		}
	}
	return entries
}

func (b *bucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	if err := check(ctx, key); err != nil {
		return store.Object{}, err
	}
	if size > store.MaxPutSize {
		return store.Object{}, fmt.Errorf("put of %d bytes: %w", size, store.ErrTooLarge)
	}
	data, err := readBody(body, size)
	if err == nil && opts.Confirm != nil {
		err = opts.Confirm()
	}
	if err != nil {
		return store.Object{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, exists := b.objects[key]; exists && opts.IfAbsent {
		return store.Object{}, fmt.Errorf("object: %w", store.ErrExist)
	}
	return b.put(key, etagOf(data), data), nil
}

func (b *bucket) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	if err := check(ctx, dst); err != nil {
		return store.Object{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o, err := b.find(src.Key, src.ETag)
	if err != nil {
		return store.Object{}, err
	}
	return b.put(dst, o.ETag, o.data), nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
	return nil
}
