package driver_test

import (
	"context"
	"iter"
	"sync"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

// counter counts the requests that an S3 service would get.
type counter struct {
	store.Store
	mu   sync.Mutex
	seen []string
}

func newCounter(s store.Store) *counter {
	c := &counter{}
	c.Store = &storetest.Faulty{Store: s, Before: func(_ context.Context, call storetest.Call) error {
		if call.Op != "List" {
			c.add(call.Op)
		}
		return nil
	}}
	return c
}

func (c *counter) add(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, op)
}

// List counts pages: the first, and one whenever more than a page has come.
func (c *counter) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		c.add("List")
		n := 0
		for o, err := range c.Store.List(ctx, prefix, opts) {
			if n > 0 && n%store.PageSize == 0 {
				c.add("List")
			}
			n++
			if !yield(o, err) {
				return
			}
		}
	}
}

// take returns what was counted, and counts anew.
func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}
