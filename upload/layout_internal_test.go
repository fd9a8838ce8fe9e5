package upload

import (
	"testing"

	"github.com/spdscheme/spdserver/store"
)

// FuzzLayout: parts fill the upload one after the other, without a gap, and no segment is
// more than the store takes as one part.
func FuzzLayout(f *testing.F) {
	for _, largest := range []int64{1, store.MinPartSize, 80_530_636, 1 << 30, store.MaxPartSize/2 + 1, store.MaxPartSize} {
		f.Add(0, 0, largest)
		f.Add(2, 4, largest)
		f.Add(store.MaxParts-1, 2000, largest)
	}
	f.Fuzz(func(t *testing.T, direct, from int, largest int64) {
		if direct < 0 || direct >= store.MaxParts || from < 0 || from > store.MaxParts || largest < 1 || largest > store.MaxPartSize {
			return // nobody sets that
		}
		m := NewManager(Options{DirectParts: direct})
		s := m.Create(Target{Largest: largest})
		if l := s.layout; l.segment < 1 || int64(l.segment)*largest > store.MaxPartSize || l.segment > store.MaxParts {
			t.Fatalf("%d parts of %d bytes are a segment", l.segment, largest)
		}
		checkLayout(t, s, from)
	})
}

// checkLayout looks at some parts around those that make part from.
func checkLayout(t *testing.T, s *Session, from int) {
	t.Helper()
	l := s.layout
	if part, within := l.place(s.LastPart()); part != store.MaxParts || within != l.segment {
		t.Errorf("the last part is %d of segment %d", within, part)
	}
	first := l.first(from + 1)
	if part, within := l.place(first); part != from+1 || within > 1 || (within == 0) != (part <= l.direct) {
		t.Errorf("part %d begins with %d, which is %d of %d", from+1, first, within, part)
	}
	for n := first; n < first+2*l.segment+2; n++ {
		part, within := l.place(n)
		next, nextWithin := l.place(n + 1)
		switch {
		case next == part && within > 0 && nextWithin == within+1:
		case next == part+1 && nextWithin <= 1 && (within == 0 || within == l.segment):
		default:
			t.Fatalf("behind part %d, %d of %d: %d of %d", n, within, part, nextWithin, next)
		}
	}
}
