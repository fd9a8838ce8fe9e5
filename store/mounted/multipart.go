package mounted

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spdscheme/spdserver/store"
)

// Begin implements store.Multiparter.
func (s *Store) Begin(ctx context.Context, key string, opts store.PutOptions) (string, error) {
	v, err := s.writing(key)
	if err != nil {
		return "", err
	}
	id, err := v.Begin(ctx, v.key(key), opts)
	return id, v.failed(err)
}

// PutPart implements store.Multiparter.
func (s *Store) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	v, err := s.writing(key)
	if err != nil {
		return store.Part{}, err
	}
	part, err := v.PutPart(ctx, v.key(key), id, n, body, size)
	return part, v.failed(err)
}

// CopyPart implements store.Multiparter. Both objects must be in one bucket, else the error
// is errors.ErrUnsupported.
func (s *Store) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	from, err := s.reading(src.Key)
	if err != nil {
		return store.Part{}, err
	}
	to, err := s.writing(key)
	if err != nil {
		return store.Part{}, err
	}
	if from.bucket != to.bucket {
		return store.Part{}, fmt.Errorf("copy a part from another bucket: %w", errors.ErrUnsupported)
	}
	src.Key = from.key(src.Key)
	part, err := to.CopyPart(ctx, to.key(key), id, n, src, off, size)
	return part, to.failed(err)
}

// Parts implements store.Multiparter.
func (s *Store) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	v, err := s.view(key)
	if err != nil {
		return nil, err
	}
	parts, err := v.Parts(ctx, v.key(key), id)
	return parts, v.failed(err)
}

// Complete implements store.Multiparter.
func (s *Store) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	v, err := s.writing(key)
	if err != nil {
		return store.Object{}, err
	}
	return v.show(v.Complete(ctx, v.key(key), id, parts))
}

// Abort implements store.Multiparter.
func (s *Store) Abort(ctx context.Context, key, id string) error {
	v, err := s.view(key)
	if err != nil {
		return err
	}
	return v.failed(v.Abort(ctx, v.key(key), id))
}

// Uploads implements store.Multiparter. It lists those of the store that the prefix lies in,
// not those of mounts further below.
func (s *Store) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	v, err := s.view(prefix)
	if err != nil {
		return nil, err
	}
	uploads, err := v.Store.Uploads(ctx, v.key(prefix))
	for i := range uploads {
		uploads[i].Key = v.shown(uploads[i].Key)
	}
	return uploads, v.failed(err)
}
