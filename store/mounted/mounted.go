// Package mounted shows places of other buckets as directories of a store.
//
// A mount point always is a directory, whatever is stored there: it begins every listing of
// itself, and the directories that lead to it exist with it. What the store below has under
// the same keys cannot be seen. Mounts may lie within each other; the innermost counts.
package mounted

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/spdscheme/spdserver/store"
)

var (
	// ErrMountPoint: a mount point cannot be deleted or replaced.
	ErrMountPoint = errors.New("is a mount point")
	// ErrReadOnly: nothing may be changed in the mount.
	ErrReadOnly = fmt.Errorf("mount is read-only: %w", fs.ErrPermission)
	// ErrAway: the bucket of the mount does not exist, or may not be used.
	ErrAway = errors.New("mount cannot be used")
)

// Mount shows a place as a directory.
type Mount struct {
	At       string // the keys it takes begin with this; ends in "/"
	Bucket   string
	Prefix   string // what their keys begin with in that bucket; "" or ends in "/"
	ReadOnly bool
}

// Options are what a Store works with.
type Options struct {
	Bucket  string       // of the store below
	Mounts  []Mount      // in any order; no two at the same place
	Open    store.Opener // gives the stores of the mounts' buckets, when they are needed
	Buffers *Buffers     // for copies between buckets; shared by all sessions
}

// Store is a store with mounts. It may be used concurrently.
type Store struct {
	base   store.Store
	opts   Options
	mounts []Mount // sorted by At

	mu     sync.Mutex
	opened map[string]store.Store // by bucket
}

var _ store.Store = (*Store)(nil)

// New puts mounts over a store. It makes no request.
func New(base store.Store, o Options) *Store {
	s := &Store{base: base, opts: o, mounts: slices.Clone(o.Mounts), opened: map[string]store.Store{o.Bucket: base}}
	slices.SortFunc(s.mounts, func(a, b Mount) int { return strings.Compare(a.At, b.At) })
	return s
}

// Unwrap returns the store below the mounts.
func (s *Store) Unwrap() store.Store { return s.base }

// Place is where an object really is. The same object, reached in different ways, has one.
type Place struct{ Bucket, Key string }

// Place finds where a key is.
func (s *Store) Place(key string) Place {
	m, ok := s.find(key)
	if !ok {
		return Place{s.opts.Bucket, key}
	}
	return Place{m.Bucket, m.Prefix + key[len(m.At):]}
}

// At finds the store that a key is in. The key is there under that of its Place.
func (s *Store) At(key string) (store.Store, error) {
	v, err := s.view(key)
	return v.Store, err
}

// MountOf tells which mount a key lies in, by its At; "" if in none.
func (s *Store) MountOf(key string) (at string) {
	m, _ := s.find(key)
	return m.At
}

// Leads tells whether a directory is a mount point, or one lies below it: such a directory
// can be neither removed nor renamed. dir ends in "/".
func (s *Store) Leads(dir string) bool { return len(s.within(dir)) > 0 }

// find finds the innermost mount that a key lies in.
func (s *Store) find(key string) (Mount, bool) {
	for end := strings.LastIndexByte(key, '/'); end >= 0; end = strings.LastIndexByte(key[:end], '/') {
		if i, ok := s.search(key[:end+1]); ok {
			return s.mounts[i], true
		}
	}
	return Mount{}, false
}

func (s *Store) search(at string) (int, bool) {
	return slices.BinarySearchFunc(s.mounts, at, func(m Mount, at string) int { return strings.Compare(m.At, at) })
}

// isPoint tells whether a key is that of a mount point itself.
func (s *Store) isPoint(key string) bool {
	_, ok := s.search(key)
	return ok
}

// within lists the mounts whose At begins with a prefix.
func (s *Store) within(prefix string) []Mount {
	from, _ := s.search(prefix)
	return behindPrefix(s.mounts[from:], prefix, true)
}

// behindPrefix cuts sorted mounts where they no longer begin with a prefix, and returns
// those before (first) or behind. All before the first that does are taken to begin so, too.
func behindPrefix(mounts []Mount, prefix string, first bool) []Mount {
	n := sort.Search(len(mounts), func(i int) bool { return !strings.HasPrefix(mounts[i].At, prefix) })
	if first {
		return mounts[:n]
	}
	return mounts[n:]
}

// taken tells whether a key without a slash is the name of a directory that is there because
// of a mount: no object of that name can be seen.
func (s *Store) taken(key string) bool {
	return !strings.HasSuffix(key, "/") && len(s.within(key+"/")) > 0
}

// view is a store as its keys are shown.
type view struct {
	store.Store
	mount  Mount
	bucket string
}

// view finds the store that a key lies in.
func (s *Store) view(key string) (view, error) {
	m, ok := s.find(key)
	if !ok {
		return view{Store: s.base, bucket: s.opts.Bucket}, nil
	}
	below, err := s.open(m.Bucket)
	if err != nil {
		return view{}, fmt.Errorf("%w: open bucket %q: %w", ErrAway, m.Bucket, err)
	}
	return view{Store: below, mount: m, bucket: m.Bucket}, nil
}

// open opens a bucket once.
func (s *Store) open(bucket string) (store.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if below, ok := s.opened[bucket]; ok {
		return below, nil
	}
	below, err := s.opts.Open(bucket)
	if err != nil {
		return nil, err
	}
	s.opened[bucket] = below
	return below, nil
}

// key is what a shown key is in the store.
func (v view) key(shown string) string { return v.mount.Prefix + shown[len(v.mount.At):] }

// shown is the opposite of key.
func (v view) shown(key string) string { return v.mount.At + key[len(v.mount.Prefix):] }

// show makes an object of the store one that is shown.
func (v view) show(o store.Object, err error) (store.Object, error) {
	if err != nil {
		return store.Object{}, v.failed(err)
	}
	o.Key = v.shown(o.Key)
	return o, nil
}

// failed names the bucket of a mount that cannot be used, for the log.
func (v view) failed(err error) error {
	if v.mount.At != "" && (errors.Is(err, store.ErrNoBucket) || errors.Is(err, store.ErrDenied)) {
		return fmt.Errorf("%w: bucket %q: %w", ErrAway, v.bucket, err)
	}
	return err
}

// reading finds the store to read a key from.
func (s *Store) reading(key string) (view, error) {
	if s.taken(key) {
		return view{}, fmt.Errorf("a directory leads to a mount: %w", store.ErrNotExist)
	}
	return s.view(key)
}

// writing finds the store to change a key in.
func (s *Store) writing(key string) (view, error) {
	if s.isPoint(key) || s.taken(key) {
		return view{}, fmt.Errorf("%w: %w", ErrMountPoint, store.ErrExist)
	}
	v, err := s.view(key)
	if err == nil && v.mount.ReadOnly {
		return view{}, ErrReadOnly
	}
	return v, err
}
