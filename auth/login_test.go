package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// accounts keeps accounts in memory, as package db keeps them in a database.
type accounts struct {
	mu     sync.Mutex
	rows   map[string]Account
	broken error // returned by every method if set
	frozen error // returned by ReplacePassword if set
	logins int
}

var _ Users = (*accounts)(nil)

func newAccounts(rows ...Account) *accounts {
	a := &accounts{rows: make(map[string]Account)}
	for _, row := range rows {
		a.rows[row.Name] = row
	}
	return a
}

func (a *accounts) Find(_ context.Context, name string) (*Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, a.broken
	}
	row, ok := a.rows[name]
	if !ok {
		return nil, ErrNotFound
	}
	return &row, nil
}

func (a *accounts) FindAll(ctx context.Context, names []string) (map[string]Found, error) {
	found := make(map[string]Found, len(names))
	for _, name := range names {
		row, err := a.Find(ctx, name)
		switch {
		case errors.Is(err, ErrFaulty):
			found[name] = Found{Err: err}
		case err == nil:
			found[name] = Found{Account: row}
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return found, nil
}

func (a *accounts) ReplacePassword(_ context.Context, name string, column PasswordColumn, old, hash string) error {
	if a.frozen != nil {
		return a.frozen
	}
	return a.change(name, func(row *Account) {
		switch {
		case column == MainPassword && row.Password == old:
			row.Password = hash
		case column == ReadOnlyPass && row.ReadOnlyPassword == old:
			row.ReadOnlyPassword = hash
		}
	})
}

func (a *accounts) LoggedIn(_ context.Context, name string, at time.Time) error {
	return a.change(name, func(row *Account) { row.LastLoginAt = at; a.logins++ })
}

func (a *accounts) change(name string, f func(*Account)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.broken
	}
	row := a.rows[name]
	f(&row)
	a.rows[name] = row
	return nil
}

// Hashes with little cost, of libxcrypt.
const (
	secretHash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" // of "secret"
	readHash   = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" // of "U*U"
)

func account(name string, change ...func(*Account)) Account {
	a := Account{User: User{Name: name, Bucket: "spd", Prefix: name + "/", Permissions: ReadWrite}, Password: secretHash, Status: Active}
	for _, f := range change {
		f(&a)
	}
	return a
}

func here() Connection { return Connection{From: netip.MustParseAddr("192.0.2.7")} }

func everyKind() *accounts {
	cidr := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	return newAccounts(
		account("alice"),
		account("both", func(a *Account) { a.ReadOnlyPassword = readHash }),
		account("drop", func(a *Account) { a.Permissions = UploadOnly; a.ReadOnlyPassword = readHash }),
		account("suspended", func(a *Account) { a.Status = Suspended }),
		account("expired", func(a *Account) { a.ExpiresAt = time.Unix(1, 0) }),
		account("elsewhere", func(a *Account) { a.AllowedCIDRs = cidr }),
		account("plain", func(a *Account) { a.Password = "{plain}secret" }),
		account("plainsuspended", func(a *Account) { a.Password = "{plain}secret"; a.Status = Suspended }),
		account("imported", func(a *Account) { a.Password = "$7$salt$secret" }),
		account("absurd", func(a *Account) { a.Password = "$6$rounds=999999999$salt$" + strings.Repeat("s", sha512CryptSum) }),
		account("roabsurd", func(a *Account) { a.ReadOnlyPassword = "$argon2id$v=19$m=104857600,t=1,p=1$c2FsdHNhbHQ$c2VjcmV0" }),
		account("empty", func(a *Account) { a.Password = "" }),
	)
}

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name, pass string
		want       Permissions // if let in
		denied     string      // the reason in the log
	}{
		{name: "alice", pass: "secret", want: ReadWrite},
		{name: "both", pass: "secret", want: ReadWrite},
		{name: "both", pass: "U*U", want: ReadOnly},
		{name: "drop", pass: "secret", want: UploadOnly},
		{name: "drop", pass: "U*U", want: 0},
		{name: "plain", pass: "secret", want: ReadWrite},
		{name: "alice", pass: "wrong", denied: "wrong password"},
		{name: "both", pass: "wrong", denied: "wrong password"},
		{name: "plain", pass: "wrong", denied: "wrong password"},
		{name: "nobody", pass: "secret", denied: "no such account"},
		{name: "Alice", pass: "secret", denied: "no such account"},
		{name: "suspended", pass: "secret", denied: "account is suspended"},
		{name: "suspended", pass: "wrong", denied: "wrong password"},
		{name: "plainsuspended", pass: "secret", denied: "account is suspended"},
		{name: "expired", pass: "secret", denied: "account expired"},
		{name: "elsewhere", pass: "secret", denied: "allowed_cidrs"},
		{name: "imported", pass: "secret", denied: "unknown password scheme $7$"},
		{name: "absurd", pass: "secret", denied: "users.password cannot be verified: $6$ asks for more than 1000000 rounds"},
		{name: "roabsurd", pass: "secret", want: ReadWrite},
		{name: "roabsurd", pass: "wrong", denied: "users.ro_password cannot be verified: argon2id parameter m=104857600 is over"},
		{name: "empty", pass: "secret", denied: "wrong password"},
		{name: "empty", pass: "", denied: "empty"},
		{name: "", pass: "secret", denied: "impossible name"},
		{name: "a\x00", pass: "secret", denied: "impossible name"},
		{name: "alice", pass: "secret\x00", denied: "NUL"},
		{name: strings.Repeat("a", MaxNameLength+1), pass: "secret", denied: "impossible name"},
		{name: "alice", pass: strings.Repeat("a", 100_000), denied: "longer than"},
	} {
		t.Run(fmt.Sprintf("%.20q %.20q", c.name, c.pass), func(t *testing.T) {
			var log bytes.Buffer
			a := New(everyKind(), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			user, err := a.Login(t.Context(), c.name, c.pass, here())
			if c.denied == "" {
				if err != nil || user.Permissions != c.want || user.Name != c.name {
					t.Fatalf("Login = %+v, %v; want permissions %v", user, err, c.want)
				}
				return
			}
			if !errors.Is(err, ErrDenied) || err.Error() != ErrDenied.Error() || user != nil {
				t.Fatalf("Login = %+v, %v; want just ErrDenied", user, err)
			}
			if !strings.Contains(log.String(), c.denied) {
				t.Errorf("log lacks %q: %s", c.denied, log.String())
			}
			if c.pass == "secret" && strings.Contains(log.String(), "secret") {
				t.Errorf("the password is in the log: %s", log.String())
			}
			// Every refusal is as expensive as any other, so that time tells nothing.
			if got := a.Hashes(); got != refusalCost {
				t.Errorf("refused after %d hash operations, want %d", got, refusalCost)
			}
		})
	}
}

