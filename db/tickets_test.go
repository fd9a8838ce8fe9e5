package db_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/db"
)

// All nodes use the key that the first of them makes on a day, and know those of the days
// before.
func TestTicketKeys(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		nodes := []*db.DB{d.DB, open(t, d.dsn), open(t, d.dsn)}
		now := time.Date(2026, 12, 30, 23, 59, 0, 0, time.UTC)
		var before [][32]byte
		for day := range 10 {
			found := make([][][32]byte, len(nodes))
			var wg sync.WaitGroup
			for i, node := range nodes {
				wg.Go(func() {
					var err error
					if found[i], err = node.TicketKeys(t.Context(), now); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			want := min(day+1, 8) // today's, and those of the last seven days
			for _, keys := range found {
				if !slices.Equal(keys, found[0]) || len(keys) != want {
					t.Fatalf("day %d: nodes have %d and %d keys, want %d", day, len(found[0]), len(keys), want)
				}
			}
			if !slices.Equal(found[0][1:], before[:want-1]) {
				t.Fatalf("day %d: the older keys are others", day)
			}
			before = found[0]
			now = now.AddDate(0, 0, 1)
		}
		// A node whose clock is behind goes along.
		keys, err := d.TicketKeys(t.Context(), now.AddDate(0, 0, -2))
		check(t, err)
		if !slices.Equal(keys, before) {
			t.Error("a clock that is behind changes the keys")
		}
		for i, key := range before {
			if slices.Contains(before[i+1:], key) || key == [32]byte{} {
				t.Error("keys repeat")
			}
		}
	})
}

func TestTicketKeyIsNotTold(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("INSERT INTO ticket_keys (day, secret) VALUES ('9999-12-31', 'hunter2')")
		_, err := d.TicketKeys(t.Context(), time.Now())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
	})
}
