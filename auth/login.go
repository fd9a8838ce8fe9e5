package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// refusalCost is how many hash operations every refusal takes, whatever its reason: one
// for each password an account can have.
const refusalCost = 2

// noteLoginEvery keeps a client that logs in for every file from writing a row each time.
const noteLoginEvery = time.Minute

// Options are what an Authenticator can do without.
type Options struct {
	Logger *slog.Logger // nil: silent
	// Rehash replaces hashes that are weaker than new ones at the next login. {plain}
	// passwords are always replaced.
	Rehash bool
	Now    func() time.Time // nil: time.Now
}

// Authenticator lets users in. Its methods may be called concurrently.
type Authenticator struct {
	users  Users
	log    *slog.Logger
	rehash bool
	now    func() time.Time
	slots  *semaphore.Weighted // one for each hash operation going on
	known  *cache
	hashes atomic.Uint64
}

// New returns an Authenticator of these accounts.
func New(users Users, o Options) *Authenticator {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Authenticator{
		users:  users,
		log:    o.Logger,
		rehash: o.Rehash,
		now:    o.Now,
		slots:  semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		known:  newCache(o.Now),
	}
}

// Hashes is how many hash operations there were so far.
func (a *Authenticator) Hashes() uint64 { return a.hashes.Load() }

// Login returns the user of that name if the password is his and the account may be used
// from that address now. With the account's read-only password he gets no more than the
// ReadOnly permissions. Errors are ErrDenied, and ErrUnavailable if the accounts cannot
// be read or ctx ends while waiting. The reason of a refusal is only logged.
//
// The row is read at each login, so that a change holds for the next one; only hashing
// is skipped for a password verified in the last minute.
func (a *Authenticator) Login(ctx context.Context, name, pass string, from netip.Addr) (*User, error) {
	t := &attempt{Authenticator: a, name: name, pass: pass}
	account, reason, err := t.run(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if reason != nil {
		a.log.InfoContext(ctx, "login refused", "user", name, "from", from, "reason", reason)
		return nil, ErrDenied
	}
	user := account.User
	if t.column == ReadOnlyPass {
		user.Permissions &= ReadOnly
	}
	return &user, nil
}

// attempt is one login going on.
type attempt struct {
	*Authenticator
	name, pass string
	column     PasswordColumn // which password it was
	stored     string         // what the column holds
	spent      int            // hash operations so far
}

// run returns the account or the reason of a refusal; err means that nobody can tell.
func (t *attempt) run(ctx context.Context, from netip.Addr) (account *Account, reason, err error) {
	account, reason, err = t.find(ctx)
	if err == nil && reason == nil {
		reason, err = t.check(ctx, account)
	}
	if err == nil && reason == nil {
		reason = account.Admit(from, t.now())
	}
	if err != nil {
		return nil, nil, err
	}
	if reason != nil {
		return nil, reason, t.spendRest(ctx)
	}
	t.upgrade(ctx)
	t.note(ctx, account)
	return account, nil, nil
}

// find reads the row. Names and passwords that no account can have are not asked for.
func (t *attempt) find(ctx context.Context) (account *Account, reason, err error) {
	if t.name == "" || len(t.name) > MaxNameLength || strings.ContainsRune(t.name, 0) {
		return nil, errors.New("impossible name"), nil
	}
	if err := CheckPassword(t.pass); err != nil {
		return nil, err, nil
	}
	account, err = t.users.Find(ctx, t.name)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNotFound, nil
	}
	return account, nil, err
}

// check finds which of the account's passwords it was.
func (t *attempt) check(ctx context.Context, account *Account) (reason, err error) {
	candidates := []struct {
		column PasswordColumn
		stored string
	}{{MainPassword, account.Password}, {ReadOnlyPass, account.ReadOnlyPassword}}
	for _, c := range candidates {
		if c.stored != "" && t.known.has(t.name, c.stored, t.pass) {
			t.column, t.stored = c.column, c.stored
			return nil, nil
		}
	}
	reason = errors.New("wrong password")
	for _, c := range candidates {
		if c.stored == "" {
			continue
		}
		ok, bad, err := t.verify(ctx, c.stored)
		if err != nil {
			return nil, err
		}
		if ok {
			t.column, t.stored = c.column, c.stored
			return nil, nil
		}
		if bad != nil {
			reason = fmt.Errorf("%w, and users.%s cannot be verified: %w", reason, c.column, bad)
		}
	}
	return reason, nil
}

// verify compares the password with a stored one. bad tells what is wrong with stored.
func (t *attempt) verify(ctx context.Context, stored string) (ok bool, bad, err error) {
	s, bad := schemeOf(stored)
	if bad != nil {
		return false, bad, nil
	}
	if s.cheap {
		ok, bad = s.verify(stored, t.pass)
		return ok, bad, nil
	}
	err = t.hashing(ctx, func() {
		if ok = t.known.has(t.name, stored, t.pass); ok { // verified by another login while we waited
			return
		}
		t.count()
		if ok, bad = s.verify(stored, t.pass); ok {
			t.known.add(t.name, stored, t.pass)
		}
	})
	return ok, bad, err
}

// spendRest makes a refusal as expensive as any other.
func (t *attempt) spendRest(ctx context.Context) error {
	for t.spent < refusalCost {
		err := t.hashing(ctx, func() {
			t.count()
			_, _ = hashArgon2id(t.pass[:min(len(t.pass), MaxPasswordLength)]) // for the time it takes
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// upgrade replaces a stored password by a hash of the default scheme. A failure is no
// reason to refuse: the next login tries again.
func (t *attempt) upgrade(ctx context.Context) {
	s, err := schemeOf(t.stored)
	if err != nil || !s.weak(t.stored) || s.name != plainScheme && !t.rehash {
		return
	}
	var hash string
	waited := t.hashing(ctx, func() {
		t.count()
		hash, err = HashPassword(t.pass, DefaultScheme)
	})
	if err = errors.Join(waited, err); err == nil {
		err = t.users.ReplacePassword(ctx, t.name, t.column, t.stored, hash)
	}
	if err != nil {
		t.log.WarnContext(ctx, "password not replaced by a better hash", "user", t.name, "column", t.column, "err", err)
		return
	}
	t.known.add(t.name, hash, t.pass)
}

// note stores the time of the login, at most once in noteLoginEvery. Nobody is refused
// because it cannot be stored.
func (t *attempt) note(ctx context.Context, account *Account) {
	now := t.now()
	if now.Sub(account.LastLoginAt).Abs() < noteLoginEvery {
		return
	}
	if err := t.users.LoggedIn(ctx, t.name, now); err != nil {
		t.log.WarnContext(ctx, "time of login not stored", "user", t.name, "err", err)
	}
}

// hashing runs f when one of the slots is free, or not at all if ctx ends first.
func (a *Authenticator) hashing(ctx context.Context, f func()) error {
	if err := a.slots.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait to hash: %w", err)
	}
	defer a.slots.Release(1)
	f()
	return nil
}

func (t *attempt) count() {
	t.spent++
	t.hashes.Add(1)
}