// A remembered password must not make a refusal cheap either.
func TestRefusalOfRememberedPassword(t *testing.T) {
	users := everyKind()
	a := New(users, Options{})
	if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil {
		t.Fatal(err)
	}
	_ = users.change("alice", func(row *Account) { row.Status = Suspended })
	before := a.Hashes()
	if _, err := a.Login(t.Context(), "alice", "secret", here()); !errors.Is(err, ErrDenied) {
		t.Fatalf("a suspended user logs in: %v", err)
	}
	if got := a.Hashes() - before; got != refusalCost {
		t.Errorf("refused after %d hash operations, want %d", got, refusalCost)
	}
}

func TestPasswordIsRememberedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := everyKind()
		a := New(users, Options{})
		login := func(pass string, wantHashes uint64, wantErr error) {
			t.Helper()
			before := a.Hashes()
			_, err := a.Login(t.Context(), "both", pass, here())
			if !errors.Is(err, wantErr) || a.Hashes()-before != wantHashes {
				t.Fatalf("%d hash operations, %v; want %d, %v", a.Hashes()-before, err, wantHashes, wantErr)
			}
		}
		login("secret", 1, nil)
		login("secret", 0, nil)
		login("wrong", 2, ErrDenied)
		login("U*U", 2, nil) // both columns are compared
		time.Sleep(rememberFor - time.Nanosecond)
		login("secret", 0, nil)
		login("U*U", 0, nil)
		time.Sleep(time.Nanosecond)
		login("secret", 1, nil)
		login("U*U", 2, nil)

		_ = users.change("both", func(row *Account) { row.Password = readHash }) // another password
		login("secret", 2, ErrDenied)
	})
}

// The clock that accounts go by may be set; passwords are remembered no longer for that.
func TestAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := everyKind()
		ahead := 5 * time.Hour
		a := New(users, Options{Now: func() time.Time { return time.Now().Add(ahead) }})
		login := func(want error) {
			t.Helper()
			if _, err := a.Login(t.Context(), "both", "secret", here()); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		login(nil)
		_ = users.change("both", func(row *Account) { row.ExpiresAt = time.Now().Add(time.Hour) })
		login(ErrDenied)
		ahead = -5 * time.Hour
		time.Sleep(rememberFor)
		before := a.Hashes()
		login(nil)
		if a.Hashes() == before {
			t.Error("the password is remembered, as the clock was set back")
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache()
	for i := range rememberMax + 10 {
		c.add(fmt.Sprint(i), "hash", "pass")
	}
	if len(c.known) != rememberMax || len(c.oldest) != rememberMax {
		t.Errorf("%d and %d entries, want %d", len(c.known), len(c.oldest), rememberMax)
	}
	if c.has("0", "hash", "pass") || !c.has(fmt.Sprint(rememberMax+9), "hash", "pass") {
		t.Error("it is not the oldest that was forgotten")
	}
	if c.has("1", "0hash", "pass") || c.key("ab", "c", "d") == c.key("a", "bc", "d") {
		t.Error("the parts of a key run together")
	}
}

func TestUnavailable(t *testing.T) {
	users := everyKind()
	users.broken = errors.New("no route to database")
	a := New(users, Options{})
	_, err := a.Login(t.Context(), "alice", "secret", here())
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDenied) || !errors.Is(err, users.broken) {
		t.Errorf("Login = %v, want ErrUnavailable with its cause", err)
	}
}

// Waiting for a free slot ends with the context.
func TestWaitingEndsWithContext(t *testing.T) {
	a := New(everyKind(), Options{})
	if err := a.slots.processors.Acquire(t.Context(), int64(runtime.GOMAXPROCS(0))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Login(ctx, "alice", "secret", here()); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Login = %v, want ErrUnavailable and context.Canceled", err)
	}
}

// Many clients of one account cost few hash operations: who waited for a slot finds the
// password verified.
func TestManyLoginsAtOnce(t *testing.T) {
	a := New(everyKind(), Options{})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := a.Hashes(); got > uint64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%d hash operations, want at most %d", got, runtime.GOMAXPROCS(0))
	}
}

func TestLoginIsNotedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := everyKind()
		a := New(users, Options{})
		for i, want := range []int{1, 1, 2} {
			if _, err := a.Login(t.Context(), "alice", "secret", here()); err != nil {
				t.Fatal(err)
			}
			if users.logins != want {
				t.Errorf("after login %d: noted %d times, want %d", i+1, users.logins, want)
			}
			time.Sleep(noteLoginEvery / 2)
		}
	})
}
