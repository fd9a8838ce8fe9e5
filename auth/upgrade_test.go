package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPlainIsReplaced(t *testing.T) {
	users := newAccounts(account("alice", func(a *Account) {
		a.Password, a.ReadOnlyPassword = "{plain}secret", "{plain}look"
	}))
	a := New(users, Options{})
	for _, pass := range []string{"secret", "look", "secret", "look"} {
		if _, err := a.Login(t.Context(), "alice", pass, here()); err != nil {
			t.Fatalf("%s: %v", pass, err)
		}
	}
	// Two are made, and "look" is compared with the first; then both are remembered.
	if got := a.Hashes(); got != 3 {
		t.Errorf("%d hash operations, want 3", got)
	}
	row := users.rows["alice"]
	for _, stored := range []string{row.Password, row.ReadOnlyPassword} {
		if s, err := schemeOf(stored); err != nil || s.name != DefaultScheme {
			t.Errorf("stored with %q, %v; want %s", s.name, err, DefaultScheme)
		}
	}
	fresh := New(users, Options{})
	if user, err := fresh.Login(t.Context(), "alice", "look", here()); err != nil || user.Permissions != ReadOnly {
		t.Errorf("after the replacement: %+v, %v", user, err)
	}
}

func TestRehash(t *testing.T) {
	for _, rehash := range []bool{false, true} {
		users := everyKind()
		a := New(users, Options{Rehash: rehash})
		if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil {
			t.Fatal(err)
		}
		if got := users.rows["alice"].Password != secretHash; got != rehash {
			t.Errorf("Rehash %v: replaced %v", rehash, got)
		}
	}
}

// oneOfEach is a known hash of each scheme.
func oneOfEach(t testing.TB) map[string]knownHash {
	t.Helper()
	each := make(map[string]knownHash)
	for _, c := range knownHashes(t) {
		s, err := schemeOf(c.stored)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := each[s.name]; !ok && !strings.Contains(c.name, "Authelia") {
			each[s.name] = c
		}
	}
	return each
}

func TestLoginWithEveryScheme(t *testing.T) {
	for name, c := range oneOfEach(t) {
		t.Run(name, func(t *testing.T) {
			users := newAccounts(account("alice", func(a *Account) { a.Password = c.stored }))
			stored := func() string { return users.rows["alice"].Password }
			a := New(users, Options{})
			if _, err := a.Login(t.Context(), "alice", c.pass+"x", here()); !errors.Is(err, ErrDenied) || a.Hashes() != refusalCost {
				t.Errorf("wrong password: %v after %d hash operations, want %d", err, a.Hashes(), refusalCost)
			}
			if _, err := a.Login(t.Context(), "alice", c.pass, here()); err != nil {
				t.Fatal(err)
			}
			if replaced := stored() != c.stored; replaced != (name == "plain") {
				t.Errorf("replaced without being told to: %v", replaced)
			}

			a = New(users, Options{Rehash: true})
			if _, err := a.Login(t.Context(), "alice", c.pass, here()); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(stored(), "$argon2id$v=19$m=19456,t=2,p=1$") {
				t.Errorf("still stored as %.12q", stored())
			}
			before := a.Hashes()
			if _, err := a.Login(t.Context(), "alice", c.pass, here()); err != nil || a.Hashes() != before {
				t.Errorf("after the replacement: %v, %d hash operations", err, a.Hashes()-before)
			}
			if _, err := a.Login(t.Context(), "alice", c.pass+"x", here()); !errors.Is(err, ErrDenied) {
				t.Errorf("wrong password after the replacement: %v", err)
			}
		})
	}
}

