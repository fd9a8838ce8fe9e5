package db_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/store"
)

func kept(key string, year int) store.KeptTime {
	return store.KeptTime{
		Key: key, ETag: "etag-" + key[:min(len(key), 20)],
		Stored:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		ModTime: time.Date(year, 5, 6, 7, 8, 9, 987654000, time.UTC),
	}
}

func TestTimes(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		long := strings.Repeat("密", 340) // 1,020 bytes
		keys := []string{
			"a", "A", "a ", "a/", "a/b", "a/B", "a/b/", "a/b/c", "a/b/c/d", "a0", "a-", "a/b0", "ä", "a%", "a_", "%/x",
			"007", "客户/文件", "🎉", long + "/x", long,
		}
		var times []store.KeptTime
		for i, key := range keys {
			times = append(times, kept(key, 1970+i))
		}
		check(t, d.SetTimes(t.Context(), "spd", times...))
		check(t, d.SetTimes(t.Context(), "spd"))
		check(t, d.SetTimes(t.Context(), "other", kept("a/other", 2000)))
		for _, want := range times {
			got, ok, err := d.TimeOf(t.Context(), "spd", want.Key)
			if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
				t.Errorf("TimeOf(%.20q): %v, %v\n%s", want.Key, ok, err, diff)
			}
		}
		for _, key := range []string{"b", "a/a", "b/", "", "/"} {
			if _, ok, err := d.TimeOf(t.Context(), "spd", key); ok || err != nil {
				t.Errorf("TimeOf(%q): %v, %v", key, ok, err)
			}
		}
		in := func(dir string, want ...string) {
			t.Helper()
			got, err := d.TimesIn(t.Context(), "spd", dir)
			check(t, err)
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("TimesIn(%q):\n%s", dir, diff)
			}
		}
		in("", "a", "A", "a ", "a/", "a0", "a-", "ä", "a%", "a_", "007", "🎉", long)
		in("a/", "a/b", "a/B", "a/b/", "a/b0")
		in("a/b/", "a/b/c")
		in("客户/", "客户/文件")
		in(long+"/", long+"/x")
		in("b/")

		check(t, d.DropTimes(t.Context(), "spd", "a"))
		check(t, d.DropTimes(t.Context(), "spd", "no/such/"))
		check(t, d.DropTimes(t.Context(), "spd", "%/"))
		in("a/", "a/b", "a/B", "a/b/", "a/b0")
		check(t, d.DropTimes(t.Context(), "spd", "a/b/"))
		in("a/", "a/b", "a/B", "a/b0")
		in("a/b/")
		in("a/b/c/")
		check(t, d.DropTimes(t.Context(), "spd", "a/"))
		in("", "A", "a ", "a0", "a-", "ä", "a%", "a_", "007", "🎉", long)
		if got, err := d.TimesIn(t.Context(), "other", "a/"); len(got) != 1 || err != nil {
			t.Errorf("another bucket: %v, %v", got, err)
		}
	})
}

// Times come in the order of the store's listings, a page at a time.
func TestTimesInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		want := []string{"a/ b", "a/B", "a/b", "a/b-c", "a/b.c", "a/b/", "a/b0", "a/é", "a/日", "a/🎉"}
		for _, key := range append([]string{"a", "a0", "a/b/c", "a/b/c/"}, want...) {
			check(t, d.SetTimes(t.Context(), "spd", kept(key, 2000)))
		}
		check(t, d.SetTimes(t.Context(), "other", kept("a/other", 2000)))
		for i, from := range append([]string{"a/"}, want...) {
			for limit := 1; limit < len(want)+2; limit++ {
				got, err := d.TimesFrom(t.Context(), "spd", "a/", from, limit)
				check(t, err)
				var keys []string
				for _, k := range got {
					keys = append(keys, k.Key)
				}
				rest := want[max(i-1, 0):]
				if diff := cmp.Diff(rest[:min(limit, len(rest))], keys); diff != "" {
					t.Errorf("TimesFrom(%q, %d):\n%s", from, limit, diff)
				}
			}
		}
		if got, err := d.TimesFrom(t.Context(), "spd", "a/", "a/\xff", 9); len(got) != 0 || err != nil {
			t.Errorf("behind the last: %v, %v", got, err)
		}
		if got, err := d.TimesFrom(t.Context(), "spd", "", "", 9); len(got) != 2 || err != nil || got[0] != kept("a", 2000) {
			t.Errorf("at the top: %v, %v", got, err)
		}
	})
}

// More than fit into one statement, set again, with one key twice; by two nodes at once.
func TestManyTimes(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		const n = 1203
		var times []store.KeptTime
		for i := range n {
			times = append(times, kept(fmt.Sprintf("dir/%d", n-i), 1999))
		}
		again := slices.Clone(times)
		for i := range again {
			again[i].ModTime = again[i].ModTime.AddDate(1, 0, 0)
		}
		again = append(again, kept("dir/1", 2024))
		check(t, d.SetTimes(t.Context(), "spd", times...))
		var wg sync.WaitGroup
		for i, node := range []*db.DB{d.DB, open(t, d.dsn)} {
			wg.Go(func() {
				for range 5 {
					if err := node.SetTimes(t.Context(), "spd", again...); err != nil {
						t.Errorf("node %d: %v", i, err)
					}
				}
			})
		}
		wg.Wait()
		got, err := d.TimesIn(t.Context(), "spd", "dir/")
		check(t, err)
		if len(got) != n || got["dir/1"].ModTime.Year() != 2024 || got["dir/2"].ModTime.Year() != 2000 {
			t.Errorf("%d times, dir/1 of %v, dir/2 of %v", len(got), got["dir/1"].ModTime, got["dir/2"].ModTime)
		}
	})
}
