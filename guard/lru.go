package guard

import "container/list"

// lru is a map of bounded size: the entry that was not asked for the longest makes room for
// a new one. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit   int
	entries map[K]*list.Element
	order   *list.List // of pair; the latest first
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, entries: make(map[K]*list.Element), order: list.New()}
}

// get returns the value of key, if there is one.
func (l *lru[K, V]) get(key K) (value V, ok bool) {
	e, ok := l.entries[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*pair[K, V]).value, true
}

// put sets the value of key.
func (l *lru[K, V]) put(key K, value V) {
	if e, ok := l.entries[key]; ok {
		e.Value.(*pair[K, V]).value = value
		l.order.MoveToFront(e)
		return
	}
	if len(l.entries) >= l.limit {
		l.dropOldest()
	}
	l.entries[key] = l.order.PushFront(&pair[K, V]{key, value})
}

func (l *lru[K, V]) dropOldest() {
	if e := l.order.Back(); e != nil {
		l.drop(e.Value.(*pair[K, V]).key)
	}
}

func (l *lru[K, V]) drop(key K) {
	if e, ok := l.entries[key]; ok {
		l.order.Remove(e)
		delete(l.entries, key)
	}
}

func (l *lru[K, V]) len() int { return len(l.entries) }
