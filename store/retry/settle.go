package retry

import (
	"context"
	"crypto/md5" // #nosec G501 -- S3 ETags are MD5 by definition
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spdscheme/spdserver/store"
)

// Put repeats a Put. With IfAbsent, an ErrExist after a lost answer may tell of our own
// object; if its ETag is that of our body, it is taken for ours.
func (r *retrier) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	lost := false
	o, err := get(ctx, r, "put", func() (store.Object, error) {
		o, err := r.Store.Put(ctx, key, body, size, opts)
		lost = lost || errors.Is(err, store.ErrUnavailable)
		return o, err
	})
	if !lost || !opts.IfAbsent || !errors.Is(err, store.ErrExist) {
		return o, err
	}
	etag, sumErr := etagOf(body)
	if sumErr != nil {
		return o, err
	}
	if found, statErr := r.Stat(ctx, key); statErr == nil && found.ETag == etag {
		return store.Object{Key: key, Size: size, ETag: etag}, nil
	}
	return o, err
}

// Complete repeats a Complete. An ErrNotExist, or parts that are gone, after a lost answer
// may mean that the upload is completed already; the object's ETag tells.
func (r *retrier) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	lost := false
	o, err := get(ctx, r, "complete", func() (store.Object, error) {
		o, err := r.Store.Complete(ctx, key, id, parts)
		lost = lost || errors.Is(err, store.ErrUnavailable)
		return o, err
	})
	if !lost || !errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrPartLost) {
		return o, err
	}
	if found, statErr := r.Stat(ctx, key); statErr == nil && found.ETag == etagOfParts(parts) {
		return found, nil
	}
	return o, err
}

// etagOf is the ETag of an object that was Put, unless the store encrypts: its MD5.
func etagOf(body io.ReadSeeker) (string, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := md5.New() // #nosec G401 -- see the import
	if _, err := io.Copy(h, body); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// etagOfParts is the ETag of an object made of parts: the MD5 of the parts' MD5s, and their
// number. "" if the parts' ETags are no MD5s.
func etagOfParts(parts []store.Part) string {
	h := md5.New() // #nosec G401 -- see the import
	for _, p := range parts {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil || len(sum) != md5.Size {
			return ""
		}
		_, _ = h.Write(sum) // never fails
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(parts))
}
