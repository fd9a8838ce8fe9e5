package db_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spdscheme/spdserver/upload"
)

func TestJournal(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		at := func(seconds int) time.Time {
			return time.Date(2026, 3, 1, 12, 0, seconds, 123456000, time.FixedZone("", 3600))
		}
		record := func(key, id string, seconds int) upload.Record {
			return upload.Record{Bucket: "spd", Key: key, ID: id, Owner: "alice", Node: "n1", PartSize: 8 << 20, Started: at(seconds).UTC()}
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
		unfinished := func(before time.Time, want []upload.Record) {
			t.Helper()
			got, err := d.Unfinished(t.Context(), before)
			check(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		unfinished(at(100), records)
		unfinished(at(3), records[:2])
		unfinished(at(1), nil)
		check(t, d.End(t.Context(), "spd", "a/b", "id1"))
		check(t, d.End(t.Context(), "spd", "a/b", "id1"))
		check(t, d.End(t.Context(), "SPD", "A/B", "id1"))
		unfinished(at(100), records[1:])
	})
}
