package db_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/quota"
)

func TestTurns(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		c := d.Counts()
		take := func(node string, lease time.Duration, taken, quiet bool) {
			t.Helper()
			gotTaken, gotQuiet, err := c.TakeTurn(t.Context(), "bucket/ä", node, time.Now().Add(lease))
			if err != nil || gotTaken != taken || gotQuiet != quiet {
				t.Errorf("%s: taken %v, quiet %v, %v; want %v, %v", node, gotTaken, gotQuiet, err, taken, quiet)
			}
		}
		end := func(node string, held bool) {
			t.Helper()
			if got, err := c.EndTurn(t.Context(), "bucket/ä", node); err != nil || got != held {
				t.Errorf("end of %s: %v, %v; want %v", node, got, err, held)
			}
		}
		take("one", time.Minute, true, true)
		take("two", time.Minute, false, false)
		end("two", false)
		end("one", true)
		take("two", -time.Second, true, false)
		check(t, c.RenewTurns(t.Context(), "two", []string{"bucket/other", "bucket/ä"}, time.Now().Add(time.Minute)))
		take("one", time.Minute, false, false)
		check(t, c.RenewTurns(t.Context(), "two", []string{"bucket/ä"}, time.Now().Add(-time.Second)))
		take("one", time.Minute, true, false) // two has died
		end("two", false)
		check(t, c.PruneTurns(t.Context(), time.Now().Add(-quota.TurnsKept)))
		take("two", time.Minute, false, false)
		end("one", true)
		check(t, c.PruneTurns(t.Context(), time.Now().Add(time.Second)))
		take("two", time.Minute, true, true)
	})
}

// However many nodes ask at once, one of them gets the turn.
func TestTurnsAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		nodes := map[string]*db.DB{"a": d.DB, "b": open(t, d.dsn), "c": open(t, d.dsn)}
		for range 10 {
			var taken atomic.Int64
			var winner atomic.Value
			var asked sync.WaitGroup
			for name, node := range nodes {
				asked.Go(func() {
					got, _, err := node.Counts().TakeTurn(t.Context(), "b/k", name, time.Now().Add(time.Minute))
					if err != nil {
						t.Error(err)
					}
					if got {
						taken.Add(1)
						winner.Store(name)
					}
				})
			}
			asked.Wait()
			if taken.Load() != 1 {
				t.Fatalf("%d have the turn", taken.Load())
			}
			if held, err := d.Counts().EndTurn(t.Context(), "b/k", winner.Load().(string)); err != nil || !held {
				t.Fatalf("%v, %v", held, err)
			}
		}
	})
}
