package driver

import (
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// What a session has lately seen to exist, so that the store is not asked again for each
// command. All of it is harmless when it is no longer so: an upload into a directory that
// was removed meanwhile by way of another node makes it again, and a rename of a file that
// is gone fails when it comes to copy it.
const (
	seenFor = 30 * time.Second
	maxSeen = 1024 // entries of each kind: a session may walk a large tree
)

// seenDir is a directory that exists.
type seenDir struct {
	marker bool // it has a marker object of its own
}

type (
	seenDirs  = recent[seenDir]      // by marker key
	seenFiles = recent[store.Object] // by key
)

// recent is a small memory that forgets. It may be used concurrently.
type recent[T any] struct {
	mu      sync.Mutex
	entries map[string]timed[T]
}

type timed[T any] struct {
	value T
	at    time.Time
}

func newRecent[T any]() *recent[T] { return &recent[T]{entries: make(map[string]timed[T])} }

func (r *recent[T]) add(key string, value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) >= maxSeen {
		clear(r.entries)
	}
	r.entries[key] = timed[T]{value: value, at: time.Now()}
}

func (r *recent[T]) get(key string) (T, bool) {
	value, _, ok := r.seen(key)
	return value, ok
}

// seen is get, and tells when that was.
func (r *recent[T]) seen(key string) (value T, at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.entries[key]
	return e.value, e.at, ok && time.Since(e.at) < seenFor
}

// forget drops one key.
func (r *recent[T]) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, key)
}

// clear drops everything.
func (r *recent[T]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.entries)
}
