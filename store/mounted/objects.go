package mounted

import (
	"bytes"
	"context"
	"io"

	"github.com/spdscheme/spdserver/store"
)

// Ping implements store.Store. It asks the store below the mounts.
func (s *Store) Ping(ctx context.Context) error { return s.base.Ping(ctx) }

// Stat implements store.Reader.
func (s *Store) Stat(ctx context.Context, key string) (store.Object, error) {
	if s.isPoint(key) {
		return store.Object{Key: key}, nil
	}
	v, err := s.reading(key)
	if err != nil {
		return store.Object{}, err
	}
	return v.show(v.Stat(ctx, v.key(key)))
}

// Digests implements store.Reader.
func (s *Store) Digests(ctx context.Context, key string) (store.Digests, error) {
	if s.isPoint(key) {
		return store.Digests{Object: store.Object{Key: key}}, nil
	}
	v, err := s.reading(key)
	if err != nil {
		return store.Digests{}, err
	}
	d, err := v.Digests(ctx, v.key(key))
	d.Object, err = v.show(d.Object, err)
	return d, err
}

// Open implements store.Reader.
func (s *Store) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	if s.isPoint(key) {
		return io.NopCloser(bytes.NewReader(nil)), store.Object{Key: key}, nil
	}
	v, err := s.reading(key)
	if err != nil {
		return nil, store.Object{}, err
	}
	body, o, err := v.Open(ctx, v.key(key), off, n, ifMatch)
	if o, err = v.show(o, err); err != nil {
		return nil, o, err
	}
	return body, o, nil
}

// Put implements store.Writer.
func (s *Store) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	v, err := s.writing(key)
	if err != nil {
		return store.Object{}, err
	}
	return v.show(v.Put(ctx, v.key(key), body, size, opts))
}

// Copy implements store.Writer. Between buckets, the bytes go through this process.
func (s *Store) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	from, err := s.reading(src.Key)
	if err != nil {
		return store.Object{}, err
	}
	to, err := s.writing(dst)
	if err != nil {
		return store.Object{}, err
	}
	src.Key = from.key(src.Key)
	if from.bucket == to.bucket {
		return to.show(to.Copy(ctx, to.key(dst), src))
	}
	return to.show(s.opts.Buffers.copy(ctx, to, to.key(dst), from, src))
}

// Delete implements store.Writer.
func (s *Store) Delete(ctx context.Context, key string) error {
	if s.isPoint(key) {
		return ErrMountPoint
	}
	if s.taken(key) {
		return nil // there is no such object
	}
	v, err := s.writing(key)
	if err != nil {
		return err
	}
	return v.failed(v.Store.Delete(ctx, v.key(key)))
}
