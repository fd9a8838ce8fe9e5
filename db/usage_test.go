package db_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/quota"
)

// countOf counts for the first time.
func countOf(t *testing.T, d *db.DB, n quota.Name, found quota.Amount) {
	t.Helper()
	since, _, err := d.Counts().BeginCount(t.Context(), n)
	check(t, err)
	_, err = d.Counts().EndCount(t.Context(), n, found, since, false)
	check(t, err)
}

func TestUsage(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		check(t, d.CreateUser(t.Context(), newAccount("alice")))
		c := d.Counts()
		if _, _, err := c.BeginCount(t.Context(), quota.Name{User: "nobody"}); !errors.Is(err, quota.ErrNoAccount) {
			t.Errorf("no account: %v", err)
		}
		for _, n := range []quota.Name{{User: "alice"}, {Place: "bucket/ä/"}} {
			if err := c.Charge(t.Context(), n, quota.Amount{Bytes: 1}, quota.Amount{}); !errors.Is(err, quota.ErrNotCounted) {
				t.Errorf("never counted: %v", err)
			}
			countOf(t, d.DB, n, quota.Amount{Bytes: 7, Files: 7})
			countOf(t, d.DB, n, quota.Amount{})
			limit := quota.Amount{Bytes: 100, Files: 3}
			for i, step := range []struct {
				add  quota.Amount
				want error
				used quota.Amount
			}{
				{quota.Amount{Bytes: 100, Files: 1}, nil, quota.Amount{Bytes: 100, Files: 1}},
				{quota.Amount{Bytes: 1}, quota.ErrExceeded, quota.Amount{Bytes: 100, Files: 1}},
				{quota.Amount{Files: 2}, nil, quota.Amount{Bytes: 100, Files: 3}},
				{quota.Amount{}, nil, quota.Amount{Bytes: 100, Files: 3}},
				{quota.Amount{Bytes: -1, Files: 1}, quota.ErrExceeded, quota.Amount{Bytes: 100, Files: 3}},
				{quota.Amount{Bytes: -10}, nil, quota.Amount{Bytes: 90, Files: 3}},
				{quota.Amount{Bytes: 10}, nil, quota.Amount{Bytes: 100, Files: 3}}, // no file is added
				{quota.Amount{Bytes: -50, Files: -1}, nil, quota.Amount{Bytes: 50, Files: 2}},
				{quota.Amount{Bytes: 51, Files: -1}, quota.ErrExceeded, quota.Amount{Bytes: 50, Files: 2}},
				{quota.Amount{Bytes: 50, Files: 1}, nil, quota.Amount{Bytes: 100, Files: 3}},
			} {
				if err := c.Charge(t.Context(), n, step.add, limit); !errors.Is(err, step.want) {
					t.Errorf("%d: Charge = %v, want %v", i, err, step.want)
				}
				if used, err := c.Used(t.Context(), n); used != step.used || err != nil {
					t.Fatalf("%d: Used = %v, %v", i, used, err)
				}
			}
			check(t, c.Charge(t.Context(), n, quota.Amount{Bytes: 1 << 50, Files: 1 << 30}, quota.Amount{}))
		}
	})
}

// A new count keeps what was charged since it began.
func TestCountMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		check(t, d.CreateUser(t.Context(), newAccount("alice")))
		c, n := d.Counts(), quota.Name{User: "alice"}
		first, counted, err := c.BeginCount(t.Context(), n)
		if err != nil || counted {
			t.Fatalf("BeginCount: %v, %v", counted, err)
		}
		exact, err := c.EndCount(t.Context(), n, quota.Amount{Bytes: 10, Files: 1}, first, true)
		if err != nil || !exact {
			t.Errorf("EndCount: %v, %v", exact, err)
		}
		if _, err = c.EndCount(t.Context(), n, quota.Amount{}, first, true); err != nil { // too late
			t.Error(err)
		}
		since, counted, err := c.BeginCount(t.Context(), n)
		if err != nil || !counted {
			t.Fatalf("BeginCount: %v, %v", counted, err)
		}
		check(t, c.Charge(t.Context(), n, quota.Amount{Bytes: 5, Files: 1}, quota.Amount{}))
		check(t, c.Charge(t.Context(), n, quota.Amount{Bytes: -3}, quota.Amount{}))
		exact, err = c.EndCount(t.Context(), n, quota.Amount{Bytes: 10, Files: 1}, since, false)
		if err != nil || exact {
			t.Errorf("EndCount: %v, %v", exact, err)
		}
		if used, err := c.Used(t.Context(), n); err != nil || used != (quota.Amount{Bytes: 15, Files: 2}) {
			t.Errorf("Used: %v, %v", used, err)
		}
	})
}

