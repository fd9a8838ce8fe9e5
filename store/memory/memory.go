// Package memory keeps objects in memory, for tests and as a working example of the store
// contract.
//
// It is strict: it checks lengths, names, ETags and the rules for parts as the pickiest
// real store does. Nothing survives the process.
package memory

import (
	"context"
	"crypto/md5" // #nosec G501 -- S3 ETags are MD5 by definition
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// Service holds buckets. Set its fields before the first use; after that it may be used
// concurrently.
type Service struct {
	// Now tells the time of new objects.
	Now func() time.Time
	// MinPartSize is the least size of every part but the last, in bytes.
	MinPartSize int64

	mu      sync.Mutex
	buckets map[string]*bucket
}

// New returns an empty service with the limits of S3.
func New() *Service {
	return &Service{Now: time.Now, MinPartSize: store.MinPartSize, buckets: make(map[string]*bucket)}
}

// Bucket returns the bucket of this name, which exists from now on.
func (s *Service) Bucket(name string) store.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		b = &bucket{service: s, objects: make(map[string]object), uploads: make(map[string]*upload)}
		s.buckets[name] = b
	}
	return b
}

// bucket is the Store. Its mutex guards the maps; what they hold is never changed in
// place, but for the parts of an upload.
type bucket struct {
	service *Service

	mu      sync.Mutex
	objects map[string]object
	uploads map[string]*upload
	begun   int // uploads so far; makes their ids
}

var _ store.Store = (*bucket)(nil)

type object struct {
	store.Object
	data []byte
}

// Ping always finds the bucket.
func (b *bucket) Ping(ctx context.Context) error { return ended(ctx) }

// put makes the object and returns its properties without the time, as S3 does.
func (b *bucket) put(key, etag string, data []byte) store.Object {
	o := object{data: data, Object: store.Object{
		Key: key, Size: int64(len(data)), ETag: etag, ModTime: b.service.Now().UTC().Truncate(time.Millisecond),
	}}
	b.objects[key] = o
	o.ModTime = time.Time{}
	return o.Object
}

// find returns the object and checks its ETag unless ifMatch is "".
func (b *bucket) find(key, ifMatch string) (object, error) {
	o, ok := b.objects[key]
	if !ok {
		return object{}, fmt.Errorf("object: %w", store.ErrNotExist)
	}
	if ifMatch != "" && ifMatch != o.ETag {
		return object{}, fmt.Errorf("object: %w", store.ErrChanged)
	}
	return o, nil
}

// check refuses a request whose context has ended or whose key cannot be.
func check(ctx context.Context, key string) error {
	if err := ended(ctx); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// ended tells, in the contract's words, that ctx has ended.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return store.Unavailable(err)
	}
	return err
}

// readBody reads a body from its start and insists that it is size bytes long.
func readBody(body io.ReadSeeker, size int64) ([]byte, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind body: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(data)) != size {
		return nil, fmt.Errorf("body is not %d bytes long", size)
	}
	return data, nil
}

func etagOf(data []byte) string {
	sum := md5.Sum(data) // #nosec G401 -- see the import
	return hex.EncodeToString(sum[:])
}

// listing is a set of entries, ready to be sorted.
type listing map[string]store.Object

// add puts o in the listing, or the prefix it is rolled up into.
func (l listing) add(o store.Object, prefix string, opts store.ListOptions) {
	if opts.Delimiter != "" {
		if i := strings.Index(o.Key[len(prefix):], opts.Delimiter); i >= 0 {
			o = store.Object{Key: o.Key[:len(prefix)+i+len(opts.Delimiter)], Prefix: true}
		}
	}
	if o.Key > opts.StartAfter {
		l[o.Key] = o
	}
}
