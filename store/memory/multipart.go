package memory

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/store"
)

// upload is a multipart upload in progress.
type upload struct {
	store.Upload
	parts map[int]part
}

type part struct {
	store.Part
	data []byte
}

func (b *bucket) Begin(ctx context.Context, key string, _ store.PutOptions) (string, error) {
	if err := check(ctx, key); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun++
	id := fmt.Sprintf("upload-%d", b.begun)
	b.uploads[id] = &upload{
		Upload: store.Upload{Key: key, ID: id, Initiated: b.service.Now().UTC()},
		parts:  make(map[int]part),
	}
	return id, nil
}

// upload finds an upload in progress.
func (b *bucket) upload(key, id string) (*upload, error) {
	u, ok := b.uploads[id]
	if !ok || u.Key != key {
		return nil, fmt.Errorf("upload: %w", store.ErrNotExist)
	}
	return u, nil
}

func (b *bucket) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	if err := checkPart(ctx, key, n, size); err != nil {
		return store.Part{}, err
	}
	data, err := readBody(body, size)
	if err != nil {
		return store.Part{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(key, id)
	if err != nil {
		return store.Part{}, err
	}
	return u.put(n, data), nil
}

func (b *bucket) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	if err := checkPart(ctx, key, n, size); err != nil {
		return store.Part{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(key, id)
	if err != nil {
		return store.Part{}, err
	}
	o, err := b.find(src.Key, src.ETag)
	if err != nil {
		return store.Part{}, err
	}
	if off < 0 || size < 1 || off+size > o.Size {
		return store.Part{}, fmt.Errorf("copy part %d: bytes %d+%d of an object of %d", n, off, size, o.Size)
	}
	return u.put(n, o.data[off:off+size]), nil
}

func checkPart(ctx context.Context, key string, n int, size int64) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	if n < 1 || n > store.MaxParts {
		return fmt.Errorf("part number %d", n)
	}
	if size > store.MaxPartSize {
		return fmt.Errorf("part of %d bytes: %w", size, store.ErrTooLarge)
	}
	return nil
}

func (u *upload) put(n int, data []byte) store.Part {
	p := store.Part{Number: n, Size: int64(len(data)), ETag: etagOf(data)}
	u.parts[n] = part{Part: p, data: data}
	return p
}

func (b *bucket) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(key, id)
	if err != nil {
		return nil, err
	}
	var parts []store.Part
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		parts = append(parts, u.parts[n].Part)
	}
	return parts, nil
}

// Complete asks for an id only once: like MinIO, it answers ErrNotExist to a second call.
func (b *bucket) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	if err := check(ctx, key); err != nil {
		return store.Object{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(key, id)
	if err != nil {
		return store.Object{}, err
	}
	data, etag, err := u.join(parts, b.service.MinPartSize)
	if err != nil {
		return store.Object{}, err
	}
	delete(b.uploads, id)
	return b.put(key, etag, data), nil
}

// join puts the parts together. The ETag is that of S3: the MD5 of the parts' MD5s, and
// how many they are.
func (u *upload) join(parts []store.Part, minSize int64) (data []byte, etag string, err error) {
	if len(parts) == 0 {
		return nil, "", fmt.Errorf("complete an upload without parts")
	}
	var sums []byte
	for i, want := range parts {
		got, ok := u.parts[want.Number]
		if !ok || got.ETag != want.ETag {
			return nil, "", fmt.Errorf("part %d: %w", want.Number, store.ErrPartLost)
		}
		if i > 0 && want.Number <= parts[i-1].Number {
			return nil, "", fmt.Errorf("part %d is out of order", want.Number)
		}
		if i < len(parts)-1 && got.Size < minSize {
			return nil, "", fmt.Errorf("part %d has %d bytes, needs %d", want.Number, got.Size, minSize)
		}
		sum, err := hex.DecodeString(got.ETag)
		if err != nil {
			return nil, "", fmt.Errorf("part %d: %w", want.Number, err)
		}
		sums = append(sums, sum...)
		data = append(data, got.data...)
	}
	return data, fmt.Sprintf("%s-%d", etagOf(sums), len(parts)), nil
}

func (b *bucket) Abort(ctx context.Context, key, id string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.upload(key, id); err == nil {
		delete(b.uploads, id)
	}
	return nil
}

func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var uploads []store.Upload
	for _, u := range b.uploads {
		if strings.HasPrefix(u.Key, prefix) {
			uploads = append(uploads, u.Upload)
		}
	}
	slices.SortFunc(uploads, func(a, b store.Upload) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID))
	})
	return uploads, nil
}
