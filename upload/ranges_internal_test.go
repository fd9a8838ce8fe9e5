package upload

import (
	"testing"

	"github.com/spdscheme/spdserver/store"
)

// FuzzBaseRanges: whatever can be copied is cut into parts that S3 takes, without a gap.
func FuzzBaseRanges(f *testing.F) {
	for _, n := range []int64{
		store.MinPartSize, store.MinPartSize + 1, store.MaxPartSize - 1, store.MaxPartSize, store.MaxPartSize + 1,
		2*store.MaxPartSize - 1, 2 * store.MaxPartSize, 2*store.MaxPartSize + 1, 3*store.MaxPartSize + 7, store.MaxObjectSize - 1, store.MaxObjectSize,
	} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		if n < store.MinPartSize || n > store.MaxObjectSize {
			return // nobody asks for that
		}
		ranges, off := baseRanges(n), int64(0)
		for _, r := range ranges {
			if r.off != off || r.size < store.MinPartSize || r.size > store.MaxPartSize {
				t.Fatalf("%d bytes: %d at %d, after %d", n, r.size, r.off, off)
			}
			off += r.size
		}
		if off != n || int64(len(ranges)) > n/store.MaxPartSize+1 || len(ranges) >= store.MaxParts {
			t.Errorf("%d bytes: %d bytes in %d parts", n, off, len(ranges))
		}
	})
}
