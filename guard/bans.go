package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// ErrBanned is why a login is not even looked at. The client must not be told.
var ErrBanned = errors.New("banned")

const (
	// maxBans bounds the bans that are kept in memory.
	maxBans = 100_000
	// maxSuspects bounds the addresses and accounts whose failures are counted in memory.
	maxSuspects = 1 << 16
	// maxFaulty bounds the faulty rows that are logged once.
	maxFaulty = 1000
	// chargeTimeout bounds the counting of a failure. It does not end with the client.
	chargeTimeout = 3 * time.Second
	// trustFor is how long a login that went well protects an account's address from the
	// account's ban.
	trustFor = 30 * 24 * time.Hour
)

// BanOptions are the limits. A limit of 0 bans nobody.
type BanOptions struct {
	AddressFailures int            // of one network within Window
	AccountFailures int            // of one account within Window, from all networks
	Window          time.Duration  //
	First           time.Duration  // how long a first ban is; each further one is twice as long
	Longest         time.Duration  // but no longer than this
	Allow           []netip.Prefix // networks that are never banned, and whose failures do not count

	Journal Journal
	Node    string // this node's name
	Holder  string // what this run of the node holds leases by
	Log     *slog.Logger
	// Report, if not nil, is told of bans that begin and end, once among all nodes but for
	// a node that dies at the wrong moment. It must not wait.
	Report func(b Ban, ended bool)
}

// Bans knows who must not log in. Its methods may be called concurrently.
type Bans struct {
	BanOptions
	clock    *clock
	began    time.Time // the windows' times are since then
	refusals refusals

	syncing chan struct{} // holds a value while somebody looks at the journal
	journal *mirror       // of who does
	over    bool          // it has been logged that there are too many; of who looks, too

	mu       sync.Mutex
	bans     *inForce // as the journal said, and what this node has added since
	added    bool     // it has added something
	own      *inForce // begun here, not known to be in the journal
	suspects *lru[Subject, *suspect]
	places   *lru[Place, time.Time] // good logins that the journal knows or will know
	unsaved  map[Place]struct{}     // of places
	faulty   *lru[string, struct{}] // rows that cannot be understood, and are known for that
	leads    time.Time              // until when this node reports
	synced   bool                   // the journal has been read
	away     bool                   // the journal does not answer
}

// suspect is a network or an account that logs in, or has failed to.
type suspect struct {
	failures window
	going    int           // attempts whose result is not known yet
	freed    chan struct{} // closed when one of them is; nil: nobody waits
}

// NewBans returns a Bans that knows of no bans before Run.
func NewBans(o BanOptions) *Bans {
	return &Bans{
		BanOptions: o,
		clock:      newClock(),
		began:      time.Now(),
		syncing:    make(chan struct{}, 1),
		journal:    &mirror{journal: o.Journal, most: maxBans},
		bans:       newInForce(),
		own:        newInForce(),
		suspects:   newLRU[Subject, *suspect](maxSuspects),
		places:     newLRU[Place, time.Time](maxSuspects),
		faulty:     newLRU[string, struct{}](maxFaulty),
		unsaved:    make(map[Place]struct{}),
	}
}

// Allowed tells whether addr is on the allow-list.
func (b *Bans) Allowed(addr netip.Addr) bool { return contains(b.Allow, addr) }

// Denied tells whether a person has banned the address: then it need not even connect. The
// allow-list wins.
func (b *Bans) Denied(addr netip.Addr) bool {
	if b.Allowed(addr) {
		return false
	}
	now := b.clock.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bans.holds(addr, now, Ban.manual)
}

// Now is the time as the journal tells it. Until Sync has asked, it is that of this machine.
func (b *Bans) Now() time.Time { return b.clock.now() }

// Active is how many bans of addresses and accounts are in force.
func (b *Bans) Active() (addresses, accounts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bans.networks), len(b.bans.accounts)
}

// Attempt is a login whose result is not known yet.
type Attempt struct {
	bans    *Bans // nil: nobody counts
	began   time.Time
	account string
	network netip.Prefix
	suspect *suspect
	charged bool      // the journal has counted it as a failure already
	at      time.Time // that it was charged with
	count   []Count   // of the network and the account, if charged
}

