package driver_test

import (
	"slices"
	"testing"

	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
)

func TestAllocate(t *testing.T) {
	s := newSession(t)
	allo := func(n int64) error { s.verb = "ALLO"; return s.driver.Allocate(n) }

	s.must(allo(5))
	s.mustFail(426, s.stor("a", "1234"))
	s.missing("a")
	s.put("a", "1234") // ALLO holds for one upload

	s.must(allo(5))
	s.put("a", "12345")
	s.must(allo(5))
	s.put("a", "123456") // more than announced is no loss

	s.must(allo(2 * partSize))
	s.mustFail(426, s.stor("a", content(2*partSize-1)))
	s.noUploads()
	s.must(allo(2 * partSize))
	s.put("a", content(2*partSize))

	s.put("a", "base") // what is announced is what will be sent
	s.must(allo(4))
	s.mustFail(426, s.appe("a", "123"))
	s.must(allo(4))
	s.must(s.appe("a", "1234"))
	s.holds("a", "base1234")

	s.must(allo(100)) // the last one counts
	s.must(allo(0))
	s.put("a", "x")

	s.mustFail(501, allo(-1))
	s.mustFail(552, allo(store.MaxObjectSize+1))
}

// What ALLO announces is refused as soon as it is known what file makes room for it.
func TestAllocateBeyondQuota(t *testing.T) {
	s := loginWithQuota(t, 4*partSize, 0)
	allo := func(n int64) { t.Helper(); s.verb = "ALLO"; s.must(s.driver.Allocate(n)) }
	s.plant("alice/full", content(3*partSize))
	s.mustFail(552, s.driver.Allocate(4*partSize+1)) // which nothing makes room for
	s.put("b", "x")                                  // a refused ALLO announces nothing

	allo(partSize)
	s.mustFail(552, s.storFrom("c", &endless{})) // b's byte is in the way
	s.must(s.dele("b"))
	allo(partSize)
	s.put("c", content(partSize))
	allo(1)
	s.mustFail(552, s.stor("d", "")) // not 426: it cannot be resumed, either
	allo(1)
	s.mustFail(552, s.appe("c", ""))
	s.uses(4*partSize, 2)

	allo(3 * partSize) // in place of as much
	s.put("full", content(3*partSize))
	allo(partSize)
	s.put("c", content(partSize))
	allo(3 * partSize)
	s.must(s.rest(1).stor("full", content(3 * partSize)[1:]))
	s.holds("full", content(3*partSize))
	allo(3*partSize + 1)
	s.mustFail(552, s.storFrom("full", &endless{}))
	allo(1) // more than announced is still too much
	s.mustFail(552, s.storFrom("full", &endless{}))
	s.uses(4*partSize, 2)
	allo(1)
	s.put("full", "x")
	s.uses(partSize+1, 2)
	s.noUploads()
}

func TestAvailableSpace(t *testing.T) {
	s := newSession(t)
	s.hasRoom(store.MaxObjectSize)
	s = loginWithQuota(t, 100, 5)
	s.plant("alice/old", content(30))
	s.hasRoom(70)
	s.put("a", content(50))
	s.hasRoom(20)
	s.must(s.dele("a"))
	s.hasRoom(70)
	s.must(s.db.Counts().Charge(t.Context(), quota.Name{User: "alice"}, quota.Amount{Bytes: 200}, quota.Amount{})) // the quota was lowered
	s.hasRoom(0)
	s = loginWithQuota(t, 2*store.MaxObjectSize, 0)
	s.hasRoom(store.MaxObjectSize)
}

// hasRoom checks AVBL, which the server precedes by a Stat.
func (s *session) hasRoom(want int64) {
	s.t.Helper()
	_, err := s.stat("AVBL", "/")
	s.must(err)
	if got, err := s.driver.AvailableSpace(); err != nil || got != want {
		s.t.Errorf("AVBL: %d, %v; want %d", got, err, want)
	}
}

// A size that is announced makes parts large enough for it, but no larger than memory can
// hold while others are on their way.
func TestAllocateChoosesPartSize(t *testing.T) {
	s := newSession(t)
	largest := s.budget.GrownPart(partSize, 2)
	for announced, want := range map[int64]int64{
		3 * partSize * int64(s.driver.Uploads.DirectParts): 3 * partSize, // three times what the usual parts hold
		largest * int64(s.driver.Uploads.DirectParts):      largest,
		store.MaxObjectSize:                                largest,
	} {
		s.verb = "ALLO"
		s.must(s.driver.Allocate(announced))
		s.requests.take()
		s.mustFail(426, s.stor("a", content(int(2*want))))
		parts := slices.DeleteFunc(s.requests.take(), func(op string) bool { return op != "PutPart" })
		if len(parts) != 2 {
			t.Errorf("%d announced: %d parts, want 2 of %d bytes", announced, len(parts), want)
		}
	}
}
