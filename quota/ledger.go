package quota

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	// leaseTime is how long a node that does not renew its reservations counts as alive.
	leaseTime = 15 * time.Second
	// renewEvery is how often they are renewed, and those that are not needed given up.
	renewEvery = 3 * time.Second
	// settleTimeout bounds the notes at the end of an operation.
	settleTimeout = 10 * time.Second
)

// Options of a Ledger.
type Options struct {
	Counts  Counts
	Counter *Counter // makes counts for the first time
	Node    string
	Log     *slog.Logger
}

// Ledger books what the sessions of a node store and delete. It may be used concurrently.
type Ledger struct {
	Options
	locks locks
	mu    sync.Mutex
	held  map[Name]*held
	turns map[*Turn]struct{} // that this node has
}

// held is what is under way of one count.
type held struct {
	gate sync.Mutex // locked while the reservation is being written or removed

	pending Amount
	used    bool      // since the last round of Run
	noted   Amount    // what the reservation says
	until   time.Time // its lease; zero: there is none
	doubt   bool      // the count is to be made again
}

// NewLedger returns a Ledger. Its Run must be running for leases to be renewed.
func NewLedger(o Options) *Ledger {
	return &Ledger{
		Options: o,
		held:    make(map[Name]*held),
		locks:   locks{queue: make(map[string]*lock)},
		turns:   make(map[*Turn]struct{}),
	}
}

// Hold is one operation under way. Settle or Release must be called once; both do nothing on
// nil.
type Hold struct {
	ledger *Ledger
	name   Name
	held   *held
	change Amount
}

// Take books what is about to change: what is added is charged now, and refused with
// ErrExceeded, what is taken off is so by Settle. A count that nobody has made yet is made now,
// of places. Only additions can fail.
func (l *Ledger) Take(ctx context.Context, n Name, places []Place, change, limit Amount) (*Hold, error) {
	if change == (Amount{}) {
		return nil, nil
	}
	h, err := l.take(ctx, n, change, limit)
	if !errors.Is(err, ErrNotCounted) {
		return h, err
	}
	if err := l.Counter.First(ctx, n, places); err != nil {
		return nil, err
	}
	return l.take(ctx, n, change, limit)
}

func (l *Ledger) take(ctx context.Context, n Name, change, limit Amount) (*Hold, error) {
	h := &Hold{ledger: l, name: n, change: change, held: l.begin(n, change.size())}
	gain := change.gain()
	err := l.note(ctx, n, h.held)
	if gain == (Amount{}) {
		if err != nil { // what makes room must not fail
			l.doubt(h.held, "deletion not noted in advance", err)
		}
		return h, nil
	}
	if err == nil {
		err = l.Counts.Charge(ctx, n, gain, limit)
	}
	if err != nil {
		l.end(h)
		return nil, fmt.Errorf("charge quota: %w", err)
	}
	return h, nil
}

// Used returns a count, made for the first time if need be.
func (l *Ledger) Used(ctx context.Context, n Name, places []Place) (Amount, error) {
	used, err := l.Counts.Used(ctx, n)
	if !errors.Is(err, ErrNotCounted) {
		return used, err
	}
	if err := l.Counter.First(ctx, n, places); err != nil {
		return Amount{}, err
	}
	return l.Counts.Used(ctx, n)
}

// Settle says that the operation has happened.
func (h *Hold) Settle(ctx context.Context) {
	if h != nil {
		h.finish(ctx, h.change.minus(h.change.gain()))
	}
}

// Release says that nothing has happened.
func (h *Hold) Release(ctx context.Context) {
	if h != nil {
		h.finish(ctx, h.change.gain().times(-1))
	}
}

// Doubt says that nobody knows whether it has happened. The count is made again.
func (h *Hold) Doubt() {
	if h != nil {
		h.ledger.doubt(h.held, "operation with an unknown end", nil)
		h.ledger.end(h)
	}
}

// Recount has a count made again that may be wrong, for a reason to log.
func (l *Ledger) Recount(n Name, reason string, err error) {
	l.doubt(l.begin(n, Amount{}), reason, err)
}

// finish charges what is left to be, in spite of a session that has ended.
func (h *Hold) finish(ctx context.Context, rest Amount) {
	l := h.ledger
	defer l.end(h)
	if rest == (Amount{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := l.Counts.Charge(ctx, h.name, rest, Amount{}); err != nil && !errors.Is(err, ErrNotCounted) {
		l.doubt(h.held, "quota not settled", err)
	}
}

func (l *Ledger) begin(n Name, size Amount) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.held[n]
	if !ok {
		h = new(held)
		l.held[n] = h
	}
	h.pending, h.used = h.pending.plus(size), true
	return h
}

func (l *Ledger) end(h *Hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.held.pending = h.held.pending.minus(h.change.size())
}

func (l *Ledger) doubt(h *held, what string, err error) {
	l.Log.Warn("quota will be counted again", "reason", what, "err", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	h.doubt = true
}

// note makes sure that the reservation covers what is pending. It says twice as much, so
// that the next ones need not write again.
func (l *Ledger) note(ctx context.Context, n Name, h *held) error {
	h.gate.Lock()
	defer h.gate.Unlock()
	l.mu.Lock()
	covered := h.pending.within(h.noted) && time.Until(h.until) > leaseTime/2
	most := h.pending.times(2)
	l.mu.Unlock()
	if covered {
		return nil
	}
	until := time.Now().Add(leaseTime)
	if err := l.Counts.Reserve(ctx, Reservation{Name: n, Node: l.Node, Most: most, Lease: until}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.noted, h.until = most, until
	return nil
}

// Run renews reservations until ctx ends, and gives up those that are not needed. When it
// returns, none is left of what has ended.
func (l *Ledger) Run(ctx context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.round(ctx, false)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
			defer cancel()
			l.round(ctx, true)
			return
		}
	}
}

// round is one of Run's. The last does not wait for what was used of late.
func (l *Ledger) round(ctx context.Context, last bool) {
	for n, h := range l.all() {
		if err := l.tidy(ctx, n, h, last); err != nil {
			l.Log.Warn("reservations of quotas not kept up", "err", err)
			return // the database is away; the next round tries again
		}
	}
	until := time.Now().Add(leaseTime)
	if err := l.renewTurns(ctx, until); err != nil {
		l.Log.Warn("turns to change files not renewed", "err", err)
		return
	}
	if len(l.all()) == 0 {
		return
	}
	if err := l.Counts.Renew(ctx, l.Node, until); err != nil {
		l.Log.Warn("reservations of quotas not renewed", "err", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.held {
		if !h.until.IsZero() {
			h.until = until
		}
	}
}

func (l *Ledger) all() map[Name]*held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.held)
}

// tidy forgets a count that nothing is under way of, and asks for one that is in doubt to be
// made again.
func (l *Ledger) tidy(ctx context.Context, n Name, h *held, last bool) error {
	h.gate.Lock()
	defer h.gate.Unlock()
	l.mu.Lock()
	idle := h.pending == Amount{} && (!h.used || last)
	doubt, noted := h.doubt, !h.until.IsZero()
	h.used = false
	l.mu.Unlock()
	if doubt {
		if err := l.Counts.Reserve(ctx, Reservation{Name: n, Lease: time.Now()}); err != nil {
			return err
		}
	}
	if idle && noted {
		if err := l.Counts.Unreserve(ctx, n, l.Node, time.Time{}); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.doubt = h.doubt && !doubt
	if idle {
		h.noted, h.until = Amount{}, time.Time{}
		if h.pending == (Amount{}) && !h.doubt {
			delete(l.held, n)
		}
	}
	return nil
}
