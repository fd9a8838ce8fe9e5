package guard

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Why Gate refuses a connection.
var (
	// ErrDenied: the network is on the deny list, or banned by a person.
	ErrDenied = errors.New("denied")
	// ErrRate: the network connects too often.
	ErrRate = errors.New("too many connections a second")
	// ErrPending: too many connections are not logged in, of the network or in all.
	ErrPending = errors.New("too many connections that are not logged in")
)

// Limits of a Gate. 0 means none.
type Limits struct {
	Pending           int     // connections that are not logged in, in all
	PendingPerNetwork int     // of one network
	Rate              float64 // connections a second of one network
	Burst             int     // that may come at once
	Handshakes        int     // TLS handshakes of control connections at a time
}

const (
	// maxVisitors bounds the networks whose rate is known.
	maxVisitors = 1 << 16
	// friendFor is how long a login opens the reserved room to a network.
	friendFor = 24 * time.Hour
)

// Gate counts connections before their login. Its methods may be called concurrently. A nil
// *Gate lets everybody in.
type Gate struct {
	limits      Limits
	allow, deny []netip.Prefix
	denied      func(netip.Addr) bool
	handshakes  *semaphore.Weighted // nil: no limit

	mu       sync.Mutex
	pending  int
	networks map[netip.Prefix]int // pending of each
	rates    *lru[netip.Prefix, *rate.Limiter]
	friends  *lru[netip.Prefix, time.Time] // that have logged in, and when
	refused  map[error]uint64
}

// NewGate returns a Gate. Networks of allow are held to no limit of their own, and win over
// deny. denied, if not nil, is asked about all others.
func NewGate(l Limits, allow, deny []netip.Prefix, denied func(netip.Addr) bool) *Gate {
	g := &Gate{
		limits: l, allow: allow, deny: deny, denied: denied,
		networks: make(map[netip.Prefix]int),
		rates:    newLRU[netip.Prefix, *rate.Limiter](maxVisitors),
		friends:  newLRU[netip.Prefix, time.Time](maxVisitors),
		refused:  make(map[error]uint64),
	}
	if l.Handshakes > 0 {
		g.handshakes = semaphore.NewWeighted(int64(l.Handshakes))
	}
	return g
}

// Allows tells whether addr is on the allow-list.
func (g *Gate) Allows(addr netip.Addr) bool { return g != nil && contains(g.allow, addr) }

// Visit is a connection that is not logged in.
type Visit struct {
	gate    *Gate
	network netip.Prefix
	once    sync.Once
}

// Enter counts a connection in, or says why not: ErrDenied, ErrRate or ErrPending. The
// visit must be left.
func (g *Gate) Enter(from netip.Addr) (*Visit, error) {
	if g == nil {
		return &Visit{}, nil
	}
	allowed := contains(g.allow, from)
	denied := !allowed && (contains(g.deny, from) || g.denied != nil && g.denied(from))
	network := Network(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.admitLocked(network, allowed, denied)
	if err != nil {
		g.refused[err]++
		return nil, err
	}
	g.pending++
	g.networks[network]++
	return &Visit{gate: g, network: network}, nil
}

func (g *Gate) admitLocked(network netip.Prefix, allowed, denied bool) error {
	switch {
	case denied:
		return ErrDenied
	case g.limits.Pending > 0 && !g.roomLocked(network, allowed):
		return ErrPending
	case allowed:
		return nil
	case g.limits.PendingPerNetwork > 0 && g.networks[network] >= g.limits.PendingPerNetwork:
		return ErrPending
	case g.limits.Rate > 0 && !g.limiterLocked(network).Allow():
		return ErrRate
	}
	return nil
}

// roomLocked keeps a flood from locking everybody out. The first half of the room is for
// all. In the next quarter each network has one place, so that one with few neighbours finds
// one though others take what they can get. The last quarter is for those who have logged in
// lately.
func (g *Gate) roomLocked(network netip.Prefix, allowed bool) bool {
	all := g.limits.Pending
	switch {
	case g.pending < all/2:
		return true
	case g.pending >= all:
		return false
	case allowed || g.friendLocked(network):
		return true
	case g.pending < all-all/4:
		return g.networks[network] == 0
	}
	return false
}

func (g *Gate) friendLocked(network netip.Prefix) bool {
	at, ok := g.friends.get(network)
	return ok && time.Since(at) < friendFor
}

func (g *Gate) limiterLocked(network netip.Prefix) *rate.Limiter {
	l, ok := g.rates.get(network)
	if !ok {
		l = rate.NewLimiter(rate.Limit(g.limits.Rate), max(g.limits.Burst, 1))
		g.rates.put(network, l)
	}
	return l
}

// LoggedIn leaves the visit: the connection is a user's now.
func (v *Visit) LoggedIn() {
	if v == nil || v.gate == nil {
		return
	}
	v.gate.mu.Lock()
	v.gate.friends.put(v.network, time.Now())
	v.gate.mu.Unlock()
	v.Leave()
}

// Leave counts the connection out. It may be called again.
func (v *Visit) Leave() {
	if v == nil || v.gate == nil {
		return
	}
	v.once.Do(func() {
		g := v.gate
		g.mu.Lock()
		defer g.mu.Unlock()
		g.pending--
		if g.networks[v.network]--; g.networks[v.network] <= 0 {
			delete(g.networks, v.network)
		}
	})
}

// Handshake waits until a handshake may begin, or ctx ends. done must be called behind it.
func (g *Gate) Handshake(ctx context.Context) (done func(), err error) {
	if g == nil || g.handshakes == nil {
		return func() {}, nil
	}
	if err := g.handshakes.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { g.handshakes.Release(1) }, nil
}

// GateStatus is what a Gate counts.
type GateStatus struct {
	Pending                       int    // connections now
	Denied, TooOften, TooManyOpen uint64 // refused so far: ErrDenied, ErrRate, ErrPending
}

// Status may be called at any time.
func (g *Gate) Status() GateStatus {
	if g == nil {
		return GateStatus{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return GateStatus{
		Pending: g.pending,
		Denied:  g.refused[ErrDenied], TooOften: g.refused[ErrRate], TooManyOpen: g.refused[ErrPending],
	}
}
