package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

const (
	// beatTimeout bounds a round; the next one begins late, if it must.
	beatTimeout = 4 * time.Second
	// pruneEvery is how often a node looks for what dead ones have left.
	pruneEvery = 30 * time.Second
	// twinAfter is how long two nodes of one name are no news: one of them may have been
	// restarted.
	twinAfter = 2 * DeadAfter
	// settleFor is how long a session that was admitted may take to appear in Local.
	settleFor = time.Minute
	// accountsBatch is how many accounts are read at a time.
	accountsBatch = 500
)

// Options of a Member.
type Options struct {
	Registry Registry
	Accounts Accounts
	Local    Local
	Node     Node // Name, Address, Version and passive ports
	Log      *slog.Logger
}

// Member is a node among others. Its methods may be called concurrently.
type Member struct {
	Options
	nudge chan struct{} // a session has ended, whose row should not wait for the next beat
	hurry chan struct{} // the node's state has changed, which should not wait either

	mu     sync.Mutex
	rows   map[string]*row // of sessions, by id
	ended  map[string]bool // rows that are to go
	kicked map[string]bool // sessions that have been told to end
	beaten time.Time       // when the last beat was sent that has arrived
	since  time.Time       // since when the node has been alive without a break

	// Of Run alone.
	away    bool      // the last beat failed
	twins   time.Time // since when there has been another node of that name; zero: there is none
	warned  bool      // that has been logged
	refused bool      // Refresh of all accounts failed the last time
	pruned  time.Time
}

// row is what the registry has of a session.
type row struct {
	written Session
	settled bool      // Local has shown it
	noted   time.Time // when it was written first
}

// New returns a Member for one run of a node.
func New(o Options) *Member {
	o.Node.ID = strings.ToLower(rand.Text())
	return &Member{
		Options: o,
		nudge:   make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
		rows:    make(map[string]*row),
		ended:   make(map[string]bool),
		kicked:  make(map[string]bool),
	}
}

// ID is that of this run of the node.
func (m *Member) ID() string { return m.Node.ID }

// Run takes part until ctx ends, then leaves.
func (m *Member) Run(ctx context.Context) {
	ticker := time.NewTicker(BeatEvery)
	defer ticker.Stop()
	defer m.leave(ctx)
	for {
		m.round(ctx)
		for again := true; again; {
			select {
			case <-m.nudge:
				m.sweep(ctx)
			case <-m.hurry:
				again = false
			case <-ticker.C:
				again = false
			case <-ctx.Done():
				return
			}
		}
	}
}

// Beat makes the next round come at once: the node's state has changed.
func (m *Member) Beat() { signal(m.hurry) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is on already
	}
}

// Alive tells whether the other nodes are sure to take this one for alive. If not, what it
// does for a while may be taken over by another.
func (m *Member) Alive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alive()
}

// aliveMargin is how much earlier a node takes itself for dead than the others do.
const aliveMargin = time.Second

// alive is Alive for a caller that holds mu.
func (m *Member) alive() bool {
	return !m.beaten.IsZero() && time.Since(m.beaten) < DeadAfter-aliveMargin
}

// AliveSince tells whether Alive has been true without a break since a time.
func (m *Member) AliveSince(t time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alive() && !m.since.After(t)
}

// arrived notes a beat that has arrived. The caller holds mu.
func (m *Member) arrived(sent time.Time, lapsed bool) {
	if lapsed || !m.alive() {
		m.since = sent
	}
	m.beaten = sent
}

// Admit notes a session at its login, if the limits allow it. Without limits it asks
// nobody, and the row is written with the next beat.
func (m *Member) Admit(ctx context.Context, s Session, l Limits) error {
	if l.None() {
		return nil
	}
	if err := m.admit(ctx, s, l); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[s.ID] = &row{written: s, noted: time.Now()}
	delete(m.ended, s.ID)
	return nil
}

// A client that comes back at once may be faster than the news that it has gone.
const (
	admitTries = 4
	admitPause = 50 * time.Millisecond // doubles
)

func (m *Member) admit(ctx context.Context, s Session, l Limits) error {
	pause := admitPause
	for try := 1; ; try++ {
		err := m.Registry.Admit(ctx, m.Node, s, l)
		if !errors.Is(err, ErrManyOfUser) && !errors.Is(err, ErrManyFromAddress) || try == admitTries {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
		pause *= 2
	}
}

// Left notes that a session is over, or its user logged out.
func (m *Member) Left(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows[id] == nil {
		return
	}
	delete(m.rows, id)
	m.ended[id] = true
	signal(m.nudge)
}

// sweep removes the rows of sessions that have ended. What fails is left to the next beat.
func (m *Member) sweep(ctx context.Context) {
	ended := m.takeEnded()
	if len(ended) == 0 || m.away {
		m.keepEnded(ended)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	if err := m.Registry.Remove(ctx, m.Node.ID, ended); err != nil {
		m.keepEnded(ended)
	}
}

func (m *Member) takeEnded() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ended := slices.Collect(maps.Keys(m.ended))
	clear(m.ended)
	return ended
}

func (m *Member) keepEnded(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if m.rows[id] == nil { // else it has come back: a login after REIN
			m.ended[id] = true
		}
	}
}

