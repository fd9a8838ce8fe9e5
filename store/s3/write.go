package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/internal/wire"
)

// Put stores an object (S3 PutObject).
func (b *bucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	if err := b.check(ctx, key); err != nil {
		return store.Object{}, err
	}
	if size > store.MaxPutSize {
		return store.Object{}, fmt.Errorf("put of %d bytes: %w", size, store.ErrTooLarge)
	}
	sum, err := prepare(body, size, b.opts.Checksum)
	if err != nil {
		return store.Object{}, fmt.Errorf("put object: %w", err)
	}
	header := sum.header()
	header["Content-Type"] = []string{cmp.Or(opts.ContentType, defaultContentType)}
	if opts.IfAbsent {
		header.Set("If-None-Match", "*")
	}
	rctx, stall := b.watch(ctx)
	defer stall.end()
	content := &payload{body: body, left: size, stall: stall, confirm: opts.Confirm}
	if _, inOrder := b.transport.(*wire.Transport); opts.Confirm != nil && (size == 0 || !inOrder) {
		content.confirm = nil
		if err := opts.Confirm(); err != nil {
			return store.Object{}, fmt.Errorf("put object: %w", &bodyError{err})
		}
	}
	etag, err := b.put(rctx, request{key: key, header: header, body: content, size: size})
	if opts.IfAbsent && isCode(err, minio.PreconditionFailed) {
		return store.Object{}, fmt.Errorf("put object: %w", store.ErrExist)
	}
	if err != nil {
		return store.Object{}, translate(ctx, "put object", cause(rctx, err))
	}
	return store.Object{Key: key, Size: size, ETag: etag}, nil
}

const defaultContentType = "application/octet-stream"

// put sends a body and returns the ETag that the store gave it.
func (b *bucket) put(ctx context.Context, r request) (etag string, err error) {
	r.method = http.MethodPut
	resp, err := b.do(ctx, r)
	if err != nil {
		return "", err
	}
	r.body.arrived()
	return unquote(resp.Header.Get("Etag")), resp.Body.Close()
}

// Copy copies an object inside the store (S3 CopyObject); one that is larger than
// CopyThreshold in parts, with several requests.
func (b *bucket) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	if err := b.check(ctx, dst); err != nil {
		return store.Object{}, err
	}
	if err := b.check(ctx, src.Key); err != nil {
		return store.Object{}, err
	}
	if src.Size > b.opts.CopyThreshold {
		return b.copyInParts(ctx, dst, src)
	}
	rctx, cancel := b.deadline(ctx, src.Size)
	defer cancel()
	info, err := b.core.Client.CopyObject(rctx,
		minio.CopyDestOptions{Bucket: b.name, Object: dst},
		minio.CopySrcOptions{Bucket: b.name, Object: src.Key, MatchETag: src.ETag})
	if isCode(err, "DirectoryObjectContainsData") && src.Size == 0 {
		// versitygw takes the size of the directory behind a marker for content.
		return b.Put(ctx, dst, strings.NewReader(""), 0, store.PutOptions{ContentType: store.DirContent})
	}
	if err != nil {
		return store.Object{}, translate(ctx, "copy object", err)
	}
	return store.Object{Key: dst, Size: src.Size, ETag: unquote(info.ETag), ModTime: info.LastModified}, nil
}

// copiesInFlight is how many parts of an object are copied at a time.
const copiesInFlight = 4

func (b *bucket) copyInParts(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	id, err := b.Begin(ctx, dst, store.PutOptions{})
	if err != nil {
		return store.Object{}, err
	}
	parts, err := b.copyParts(ctx, dst, id, src)
	if err == nil {
		var o store.Object
		if o, err = b.Complete(ctx, dst, id, parts); err == nil {
			return o, nil
		}
	}
	// The parts would be kept, and paid for, for ever; even if the caller has gone.
	actx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.opts.RequestTimeout)
	defer cancel()
	return store.Object{}, errors.Join(err, b.Abort(actx, dst, id))
}

func (b *bucket) copyParts(ctx context.Context, dst, id string, src store.Object) ([]store.Part, error) {
	size := copyPartSize(src.Size, b.opts.CopyPartSize)
	parts := make([]store.Part, (src.Size+size-1)/size)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(copiesInFlight)
	for i := range parts {
		off := int64(i) * size
		g.Go(func() (err error) {
			parts[i], err = b.CopyPart(ctx, dst, id, i+1, src, off, min(size, src.Size-off))
			return err
		})
	}
	return parts, g.Wait()
}

// copyPartSize is the least size, not below least, with which MaxParts suffice.
func copyPartSize(size, least int64) int64 {
	return max(least, (size+store.MaxParts-1)/store.MaxParts)
}

// Delete removes an object (S3 DeleteObject).
func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := b.check(ctx, key); err != nil {
		return err
	}
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	err := translate(ctx, "delete object", b.core.RemoveObject(rctx, b.name, key, minio.RemoveObjectOptions{}))
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	return err
}
