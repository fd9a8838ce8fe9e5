package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// refusalCost is how many hash operations every refusal takes, whatever its reason: one
// for each password an account can have.
const refusalCost = 2

// noteLoginEvery keeps a client that logs in for every file from writing a row each time.
const noteLoginEvery = time.Minute

// Options are what an Authenticator can do without.
type Options struct {
	Logger *slog.Logger // nil: silent
	// Scheme is what stored passwords are replaced by, "argon2id" or "bcrypt"; "" is
	// DefaultScheme.
	Scheme string
	// Rehash replaces imported hashes, and those that are weaker than new ones, at the
	// next login. {plain} passwords are always replaced.
	Rehash bool
	// Now is what expiry and hours go by; nil: time.Now.
	Now func() time.Time
}

// Authenticator lets users in. Its methods may be called concurrently.
type Authenticator struct {
	users  Users
	log    *slog.Logger
	scheme string
	rehash bool
	now    func() time.Time
	slots  *slots
	known  *cache
	pace   *pace
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
	if o.Scheme == "" {
		o.Scheme = DefaultScheme
	}
	return &Authenticator{
		users:  users,
		log:    o.Logger,
		scheme: o.Scheme,
		rehash: o.Rehash,
		now:    o.Now,
		slots:  newSlots(),
		known:  newCache(),
		pace:   newPace(),
	}
}

// Hashes is how many hash operations there were so far.
func (a *Authenticator) Hashes() uint64 { return a.hashes.Load() }

// Login returns the user of that name if the password is his and the account may be used
// over that connection now. With the account's read-only password he gets no more than the
// ReadOnly permissions. Errors are ErrDenied, and ErrUnavailable if the accounts cannot
// be read or ctx ends while waiting. The reason of a refusal is only logged.
//
// The row is read at each login, so that a change holds for the next one; only hashing
// is skipped for a password verified in the last minute.
func (a *Authenticator) Login(ctx context.Context, name, pass string, conn Connection) (*User, error) {
	t := &attempt{Authenticator: a, name: name, pass: pass}
	account, reason, err := t.run(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if reason != nil {
		a.log.Log(ctx, refusalLevel(reason), "login refused", "user", name, "from", conn.From, "reason", reason)
		return nil, ErrDenied
	}
	return account.As(Proof{column: t.column, stored: t.stored}), nil
}

// refusalLevel is higher for what an administrator has to mend.
func refusalLevel(reason error) slog.Level {
	if errors.Is(reason, ErrFaulty) {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// attempt is one login going on.
type attempt struct {
	*Authenticator
	name, pass string
	column     PasswordColumn // which password it was
	stored     string         // what the column holds
	fresh      bool           // it was compared now, not remembered
	spent      int            // hash operations so far
	took       time.Duration  // all of them together, without waiting
}

// run returns the account or the reason of a refusal; err means that nobody can tell.
func (t *attempt) run(ctx context.Context, conn Connection) (account *Account, reason, err error) {
	account, reason, err = t.find(ctx)
	if err == nil && reason == nil {
		reason, err = t.check(ctx, account)
	}
	if err == nil && reason == nil {
		reason = account.admitLogin(conn, t.now())
	}
	if err != nil {
		return nil, nil, err
	}
	if reason != nil {
		return nil, reason, t.evenOut(ctx)
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
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrFaulty) {
		return nil, err, nil
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
	k, bad := readStored(stored)
	if bad != nil {
		return false, bad, nil
	}
	c := k.cost(len(t.pass))
	if c == (cost{}) {
		if ok = k.matches(t.pass); ok {
			t.fresh = t.known.add(t.name, stored, t.pass)
		}
		return ok, nil, nil
	}
	err = t.slots.use(ctx, c, func() {
		if ok = t.known.has(t.name, stored, t.pass); ok { // verified by another login while we waited
			return
		}
		t.hash(c.class, func() { ok = k.matches(t.pass) })
		if ok {
			t.fresh = t.known.add(t.name, stored, t.pass)
		}
	})
	return ok, nil, err
}

// newHashes is the class of hashes that we make ourselves.
const newHashes = "new"

// evenOut makes a refusal as expensive as any other: as many hash operations, and then as
// much time as with the dearest kind of hash that was met. That time is slept, outside
// the slots.
func (t *attempt) evenOut(ctx context.Context) error {
	for t.spent < refusalCost {
		err := t.slots.use(ctx, newHashCost(), func() {
			t.hash(newHashes, func() { _, _ = HashPassword("for the time it takes", t.scheme) })
		})
		if err != nil {
			return err
		}
	}
	timer := time.NewTimer(refusalCost*t.pace.dearest() - t.took)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// upgrade replaces a stored password by a new hash. A failure is no reason to refuse.
// Only a password that was just compared is worth it: of many logins at once one does it,
// and after a failure the next try is when the password is no longer remembered.
func (t *attempt) upgrade(ctx context.Context) {
	k, err := readStored(t.stored)
	_, isPlain := k.(plain)
	if err != nil || !t.fresh || !k.weak() || !isPlain && !t.rehash {
		return
	}
	var hash string
	waited := t.slots.use(ctx, newHashCost(), func() {
		t.hash(newHashes, func() { hash, err = newHash(t.pass, t.scheme) })
	})
	if err = errors.Join(waited, err); err == nil {
		err = t.users.ReplacePassword(ctx, t.name, t.column, t.stored, hash)
	}
	if err != nil {
		t.log.WarnContext(ctx, "password not replaced by a better hash", "user", t.name, "column", t.column, "err", err)
		return
	}
	t.known.add(t.name, hash, t.pass)
	stored := t.stored
	t.stored = hash
	if isPlain { // the same may be written again, to be replaced again
		t.known.forget(t.name, stored, t.pass)
	}
}

// newHash hashes with the scheme, or with argon2id what bcrypt would cut short.
func newHash(pass, scheme string) (string, error) {
	hash, err := HashPassword(pass, scheme)
	if errors.Is(err, ErrBadPassword) && scheme != DefaultScheme {
		return HashPassword(pass, DefaultScheme)
	}
	return hash, err
}

func newHashCost() cost { return cost{threads: argonThreads, memory: argonMemory} }

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

// hash counts a hash operation, in a slot, and takes its time.
func (t *attempt) hash(class string, f func()) {
	start := time.Now()
	f()
	took := time.Since(start)
	t.pace.note(class, took)
	t.took += took
	t.spent++
	t.hashes.Add(1)
}
