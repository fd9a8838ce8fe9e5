package guard

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger is a Journal in memory, with a clock of its own.
type ledger struct {
	mu       sync.Mutex
	ahead    time.Duration // of this machine's clock
	away     bool
	failures map[Subject]int
	bans     map[Subject]Ban
	places   map[Place]time.Time
	leader   string
	charges  int                // calls of Charge
	asked    int                // calls of Settled
	whole    int                // calls of Active
	unread   bool               // these fail
	changed  map[Subject]change // as Changes has met them
}

// change is what a ban was when.
type change struct {
	to Ban
	at time.Time
}

var _ Journal = (*ledger)(nil)

func newLedger() *ledger {
	return &ledger{failures: make(map[Subject]int), bans: make(map[Subject]Ban), places: make(map[Place]time.Time), changed: make(map[Subject]change)}
}

var errAway = errors.New("the journal is away")

// with runs f alone.
func (l *ledger) with(f func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errAway
	}
	f()
	return nil
}

func (l *ledger) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

func (l *ledger) now() time.Time { return time.Now().Add(l.ahead) }

func (l *ledger) Charge(_ context.Context, _, _ time.Time, n int, subjects ...Subject) (counts []Count, err error) {
	err = l.with(func() {
		l.charges++
		for _, s := range subjects {
			l.failures[s] += n
			b, ok := l.bans[s]
			counts = append(counts, Count{l.failures[s], ok && b.activeAt(l.now())})
		}
	})
	return counts, err
}

func (l *ledger) Ban(_ context.Context, b Ban, first, longest time.Duration) (saved Ban, mine bool, err error) {
	err = l.with(func() {
		old, ok := l.bans[b.Subject]
		if ok && old.activeAt(b.Since) {
			saved = old
			return
		}
		b.Strikes = old.Strikes + 1
		b.Until = b.Since.Add(min(first<<(b.Strikes-1), longest))
		l.bans[b.Subject] = b
		delete(l.failures, b.Subject)
		saved, mine = b, true
	})
	return saved, mine, err
}

func (l *ledger) Active(_ context.Context, limit int) (s State, err error) {
	if l.unread {
		return State{}, errAway
	}
	err = l.with(func() {
		l.whole++
		s = State{Now: l.now()}
		for _, b := range l.bans {
			if b.activeAt(s.Now) {
				s.InForce++
				s.Rows = append(s.Rows, Row{Ban: b})
			}
		}
		s.Rows = s.Rows[:min(len(s.Rows), limit)]
	})
	return s, err
}

// Changes takes for the time of a change that of the call which meets it first.
func (l *ledger) Changes(_ context.Context, since time.Time, limit int) (s State, err error) {
	err = l.with(func() {
		s = State{Now: l.now()}
		for subject, b := range l.bans {
			if b.activeAt(s.Now) {
				s.InForce++
			}
			if l.changed[subject].to != b {
				l.changed[subject] = change{b, s.Now}
			}
			if !l.changed[subject].at.Before(since) {
				s.Rows = append(s.Rows, Row{Ban: b})
			}
		}
		s.Rows = s.Rows[:min(len(s.Rows), limit)]
	})
	return s, err
}

func (l *ledger) Settle(_ context.Context, at time.Time, places ...Place) error {
	return l.with(func() {
		for _, p := range places {
			l.places[p] = at
		}
	})
}

func (l *ledger) Settled(_ context.Context, p Place, since time.Time) (ok bool, err error) {
	err = l.with(func() {
		l.asked++
		ok = l.places[p].After(since)
	})
	return ok, err
}

func (l *ledger) Forget(_ context.Context, _, bans, _ time.Time) error {
	return l.with(func() {
		for s, b := range l.bans {
			if !b.Until.IsZero() && b.Until.Before(bans) {
				delete(l.bans, s)
			}
		}
	})
}

func (l *ledger) Lead(_ context.Context, _, node string, _, _ time.Time) (mine bool, err error) {
	err = l.with(func() {
		if l.leader == "" {
			l.leader = node
		}
		mine = l.leader == node
	})
	return mine, err
}

// reports keeps what a node reports.
type reports struct {
	mu  sync.Mutex
	all []string
}

func (r *reports) add(b Ban, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what := "ban "
	if ended {
		what = "unban "
	}
	r.all = append(r.all, what+b.Name)
}

// node is a Bans with limits that suit the tests.
func node(l *ledger, name string, change func(*BanOptions)) *Bans {
	o := BanOptions{
		AddressFailures: 5, AccountFailures: 20, Window: time.Minute, First: 10 * time.Minute, Longest: time.Hour,
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Journal: l, Node: name, Holder: name, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	return NewBans(o)
}

// guess tries a password that is right or wrong, and tells whether it was looked at.
func guess(b *Bans, account, from string, right bool) (looked bool) {
	a, err := b.Begin(context.Background(), account, netip.MustParseAddr(from))
	switch {
	case err != nil:
		return false
	case right:
		a.Good(context.Background())
	default:
		a.Bad(context.Background())
	}
	return true
}