// What bcrypt would cut short is hashed with argon2id all the same.
func TestUpgradeToBcrypt(t *testing.T) {
	long := strings.Repeat("long ", 20)
	for pass, prefix := range map[string]string{"secret": "$2a$10$", long: "$argon2id$"} {
		users := newAccounts(account("alice", func(a *Account) { a.Password = plainPrefix + pass }))
		a := New(users, Options{Scheme: "bcrypt"})
		for range 2 {
			if _, err := a.Login(t.Context(), "alice", pass, here()); err != nil {
				t.Fatal(err)
			}
		}
		if got := users.rows["alice"].Password; !strings.HasPrefix(got, prefix) {
			t.Errorf("%q is stored as %.12q, want %s", pass, got, prefix)
		}
	}
}

// Of many logins at once one replaces the hash.
func TestUpgradeIsDoneOnce(t *testing.T) {
	each := oneOfEach(t)
	for name, want := range map[string]uint64{"plain": 1, "md5-crypt": 2, "mysql_native_password": 1} {
		c := each[name]
		users := newAccounts(account("alice", func(a *Account) { a.Password = c.stored }))
		a := New(users, Options{Rehash: true})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := a.Login(t.Context(), "alice", c.pass, here()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// As many as there are processors may compare, or come upon the old row, meanwhile.
		if got, most := a.Hashes(), want+2*uint64(a.slots.processorMax); got < want || got > most {
			t.Errorf("%s: %d hash operations, want %d to %d", name, got, want, most)
		}
	}
}

// Nobody is kept out because the table cannot be written, and it is not tried each time.
func TestUpgradeFails(t *testing.T) {
	for name, c := range oneOfEach(t) {
		if name == "argon2id" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			users := newAccounts(account("alice", func(a *Account) { a.Password = c.stored }))
			users.frozen = errors.New("the database is read-only")
			var log bytes.Buffer
			a := New(users, Options{Rehash: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			login := func() (hashes uint64) {
				before := a.Hashes()
				if _, err := a.Login(t.Context(), "alice", c.pass, here()); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				return a.Hashes() - before
			}
			first := login()
			if !strings.Contains(log.String(), "the database is read-only") || !strings.Contains(log.String(), "column=password") {
				t.Errorf("%s: log: %s", name, log.String())
			}
			if strings.Contains(log.String(), c.pass) || strings.Contains(log.String(), c.stored) {
				t.Errorf("%s: the password is in the log: %s", name, log.String())
			}
			if again := login(); again != 0 {
				t.Errorf("%s: %d hash operations at the next login", name, again)
			}
			time.Sleep(rememberFor)
			users.frozen = nil
			if later := login(); later != first || users.rows["alice"].Password == c.stored {
				t.Errorf("%s: after a minute %d hash operations, want %d, and a new hash", name, later, first)
			}
		})
	}
}

// The row may have been changed while the new hash was made.
func TestUpgradeKeepsWhatChangedMeanwhile(t *testing.T) {
	users := newAccounts(account("alice", func(a *Account) { a.Password = "{plain}secret" }))
	a := New(racing{users}, Options{})
	if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil {
		t.Fatal(err)
	}
	if got := users.rows["alice"].Password; got != readHash {
		t.Errorf("overwritten by %.12q", got)
	}
	if _, err := a.Login(t.Context(), "alice", "secret", here()); !errors.Is(err, ErrDenied) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := a.Login(t.Context(), "alice", "U*U", here()); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// racing changes the password just before it is replaced.
type racing struct{ *accounts }

func (r racing) ReplacePassword(ctx context.Context, name string, column PasswordColumn, old, hash string) error {
	_ = r.change(name, func(row *Account) { row.Password = readHash })
	return r.accounts.ReplacePassword(ctx, name, column, old, hash)
}

// A {plain} password that is written again is replaced again.
func TestPlainIsReplacedAgain(t *testing.T) {
	users := newAccounts(account("alice", func(a *Account) { a.Password = "{plain}secret" }))
	a := New(users, Options{})
	for range 2 {
		_ = users.change("alice", func(row *Account) { row.Password = "{plain}secret" })
		if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil {
			t.Fatal(err)
		}
		if got := users.rows["alice"].Password; !strings.HasPrefix(got, "$argon2id$") {
			t.Errorf("stored as %.12q", got)
		}
	}
}
