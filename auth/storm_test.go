package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const stormSize = 420

// stormAccounts all have one password, "secret".
func stormAccounts(n int, stored string) *accounts {
	var rows []Account
	for i := range n {
		rows = append(rows, account(fmt.Sprint("user", i), func(a *Account) { a.Password = stored }))
	}
	return newAccounts(rows...)
}

// storm lets n of them log in at once.
func storm(tb testing.TB, n int, a *Authenticator) {
	tb.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := a.Login(context.Background(), fmt.Sprint("user", i), "secret", here()); err != nil {
				tb.Error(err)
			}
		})
	}
	wg.Wait()
}

// Hashing is all that a storm of logins may cost, and once.
func TestStorm(t *testing.T) {
	for _, c := range []struct {
		name, stored string
		rehash       bool
		accounts     int
		each         int // hash operations in the first round
	}{
		{"argon2id", "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo", false, stormSize, 1},
		{"bcrypt", secretHash, false, stormSize, 1},
		{"SHA", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", false, stormSize, 0},
		{"plain", "{plain}secret", false, stormSize / 20, 1},
		{"rehashed SHA", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", true, stormSize / 20, 1},
		{"rehashed bcrypt", secretHash, true, stormSize / 20, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(stormAccounts(c.accounts, c.stored), Options{Rehash: c.rehash})
			storm(t, c.accounts, a)
			first := a.Hashes()
			if want := uint64(c.accounts * c.each); first != want {
				t.Errorf("%d hash operations in the first round, want %d", first, want)
			}
			storm(t, c.accounts, a)
			if got := a.Hashes() - first; got != 0 {
				t.Errorf("%d hash operations in the second round, want none", got)
			}
		})
	}
}

// A refusal takes as long as the dearest hash would, whatever its reason and whatever the
// scheme. Time stands still in here while hashes are computed: what is seen is the sleep.
func TestRefusalsTakeOneTime(t *testing.T) {
	users := everyKind()
	for name, c := range oneOfEach(t) {
		_ = users.change(name, func(row *Account) { *row = account(name, func(a *Account) { a.Password = c.stored }) })
	}
	names := []string{"nobody", "", "a\x00"}
	for name := range users.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	synctest.Test(t, func(t *testing.T) {
		a := New(users, Options{})
		a.pace.note("dear", 3*time.Second)
		for _, name := range names {
			start, before := time.Now(), a.Hashes()
			_, err := a.Login(t.Context(), name, "wrong", here())
			if took := time.Since(start); !errors.Is(err, ErrDenied) || took != refusalCost*3*time.Second {
				t.Errorf("%q: %v after %v, want ErrDenied after %v", name, err, took, refusalCost*3*time.Second)
			}
			if got := a.Hashes() - before; got != refusalCost {
				t.Errorf("%q: %d hash operations, want %d", name, got, refusalCost)
			}
		}
		start := time.Now()
		if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil || time.Since(start) != 0 {
			t.Errorf("the right password: %v after %v, want at once", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Login(ctx, "alice", "wrong", here()); !errors.Is(err, ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("with a deadline: %v after %v", err, time.Since(start))
		}
	})
}

// BenchmarkStorm reports how long 420 logins of 420 accounts take, as a multiple of the
// hashing alone, and how long they take again within a minute.
func BenchmarkStorm(b *testing.B) {
	stored, err := HashPassword("secret", DefaultScheme)
	if err != nil {
		b.Fatal(err)
	}
	var pure, first, second time.Duration
	for b.Loop() {
		pure += pureHashing(b, stored)
		a := New(stormAccounts(stormSize, stored), Options{})
		start := time.Now()
		storm(b, stormSize, a)
		first += time.Since(start)
		start = time.Now()
		storm(b, stormSize, a)
		second += time.Since(start)
	}
	b.ReportMetric(float64(first)/float64(pure), "first/pure")
	b.ReportMetric(pure.Seconds()/float64(b.N), "s-pure")
	b.ReportMetric(first.Seconds()/float64(b.N), "s-first")
	b.ReportMetric(second.Seconds()/float64(b.N), "s-second")
}

// pureHashing is the time of 420 hashes on all processors with nothing around them.
func pureHashing(b *testing.B, stored string) time.Duration {
	k, err := readStored(stored)
	if err != nil {
		b.Fatal(err)
	}
	n := runtime.GOMAXPROCS(0)
	start := time.Now()
	var wg sync.WaitGroup
	for worker := range n {
		wg.Go(func() {
			for i := worker; i < stormSize; i += n {
				k.matches("secret")
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkRefusal takes the median time of refusals for different reasons, in turn. They
// must not be told apart: compare the columns.
func BenchmarkRefusal(b *testing.B) {
	ours, err := HashPassword("secret", DefaultScheme)
	if err != nil {
		b.Fatal(err)
	}
	users := everyKind()
	kinds := []struct{ name, stored string }{
		{"nobody", ""}, {"argon2id", ours},
		{"bcrypt-10", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"},
		{"sha512-crypt", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{"SHA", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}, {"absurd-row", "$6$rounds=999999999$x$"}, {"plain-row", "{plain}secret"},
	}
	for _, k := range kinds[1:] {
		_ = users.change(k.name, func(row *Account) { *row = account(k.name, func(a *Account) { a.Password = k.stored }) })
	}
	a := New(users, Options{})
	times := make(map[string][]time.Duration)
	for b.Loop() {
		for _, k := range kinds {
			start := time.Now()
			if _, err := a.Login(b.Context(), k.name, "wrong", here()); !errors.Is(err, ErrDenied) {
				b.Fatal(err)
			}
			times[k.name] = append(times[k.name], time.Since(start))
		}
	}
	for name, all := range times {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-"+name)
	}
}
