package driver_test

import (
	"slices"
	"testing"

	"github.com/spdscheme/spdserver/store"
)

func TestAllocate(t *testing.T) {
	s := newSession(t)
	allo := func(n int) error { s.verb = "ALLO"; return s.driver.AllocateSpace(n) }

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

func TestAllocateBeyondQuota(t *testing.T) {
	s := loginWithQuota(t, 100, 0)
	s.plant("alice/a", content(30))
	s.mustFail(552, s.driver.AllocateSpace(71))
	s.put("b", "x") // a refused ALLO announces nothing
	s.must(s.driver.AllocateSpace(69))
	s.put("c", content(69))
	s.mustFail(552, s.driver.AllocateSpace(1))
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
	s.must(s.db.SetUsed(t.Context(), "alice", 200, 1)) // the quota was lowered
	s.hasRoom(0)
	s = loginWithQuota(t, 2*store.MaxObjectSize, 0)
	s.hasRoom(store.MaxObjectSize)
}

// hasRoom checks AVBL, which ftpserverlib precedes by a Stat.
func (s *session) hasRoom(want int64) {
	s.t.Helper()
	_, err := s.stat("AVBL", "/")
	s.must(err)
	if got, err := s.driver.GetAvailableSpace("/"); err != nil || got != want {
		s.t.Errorf("AVBL: %d, %v; want %d", got, err, want)
	}
}

// A size that is announced makes parts large enough for it; what no part size could hold
// is refused before it is sent.
func TestAllocateChoosesPartSize(t *testing.T) {
	s := newSession(t)
	s.verb = "ALLO"
	s.must(s.driver.AllocateSpace(3 * partSize * store.MaxParts)) // three times what the usual parts hold
	s.requests.take()
	s.mustFail(426, s.stor("a", content(6*partSize)))
	parts := slices.DeleteFunc(s.requests.take(), func(op string) bool { return op != "PutPart" })
	if len(parts) != 2 {
		t.Errorf("%d parts, want 2 of three times the size", len(parts))
	}
	s.mustFail(552, s.driver.AllocateSpace(int(s.budget.LargestPart()+1)*store.MaxParts))
}
