package driver

import (
	"iter"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/store"
)

// heldMost is how many entries of a directory wait for one that may have to go before
// them. Four pages: fewer than that are soon read anyway.
const heldMost = 4 * store.PageSize

// byName yields the entries of a directory, which come in the order of their keys, in the
// order of their names.
//
// These differ for directories only: the key "a/" comes behind "a-b" and "a.txt", its name
// before them. So an entry is held back while a directory may come that is named as the
// entry begins. Such directories are known to be there or not once the keys have passed
// them. If too many entries are waiting, find is asked: it returns the prefix of a key
// that ends in "/", or an object without a key if there is none.
//
// dir is what all keys begin with, and head what all names do.
func byName(objects iter.Seq2[store.Object, error], dir, head string,
	find func(key string) (store.Object, error),
) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		w := waiting{dir: dir, head: len(head)}
		for o, err := range objects {
			if err != nil {
				yield(o, err)
				return
			}
			w.add(o)
			for len(w.held)-w.ready() > heldMost {
				if err := w.settle(find); err != nil {
					yield(store.Object{}, err)
					return
				}
			}
			if !w.release(w.ready(), yield) {
				return
			}
		}
		w.release(len(w.held), yield)
	}
}

// waiting are the entries of a directory that are held back.
type waiting struct {
	dir  string // all keys begin with it
	head int    // bytes that all names have in common
	last string // the last entry's key, behind dir
	held []store.Object
	// doubts are the directories that may belong before entries that are held. The last
	// entry begins with the names of all of them; the shortest comes first.
	doubts []doubt
}

// doubt is a directory that may come.
type doubt struct {
	length  int  // of its name, in bytes
	at      int  // where in held it would go
	settled bool // it is known to be missing, or in held
	listed  bool // it was put into held before it came
}

// add takes the next entry.
func (w *waiting) add(o store.Object) {
	key := o.Key[len(w.dir):]
	for n := len(w.doubts); n > 0; n-- {
		d := w.doubts[n-1]
		name := w.last[:d.length]
		if strings.HasPrefix(key, name) && key[d.length] < '/' {
			break // no key has passed it, nor the shorter ones
		}
		w.doubts = w.doubts[:n-1]
		if o.Prefix && key[:len(key)-1] == name {
			if !d.listed {
				w.held = slices.Insert(w.held, max(d.at, 0), o)
			}
			return
		}
	}
	w.doubt(strings.TrimSuffix(key, "/"))
	w.held = append(w.held, o)
	w.last = key
}

// doubt finds the directories whose keys would come behind this name, though they belong
// before it.
func (w *waiting) doubt(name string) {
	first := max(w.head, 1)
	if n := len(w.doubts); n > 0 {
		first = w.doubts[n-1].length + 1 // it shares the others with the entry before
	}
	for i := first; i < len(name); i++ {
		if name[i] < '/' && name[:i] != "." && name[:i] != ".." {
			w.doubts = append(w.doubts, doubt{length: i, at: len(w.held)})
		}
	}
}

// ready is how many entries need not be held back any longer.
func (w *waiting) ready() int {
	for _, d := range w.doubts {
		if !d.settled {
			return d.at
		}
	}
	return len(w.held)
}

// release yields the first n entries.
func (w *waiting) release(n int, yield func(store.Object, error) bool) bool {
	for _, o := range w.held[:n] {
		if !yield(o, nil) {
			return false
		}
	}
	if n == len(w.held) {
		w.held = w.held[:0]
	} else {
		w.held = w.held[n:]
	}
	for i := range w.doubts {
		w.doubts[i].at -= n
	}
	return true
}

// settle finds out about the directory that most entries wait for.
func (w *waiting) settle(find func(key string) (store.Object, error)) error {
	i := slices.IndexFunc(w.doubts, func(d doubt) bool { return !d.settled })
	d := &w.doubts[i]
	o, err := find(w.dir + w.last[:d.length] + "/")
	if err != nil {
		return err
	}
	d.settled = true
	if o.Key == "" {
		return nil
	}
	d.listed = true
	w.held = slices.Insert(w.held, d.at, o)
	for j := i + 1; j < len(w.doubts); j++ {
		w.doubts[j].at++
	}
	return nil
}
