package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
)

// windowFor is how long a session relies on a window. Within that time, a directory of
// the same name that somebody makes by way of another node is not seen.
const windowFor = 3 * time.Second

// The entries that a window spans, at first and at most: a client that uploads in order
// gets more at a time.
const (
	firstWindow = 64
	maxWindow   = store.PageSize
)

// windows tell which names of a directory are no directories, so that uploading many
// files into one place does not cost a look at the store for each. A window is a run of
// entries, listed at once; of each directory a session keeps the last.
type windows struct {
	mu   sync.Mutex
	seen map[string]*window // by directory
}

// window knows everything about the keys in (after, upto].
type window struct {
	after string
	upto  string // "": all that follow
	dirs  map[string]bool
	size  int // entries asked for
	at    time.Time
}

func newWindows() *windows { return &windows{seen: make(map[string]*window)} }

func (w *windows) get(dir string) *window {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[dir]
}

func (w *windows) set(dir string, v *window) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) >= maxSeen {
		clear(w.seen)
	}
	w.seen[dir] = v
}

// covers tells whether the window, if it is not too old, knows about a key.
func (v *window) covers(key string) bool {
	return v != nil && time.Since(v.at) < windowFor && key > v.after && (v.upto == "" || key+"/" <= v.upto)
}

// notDirectory checks that a name is no directory, mostly without a request.
func (d *Driver) notDirectory(ctx context.Context, n name) error {
	dir := n.parent().dir()
	v := d.windows.get(dir)
	if !v.covers(n.key) {
		var err error
		if v, err = d.lookAhead(ctx, dir, n, v); err != nil {
			return err
		}
		d.windows.set(dir, v)
	}
	if v.covers(n.key) && d.free(v, n) {
		return nil
	}
	_, err := d.lookupDir(ctx, n) // it may be gone again
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return errIsDirectory
}

// free tells whether a window that covers a name has seen no directory there.
func (d *Driver) free(v *window, n name) bool {
	return !v.dirs[n.dir()] && !d.Made.has(d.place(n.dir()))
}

// knownFree tells whether the session knows, without a request, that a name can be
// uploaded to: its directory exists, and it is none itself.
func (d *Driver) knownFree(n name) bool {
	up := n.parent()
	if _, ok := d.knownDir(up); !ok && !up.home() {
		return false
	}
	v := d.windows.get(up.dir())
	return v.covers(n.key) && d.free(v, n)
}

// knownDir is what the session has lately seen of a directory, unless a session of this node
// has removed it since.
func (d *Driver) knownDir(n name) (seenDir, bool) {
	seen, at, ok := d.dirs.seen(n.dir())
	return seen, ok && !d.Made.goneSince(d.place(n.dir()), at)
}

// justBefore is a key behind which a listing begins with the given one, or almost.
func justBefore(key string) string {
	last, size := utf8.DecodeLastRuneInString(key)
	if last--; last == 0xDFFF { // no characters, but halves of UTF-16 pairs
		last = 0xD7FF
	}
	return key[:len(key)-size] + string(last) + string(utf8.RuneError)
}

// lookAhead lists the entries from a name on. It asks for more if the name follows those
// of the window before.
func (d *Driver) lookAhead(ctx context.Context, dir string, n name, before *window) (*window, error) {
	v := &window{after: justBefore(n.key), size: firstWindow, dirs: make(map[string]bool), at: time.Now()}
	if before != nil && n.key > before.after {
		v.size = min(2*before.size, maxWindow)
	}
	opts := store.ListOptions{Delimiter: "/", Limit: v.size, StartAfter: v.after}
	count := 0
	for object, err := range d.Store.List(ctx, dir, opts) {
		if err != nil {
			return nil, fmt.Errorf("look for directories: %w", err)
		}
		if count++; count == v.size {
			v.upto = object.Key
		}
		if object.Prefix || strings.HasSuffix(object.Key, "/") {
			v.dirs[object.Key] = true
		}
	}
	return v, nil
}

// MadeDirs are the directories that the sessions of a node have lately made or removed: what
// none of their windows can know yet, and what they have seen in vain. The zero value is
// ready; it may be used concurrently, and nil knows nothing.
type MadeDirs struct {
	mu   sync.Mutex
	made map[mounted.Place]time.Time
	gone map[mounted.Place]time.Time
	all  time.Time // whatever was seen before may be gone
}

func (m *MadeDirs) add(dir mounted.Place) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil {
		m.made = make(map[mounted.Place]time.Time)
	}
	if len(m.made) >= maxSeen {
		for k, at := range m.made {
			if time.Since(at) > windowFor {
				delete(m.made, k)
			}
		}
	}
	m.made[dir] = time.Now()
}

// remove notes that a directory was removed.
func (m *MadeDirs) remove(dir mounted.Place) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.made, dir)
	if m.gone == nil || len(m.gone) >= maxSeen {
		if m.gone != nil {
			m.all = time.Now()
		}
		m.gone = make(map[mounted.Place]time.Time)
	}
	m.gone[dir] = time.Now()
}

// movedAway notes that a directory was renamed, and all below it.
func (m *MadeDirs) movedAway(dir mounted.Place) {
	if m == nil {
		return
	}
	m.remove(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = time.Now()
}

// goneSince tells whether a directory may have been removed since it was seen.
func (m *MadeDirs) goneSince(dir mounted.Place, seen time.Time) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return !seen.After(m.all) || !seen.After(m.gone[dir])
}

func (m *MadeDirs) has(dir mounted.Place) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.made[dir]
	return ok && time.Since(at) <= windowFor
}
