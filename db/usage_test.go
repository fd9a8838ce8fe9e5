package db_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

func TestUsage(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a := newAccount("alice")
		a.QuotaBytes, a.QuotaFiles = 100, 3
		check(t, d.CreateUser(t.Context(), a))
		if err := d.Charge(t.Context(), "alice", 1, 1); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("never counted: %v", err)
		}
		if err := d.SetUsed(t.Context(), "nobody", 1, 1); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("no account: %v", err)
		}
		check(t, d.SetUsed(t.Context(), "alice", 7, 7))
		check(t, d.SetUsed(t.Context(), "alice", 0, 0))
		for i, c := range []struct {
			bytes, files         int64
			want                 error
			usedBytes, usedFiles int64
		}{
			{100, 1, nil, 100, 1},
			{1, 0, auth.ErrQuota, 100, 1},
			{0, 2, nil, 100, 3},
			{0, 0, nil, 100, 3},
			{-1, 1, auth.ErrQuota, 100, 3},
			{-10, 0, nil, 90, 3},
			{10, 0, nil, 100, 3}, // the files are at their limit, but none is added
			{-50, -1, nil, 50, 2},
			{51, -1, auth.ErrQuota, 50, 2},
			{50, 1, nil, 100, 3},
		} {
			if err := d.Charge(t.Context(), "alice", c.bytes, c.files); !errors.Is(err, c.want) {
				t.Errorf("%d: Charge = %v, want %v", i, err, c.want)
			}
			if bytes, files, err := d.Used(t.Context(), "alice"); bytes != c.usedBytes || files != c.usedFiles || err != nil {
				t.Fatalf("%d: Used = %d, %d, %v", i, bytes, files, err)
			}
		}
		// A lowered quota forbids more, and allows less; none at all allows everything.
		d.exec("UPDATE users SET quota_bytes = 10, quota_files = NULL WHERE username = 'alice'")
		check(t, d.Charge(t.Context(), "alice", -10, 1))
		if err := d.Charge(t.Context(), "alice", 1, 0); !errors.Is(err, auth.ErrQuota) {
			t.Errorf("over a lowered quota: %v", err)
		}
		d.exec("UPDATE users SET quota_bytes = NULL")
		check(t, d.Charge(t.Context(), "alice", 1<<50, 1<<30))
	})
}

// Two nodes together cannot exceed a quota, and lose no count.
func TestChargeAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a := newAccount("alice")
		a.QuotaBytes = 1000
		check(t, d.CreateUser(t.Context(), a))
		check(t, d.SetUsed(t.Context(), "alice", 0, 0))
		var granted atomic.Int64
		var wg sync.WaitGroup
		for _, node := range []*db.DB{d.DB, open(t, d.dsn)} {
			for range 8 {
				wg.Go(func() {
					for range 20 {
						err := node.Charge(t.Context(), "alice", 7, 1)
						if err == nil {
							granted.Add(7)
						} else if !errors.Is(err, auth.ErrQuota) {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		bytes, files, err := d.Used(t.Context(), "alice")
		if err != nil || bytes != 994 || files != 142 || granted.Load() != 994 {
			t.Errorf("used %d, %d, %v; granted %d; want 994 bytes in 142 files", bytes, files, err, granted.Load())
		}
	})
}
