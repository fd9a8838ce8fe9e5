// Package pages shows decorators the requests behind a listing.
package pages

import (
	"iter"

	"github.com/spdscheme/spdserver/store"
)

// Watch calls begin before each page of a listing is asked for, and end when the page, or
// the end of the listing or its error, has arrived. An error of begin ends the listing. The
// caller's code runs between end and the next begin, never inside.
//
// A decorator cannot see the requests themselves. It relies on the contract: a page holds
// store.PageSize entries, and is asked for when the one before is used up. A store that
// sends shorter pages makes more requests than are told, and a listing that ends at a full
// page one less.
func Watch(seq iter.Seq2[store.Object, error], begin func() error, end func(error)) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if err := begin(); err != nil {
			yield(store.Object{}, err)
			return
		}
		n, waiting := 0, true
		defer func() {
			if waiting { // the listing ended where a page could have begun, or panicked
				end(nil)
			}
		}()
		for o, err := range seq {
			if waiting {
				waiting = false
				end(err)
			}
			if !yield(o, err) || err != nil {
				return
			}
			if n++; n%store.PageSize == 0 {
				if err := begin(); err != nil {
					yield(store.Object{}, err)
					return
				}
				waiting = true
			}
		}
	}
}