// leave tells the others that the node ends.
func (m *Member) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
	defer cancel()
	if err := m.Registry.Leave(ctx, m.Node.ID); err != nil && !m.away {
		m.Log.Warn("the other nodes do not know that this one ends; they will in some seconds", "err", err)
	}
}

// round is one beat, and what follows from its answer.
func (m *Member) round(ctx context.Context) {
	ended := ctx
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	err := m.beat(ctx)
	if ended.Err() != nil || !m.report(err) {
		return
	}
	m.refresh(ctx)
	if time.Since(m.pruned) < pruneEvery {
		return
	}
	m.pruned = time.Now()
	if err := m.Registry.Prune(ctx); err != nil && ctx.Err() == nil {
		m.Log.Warn("what dead nodes have left was not removed", "err", err)
	}
}

// report logs when the registry goes away and comes back, once each; true: it is there.
func (m *Member) report(err error) bool {
	switch {
	case err != nil && !m.away:
		m.Log.Warn("no heartbeat: the database does not answer", "err", err)
	case err == nil && m.away:
		m.Log.Info("heartbeat again")
	}
	m.away = err != nil
	return err == nil
}

func (m *Member) beat(ctx context.Context) error {
	b, sent := m.prepare(), time.Now()
	answer, err := m.Registry.Beat(ctx, b)
	if err != nil {
		m.keepEnded(b.Ended)
		return err
	}
	if answer.Lapsed {
		m.forgetRows(b.Known, sent)
		m.Beat() // writes all of them
		return nil
	}
	m.written(b, sent)
	for _, id := range answer.Missing {
		if m.dismiss(id) {
			m.Local.Kick(id)
		}
	}
	if answer.Draining && !b.Node.Draining {
		m.Local.Drain()
	}
	m.noteTwin(answer.Twin)
	return nil
}

// prepare finds what the registry does not know yet.
func (m *Member) prepare() Beat {
	b := Beat{Node: m.Node}
	b.Node.Sessions, b.Node.Transfers, b.Node.Draining = m.Local.State()
	live := m.Local.Sessions()
	m.mu.Lock()
	defer m.mu.Unlock()
	here := make(map[string]bool, len(live))
	for _, s := range live {
		here[s.ID] = true
		if m.kicked[s.ID] {
			continue
		}
		s.Node = m.Node.Name
		delete(m.ended, s.ID)
		r := m.rows[s.ID]
		if r != nil {
			r.settled = true
		}
		if r == nil || r.written != s {
			b.Write = append(b.Write, s)
		}
	}
	for id, r := range m.rows {
		if !here[id] && (r.settled || time.Since(r.noted) > settleFor) {
			delete(m.rows, id)
			m.ended[id] = true
			continue
		}
		b.Known = append(b.Known, id)
	}
	maps.DeleteFunc(m.kicked, func(id string, _ bool) bool { return !here[id] })
	b.Ended = slices.Collect(maps.Keys(m.ended))
	clear(m.ended)
	return b
}

// written notes that the rows of a beat are there. A session that has ended meanwhile is
// removed with the next one.
func (m *Member) written(b Beat, sent time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arrived(sent, false)
	for _, s := range b.Write {
		if r := m.rows[s.ID]; r != nil {
			r.written = s
			continue
		}
		m.rows[s.ID] = &row{written: s, settled: true, noted: time.Now()}
	}
}

// forgetRows makes the next beat write everything.
func (m *Member) forgetRows(ids []string, sent time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arrived(sent, true)
	for _, id := range ids {
		delete(m.rows, id)
	}
}

// dismiss forgets a row that somebody has deleted; false if the session is over anyway.
func (m *Member) dismiss(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows[id] == nil {
		return false
	}
	delete(m.rows, id)
	m.kicked[id] = true
	return true
}

func (m *Member) noteTwin(twin bool) {
	switch {
	case !twin:
		m.twins, m.warned = time.Time{}, false
	case m.twins.IsZero():
		m.twins = time.Now()
	case !m.warned && time.Since(m.twins) > twinAfter:
		m.warned = true
		m.Log.Warn("another node has the same name: give each its own", "name", m.Node.Name)
	}
}

// refresh reads the accounts of all sessions again and tells the server.
func (m *Member) refresh(ctx context.Context) {
	names := make(map[string]bool)
	for _, s := range m.Local.Sessions() {
		names[s.User] = true
	}
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(names)), accountsBatch) {
		found, err := m.Accounts.FindAll(ctx, batch)
		if err != nil {
			if !m.refused && ctx.Err() == nil {
				m.Log.Warn("accounts of sessions not read again", "err", err)
			}
			m.refused = true
			return
		}
		for _, name := range batch {
			f := found[name] // the zero Found: it is gone
			m.Local.Refresh(name, f.Account, f.Err)
		}
	}
	m.refused = false
}

var _ Accounts = (auth.Users)(nil)
