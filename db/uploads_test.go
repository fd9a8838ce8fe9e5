package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spdscheme/spdserver/upload"
)

// aboutThen: leases are kept by the clock of the database.
var aboutThen = cmpopts.EquateApproxTime(time.Second)

func TestJournal(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		at := func(seconds int) time.Time {
			return time.Date(2026, 3, 1, 12, 0, seconds, 123456000, time.FixedZone("", 3600))
		}
		record := func(key, id string, seconds int) upload.Record {
			return upload.Record{Bucket: "spd", Key: key, ID: id, Owner: "alice", Node: "n1", Holder: "h", PartSize: 8 << 20,
				Started: at(seconds).UTC(), Lease: at(seconds + 10).UTC()}
		}
		records := []upload.Record{
			record("a/b", "id1", 1), record("A/B", "id1", 2), record("a/b ", "id1", 3), record("a/b", "ID1", 4),
			record(strings.Repeat("密", 341)+"x", strings.Repeat("i", 1024), 5), record("🎉/007", "7", 6), record("", "", 7),
		}
		for i := range records { // the other way round
			r := records[len(records)-1-i]
			check(t, d.Begin(t.Context(), r))
			check(t, d.Begin(t.Context(), r))
		}
		expired := func(before time.Time, want []upload.Record) {
			t.Helper()
			got, err := d.Expired(t.Context(), before)
			check(t, err)
			if diff := cmp.Diff(want, got, aboutThen); diff != "" {
				t.Error(diff)
			}
		}
		expired(at(110), records)
		expired(at(13).Add(-time.Second/2), records[:2])
		expired(at(11).Add(-time.Second/2), nil)
		check(t, d.End(t.Context(), "spd", "a/b", "id1"))
		check(t, d.End(t.Context(), "spd", "a/b", "id1"))
		check(t, d.End(t.Context(), "SPD", "A/B", "id1"))
		expired(at(110), records[1:])
	})
}

func TestJournalHolders(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
		r := upload.Record{Bucket: "spd", Key: "k", ID: "id", Owner: "alice", Node: "n1", Holder: "h1", Started: at(0), Lease: at(1)}
		check(t, d.Begin(t.Context(), r))
		want := func(want upload.Record) {
			t.Helper()
			got, err := d.Of(t.Context(), "spd", "alice")
			check(t, err)
			if diff := cmp.Diff([]upload.Record{want}, got, aboutThen); diff != "" {
				t.Error(diff)
			}
		}
		taken := func(err error) {
			t.Helper()
			if !errors.Is(err, upload.ErrTaken) {
				t.Errorf("error %v, want %v", err, upload.ErrTaken)
			}
		}
		want(r)
		r.Lease = at(2)
		check(t, d.Hold(t.Context(), r))
		check(t, d.Hold(t.Context(), r)) // the same lease again
		want(r)

		second := r
		second.Node, second.Holder, second.Lease = "n2", "h2", at(3)
		busy, err := d.Take(t.Context(), second)
		check(t, err)
		if busy.Sub(r.Lease).Abs() > time.Second {
			t.Errorf("the former holder is busy until %v, want %v", busy, r.Lease)
		}
		want(second)
		if busy, err = d.Take(t.Context(), second); err != nil || !busy.IsZero() {
			t.Errorf("taken from himself: busy until %v, %v", busy, err)
		}
		taken(d.Hold(t.Context(), r))
		check(t, d.Release(t.Context(), r)) // not his any more
		want(second)
		check(t, d.Release(t.Context(), second))
		second.Holder = ""
		want(second)
		third := second
		third.Holder = "h3"
		if busy, err = d.Take(t.Context(), third); err != nil || !busy.IsZero() {
			t.Errorf("taken from nobody: busy until %v, %v", busy, err)
		}

		other, err := d.Of(t.Context(), "spd", "bob")
		check(t, err)
		if len(other) > 0 {
			t.Errorf("bob has %v", other)
		}
		known, err := d.Known(t.Context(), "spd", "k", "id")
		check(t, err)
		check(t, d.End(t.Context(), "spd", "k", "id"))
		gone, err := d.Known(t.Context(), "spd", "k", "id")
		check(t, err)
		if !known || gone {
			t.Errorf("known %v, after End %v", known, gone)
		}
		_, err = d.Take(t.Context(), r)
		taken(err)
	})
}

func TestLead(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
		for _, step := range []struct {
			node   string
			now    int
			leader bool
		}{
			{"n1", 0, true}, {"n2", 1, false}, {"n1", 1, true}, {"n2", 2, false}, {"n2", 4, true}, {"n1", 4, false},
		} {
			leader, err := d.Lead(t.Context(), "job", step.node, at(step.now), at(step.now+2))
			check(t, err)
			if leader != step.leader {
				t.Errorf("%s at minute %d: leader %v", step.node, step.now, leader)
			}
		}
		other, err := d.Lead(t.Context(), "another job", "n3", at(4), at(5))
		check(t, err)
		if !other {
			t.Error("another job has no leader")
		}
	})
}
