package pages

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/spdscheme/spdserver/store"
)

// entries yields n objects, and then err if it is not nil.
func entries(n int, err error) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for i := range n {
			if !yield(store.Object{Key: fmt.Sprint(i)}, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Object{}, err)
		}
	}
}

func TestWatch(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		n, stop, pages int
		err            error
		ends           []error
	}{
		{n: 0, pages: 1, ends: []error{nil}},
		{n: 1, pages: 1, ends: []error{nil}},
		{n: 999, pages: 1, ends: []error{nil}},
		{n: 1001, pages: 2, ends: []error{nil, nil}},
		{n: 2500, pages: 3, ends: []error{nil, nil, nil}},
		{n: 2500, stop: 5, pages: 1, ends: []error{nil}},
		{n: 2500, stop: 1000, pages: 1, ends: []error{nil}},
		{n: 2500, stop: 1001, pages: 2, ends: []error{nil, nil}},
		{n: 0, err: broken, pages: 1, ends: []error{broken}},
		{n: 1000, err: broken, pages: 2, ends: []error{nil, broken}},
	} {
		var begun, inside, seen int
		var ends []error
		seq := Watch(entries(c.n, c.err), func() error { begun++; inside++; return nil }, func(err error) {
			ends = append(ends, err)
			inside--
		})
		for _, err := range seq {
			if inside != 0 {
				t.Fatalf("%+v: the caller runs inside a request", c)
			}
			if err == nil {
				seen++
			}
			if seen == c.stop {
				break
			}
		}
		if begun != c.pages || inside != 0 || !slices.Equal(ends, c.ends) {
			t.Errorf("%+v: %d begun, ends %v, %d inside", c, begun, ends, inside)
		}
	}
}

func TestWatchRefused(t *testing.T) {
	full := errors.New("full")
	calls := 0
	seq := Watch(entries(1500, nil), func() error {
		if calls++; calls == 2 {
			return full
		}
		return nil
	}, func(error) {})
	seen, last := 0, error(nil)
	for _, err := range seq {
		if err == nil {
			seen++
		}
		last = err
	}
	if seen != store.PageSize || !errors.Is(last, full) {
		t.Errorf("%d entries, then %v", seen, last)
	}
}