// Begin admits an attempt to log in, which Good, Bad or Undecided must end; ErrBanned or the
// end of ctx refuses it. Of one network no more attempts are looked at at a time than it has
// failures left, so that many at once find out no more than one after the other.
//
// The journal is asked only if the network has failed lately here, or if the account is
// banned.
func (b *Bans) Begin(ctx context.Context, account string, from netip.Addr) (*Attempt, error) {
	if b == nil || b.Allowed(from) {
		return &Attempt{}, nil
	}
	a := &Attempt{bans: b, began: time.Now(), account: account, network: Network(from)}
	if err := b.look(ctx, a, from); err != nil {
		return nil, err
	}
	if b.AddressFailures <= 0 {
		return a, nil
	}
	failed, err := b.enter(ctx, a, from)
	if err != nil {
		return nil, err
	}
	if !failed {
		return a, nil
	}
	// It has failed here lately, and perhaps elsewhere. Counting it first makes sure that
	// two nodes do not both take it for the last that may be looked at.
	a.charge(ctx, 1)
	if a.charged && (a.count[0].Banned || a.count[0].Failures > b.AddressFailures) {
		a.Undecided(ctx)
		return nil, ErrBanned // by another attempt, which this node will hear of
	}
	return a, nil
}

// look looks for a ban.
func (b *Bans) look(ctx context.Context, a *Attempt, from netip.Addr) error {
	now := b.clock.now()
	b.mu.Lock()
	banned := b.bans.holds(from, now, func(Ban) bool { return true })
	account, known := b.bans.accounts[a.account]
	known = known && account.activeAt(now)
	b.mu.Unlock()
	if banned || known && (account.manual() || !b.settled(ctx, a.place(), now)) {
		return ErrBanned
	}
	return nil
}

// settled tells whether the account has logged in from there lately.
func (b *Bans) settled(ctx context.Context, place Place, now time.Time) bool {
	b.mu.Lock()
	at, ok := b.places.get(place)
	b.mu.Unlock()
	if ok && now.Sub(at) < trustFor {
		return true
	}
	ok, err := b.Journal.Settled(ctx, place, now.Add(-trustFor))
	if err != nil {
		b.Log.WarnContext(ctx, "not known whether the account has logged in from there", "user", place.Account, "err", err)
	}
	return ok
}

