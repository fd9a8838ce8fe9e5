package mounted

import (
	"context"
	"iter"
	"strings"

	"github.com/spdscheme/spdserver/store"
)

// List implements store.Reader. The mounts that lie below the prefix are merged in as they
// come; memory does not grow with what is listed.
func (s *Store) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		v, err := s.view(prefix)
		if err != nil {
			yield(store.Object{}, err)
			return
		}
		inside := s.within(prefix)
		if len(inside) == 0 {
			v.list(ctx, prefix, opts)(yield)
			return
		}
		m := merging{store: s, ctx: ctx, view: v, prefix: prefix, opts: opts, inside: inside, yield: yield}
		m.run()
	}
}

// list lists the store, under the keys that are shown.
func (v view) list(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		switch after := opts.StartAfter; {
		case strings.HasPrefix(after, v.mount.At):
			opts.StartAfter = v.key(after)
		case after < v.mount.At:
			opts.StartAfter = ""
		default:
			return // it is behind them all
		}
		for o, err := range v.List(ctx, v.key(prefix), opts) {
			o, err = v.show(o, err)
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// merging is a listing of a directory that mounts lie in.
type merging struct {
	store  *Store
	ctx    context.Context
	view   view
	prefix string
	opts   store.ListOptions
	inside []Mount // not listed yet
	last   string  // the key that was yielded last
	count  int
	yield  func(store.Object, error) bool
}

func (m *merging) run() {
	opts := m.opts
	if len(m.inside) > 1 || m.inside[0].At != m.view.mount.At {
		opts.Limit = 0 // some of what comes may not be seen
	}
	for o, err := range m.view.list(m.ctx, m.prefix, opts) {
		if err != nil {
			m.yield(o, err)
			return
		}
		if !m.mountsUpTo(o.Key) {
			return
		}
		if !m.covered(o) && !m.give(o) {
			return
		}
	}
	for len(m.inside) > 0 {
		if !m.mount() {
			return
		}
	}
}

// give yields an entry, and tells whether more are wanted.
func (m *merging) give(o store.Object) bool {
	if o.Key <= m.opts.StartAfter {
		return true
	}
	m.last = o.Key
	m.count++
	return m.yield(o, nil) && m.count != m.opts.Limit
}

// covered tells whether an entry of the store cannot be seen: a mount has its place, or it
// was listed as a directory that leads to one.
func (m *merging) covered(o store.Object) bool {
	if o.Key == m.last || m.store.taken(o.Key) {
		return true
	}
	over, _ := m.store.find(o.Key)
	return over.At != m.view.mount.At || m.store.isPoint(o.Key)
}

// mountsUpTo yields the mounts that come before a key, or at it.
func (m *merging) mountsUpTo(key string) bool {
	for len(m.inside) > 0 && m.rolledUp(m.inside[0].At) <= key {
		if !m.mount() {
			return false
		}
	}
	return true
}

// rolledUp is the key of a directory's entry that a mount is seen by; else the mount's own.
func (m *merging) rolledUp(at string) string {
	if m.opts.Delimiter == "" || at == m.prefix {
		return at
	}
	end := strings.Index(at[len(m.prefix):], m.opts.Delimiter)
	if end < 0 {
		return at
	}
	return at[:len(m.prefix)+end+len(m.opts.Delimiter)]
}

// mount yields the next mount: of a directory's listing, its name; else all that it holds.
func (m *merging) mount() bool {
	at := m.inside[0].At
	if at == m.view.mount.At { // the directory that is listed
		m.inside = m.inside[1:]
		return m.give(store.Object{Key: at})
	}
	at = m.rolledUp(at)
	m.inside = behindPrefix(m.inside, at, false)
	if m.opts.Delimiter != "" {
		return m.give(store.Object{Key: at, Prefix: true})
	}
	if after := m.opts.StartAfter; after > at && !strings.HasPrefix(after, at) {
		return true
	}
	for o, err := range m.store.List(m.ctx, at, store.ListOptions{StartAfter: m.opts.StartAfter}) {
		if err != nil {
			m.yield(o, err)
			return false
		}
		if !m.give(o) {
			return false
		}
	}
	return true
}