func TestReservations(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		c, now := d.Counts(), time.Now()
		n := quota.Name{User: "alice"}
		r := quota.Reservation{Name: n, Node: "one", Most: quota.Amount{Bytes: 1, Files: 2}, Lease: now.Add(time.Minute)}
		check(t, c.Reserve(t.Context(), r))
		r.Most.Bytes = 9
		check(t, c.Reserve(t.Context(), r))
		check(t, c.Reserve(t.Context(), quota.Reservation{Name: n, Node: "two", Lease: now.Add(-time.Minute)}))
		check(t, c.Reserve(t.Context(), quota.Reservation{Name: quota.Name{Place: "b/"}, Node: "two", Lease: now.Add(-time.Minute)}))
		count := func(what string, want int, reserved []quota.Reservation, err error) {
			t.Helper()
			if err != nil || len(reserved) != want {
				t.Errorf("%s: %v, %v; want %d", what, reserved, err, want)
			}
		}
		reserved, err := c.Reserved(t.Context(), n)
		count("of alice", 2, reserved, err)
		if reserved[0].Most != r.Most {
			t.Errorf("%+v", reserved[0])
		}
		expired, err := c.Expired(t.Context(), now)
		count("expired", 2, expired, err)
		check(t, c.Unreserve(t.Context(), n, "one", now)) // it has not expired
		check(t, c.Renew(t.Context(), "two", now.Add(time.Minute)))
		expired, err = c.Expired(t.Context(), now)
		count("expired after renewal", 0, expired, err)
		check(t, c.Unreserve(t.Context(), n, "one", time.Time{}))
		check(t, c.Unreserve(t.Context(), n, "two", now.Add(time.Hour)))
		reserved, err = c.Reserved(t.Context(), n)
		count("of alice at last", 0, reserved, err)
	})
}

// Two nodes together cannot exceed a quota, and lose no count.
func TestChargeAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		check(t, d.CreateUser(t.Context(), newAccount("alice")))
		n := quota.Name{User: "alice"}
		countOf(t, d.DB, n, quota.Amount{})
		var granted atomic.Int64
		var wg sync.WaitGroup
		for _, node := range []*db.DB{d.DB, open(t, d.dsn)} {
			for range 8 {
				wg.Go(func() {
					for range 20 {
						err := node.Counts().Charge(t.Context(), n, quota.Amount{Bytes: 7, Files: 1}, quota.Amount{Bytes: 1000})
						if err == nil {
							granted.Add(7)
						} else if !errors.Is(err, quota.ErrExceeded) {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		used, err := d.Counts().Used(t.Context(), n)
		if err != nil || used != (quota.Amount{Bytes: 994, Files: 142}) || granted.Load() != 994 {
			t.Errorf("used %v, %v; granted %d; want 994 bytes in 142 files", used, err, granted.Load())
		}
	})
}

// A count that is made while others charge it for the first time is not one that is full.
func TestChargeWhileCounting(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		c := d.Counts()
		for i := range 30 {
			n := quota.Name{Place: fmt.Sprintf("bucket/%d/", i)}
			var charging sync.WaitGroup
			for range 4 {
				charging.Go(func() {
					err := quota.ErrNotCounted
					for errors.Is(err, quota.ErrNotCounted) {
						err = c.Charge(t.Context(), n, quota.Amount{Bytes: 1, Files: 1}, quota.Amount{Bytes: 1 << 20, Files: 100})
					}
					if err != nil {
						t.Errorf("%s: %v", n.Place, err)
					}
				})
			}
			countOf(t, d.DB, n, quota.Amount{})
			charging.Wait()
		}
	})
}