// enter waits until the network has a failure left that no other attempt may need. failed
// tells whether it has failed within the window.
func (b *Bans) enter(ctx context.Context, a *Attempt, from netip.Addr) (failed bool, err error) {
	for {
		now := b.clock.now()
		b.mu.Lock()
		if b.bans.holds(from, now, func(Ban) bool { return true }) {
			b.mu.Unlock()
			return false, ErrBanned
		}
		s := b.suspectLocked(ofNetwork(a.network))
		n := s.failures.sum(time.Since(b.began), b.Window)
		if s.going == 0 || n+s.going < b.AddressFailures {
			s.going++
			a.suspect = s
			b.mu.Unlock()
			return n > 0, nil
		}
		if s.freed == nil {
			s.freed = make(chan struct{})
		}
		freed := s.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (b *Bans) suspectLocked(s Subject) *suspect {
	if known, ok := b.suspects.get(s); ok {
		return known
	}
	fresh := new(suspect)
	b.suspects.put(s, fresh)
	return fresh
}

// leave makes room for the next attempt.
func (a *Attempt) leave() {
	if a.suspect == nil {
		return
	}
	a.bans.mu.Lock()
	defer a.bans.mu.Unlock()
	a.suspect.going--
	if a.suspect.freed != nil {
		close(a.suspect.freed)
		a.suspect.freed = nil
	}
}

func (a *Attempt) place() Place { return Place{a.account, a.network} }

func (a *Attempt) subjects() []Subject {
	return []Subject{ofNetwork(a.network), ofAccount(a.account)}
}

// charge counts the attempt as a failure in the journal, if n is 1, or no longer, if it is -1.
func (a *Attempt) charge(ctx context.Context, n int) {
	b := a.bans
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chargeTimeout)
	defer cancel()
	if n > 0 {
		a.at = b.clock.now()
	}
	count, err := b.Journal.Charge(ctx, a.at, b.clock.now().Add(-b.Window), n, a.subjects()...)
	if err != nil {
		b.Log.WarnContext(ctx, "failed login not counted for the other nodes", "from", a.network.String(), "err", err)
		return
	}
	a.charged, a.count = n > 0, count
}

// Good ends an attempt whose password was right.
func (a *Attempt) Good(ctx context.Context) {
	if a.bans == nil {
		return
	}
	if a.charged {
		a.charge(ctx, -1)
	}
	a.leave()
	a.bans.settle(a.place())
}

// Undecided ends an attempt of which nobody can tell whether the password was right.
func (a *Attempt) Undecided(ctx context.Context) {
	if a.bans == nil {
		return
	}
	if a.charged {
		a.charge(ctx, -1)
	}
	a.leave()
}

// Bad ends an attempt that was refused, and bans whom it was one too many of.
func (a *Attempt) Bad(ctx context.Context) {
	b := a.bans
	if b == nil {
		return
	}
	if !a.charged {
		a.charge(ctx, 1)
	}
	limits := []int{b.AddressFailures, b.AccountFailures}
	for i, s := range a.subjects() {
		n := b.failed(s)
		if a.charged {
			n = max(n, a.count[i].Failures)
		}
		if limits[i] > 0 && n >= limits[i] {
			b.ban(ctx, s, n)
		}
	}
	a.leave()
	b.refusals.note(time.Since(a.began))
	if a.news() {
		b.Sync(context.WithoutCancel(ctx))
	}
}

// news tells whether another node has banned one of the attempt's subjects, and this one has
// not heard of it.
func (a *Attempt) news() bool {
	b := a.bans
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, s := range a.subjects() {
		if _, known := b.bans.get(s); a.charged && a.count[i].Banned && !known {
			return true
		}
	}
	return false
}

// failed counts a failure of s here, and returns how many there were.
func (b *Bans) failed(s Subject) int {
	now := time.Since(b.began)
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.suspectLocked(s)
	known.failures.add(now, b.Window)
	return known.failures.sum(now, b.Window)
}

// ban begins a ban: here at once, and in the journal, for the others. If it does not
// answer, it is told later.
func (b *Bans) ban(ctx context.Context, s Subject, failures int) {
	now := b.clock.now()
	ban := Ban{
		Subject: s, Node: b.Node, Since: now, Until: now.Add(b.First), Strikes: 1,
		Reason: fmt.Sprintf("%d failed logins within %s", failures, b.Window),
	}
	b.mu.Lock()
	if known, ok := b.bans.get(s); ok && known.activeAt(now) {
		b.mu.Unlock()
		return // another attempt was as bad
	}
	b.bans.add(ban)
	b.own.add(ban)
	b.added = true
	b.suspectLocked(s).failures = window{} // after the ban it begins anew
	b.mu.Unlock()
	b.Log.WarnContext(ctx, "banned", "kind", s.Kind, "subject", s.Name, "reason", ban.Reason)
	b.save(ctx, ban)
}

// save writes a ban of this node into the journal, which may know of strikes before.
func (b *Bans) save(ctx context.Context, ban Ban) {
	saved, mine, err := b.Journal.Ban(ctx, ban, b.First, b.Longest)
	if err != nil {
		b.Log.WarnContext(ctx, "ban not known to the other nodes yet", "subject", ban.Name, "err", err)
		return
	}
	b.mu.Lock()
	b.own.remove(ban.Subject)
	b.bans.add(saved)
	b.added = true
	b.mu.Unlock()
	if mine && b.Report != nil {
		b.Report(saved, false)
	}
}

// settleEvery is how often a good login from one place is noted.
const settleEvery = time.Hour

// settle remembers a good login; Run writes it down.
func (b *Bans) settle(p Place) {
	now := b.clock.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.places.get(p); ok && now.Sub(at) < settleEvery {
		return
	}
	b.places.put(p, now)
	if len(b.unsaved) < maxSuspects {
		b.unsaved[p] = struct{}{}
	}
}
