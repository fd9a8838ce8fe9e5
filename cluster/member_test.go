package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("away")

// rig is a node with a server that does what a test says, and a real registry, which the
// test can take away.
type rig struct {
	t      *testing.T
	db     *db.DB
	member *cluster.Member
	log    logBuffer

	mu       sync.Mutex
	away     bool
	sessions []cluster.Session
	draining bool
	kicked   []string
	seen     map[string]auth.Found // what Refresh was told
	drained  int
}

type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.String(), text)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	database := dbtest.Open(t)
	r := &rig{t: t, db: database, seen: make(map[string]auth.Found)}
	r.member = cluster.New(cluster.Options{
		Registry: registry{database, r}, Accounts: registry{database, r}, Local: r,
		Node: cluster.Node{Name: "n"}, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.member.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return r
}

// registry is the database, as far as it is there.
type registry struct {
	*db.DB
	rig *rig
}

func (g registry) Beat(ctx context.Context, b cluster.Beat) (cluster.Answer, error) {
	if g.rig.isAway() {
		return cluster.Answer{}, errAway
	}
	return g.DB.Beat(ctx, b)
}

func (r *rig) isAway() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away
}

func (r *rig) set(change func()) {
	r.mu.Lock()
	change()
	r.mu.Unlock()
	r.member.Beat()
}

func (r *rig) State() (sessions, transfers int, draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sessions), 0, r.draining
}

func (r *rig) Sessions() []cluster.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sessions)
}

func (r *rig) Refresh(name string, a *auth.Account, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[name] = auth.Found{Account: a, Err: err}
}

func (r *rig) Kick(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kicked = append(r.kicked, id)
}

func (r *rig) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drained++
	r.draining = true
}

// await waits until something holds, under mu.
func (r *rig) await(what string, holds func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		r.mu.Lock()
		ok := holds()
		r.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("waiting until %s", what)
}

// awaitRows waits until the registry lists these sessions.
func (r *rig) awaitRows(want ...string) {
	r.t.Helper()
	var got []string
	r.await("the rows are "+strings.Join(want, " "), func() bool {
		sessions, err := r.db.Sessions(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		got = nil
		for _, s := range sessions {
			got = append(got, s.ID)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

func session(id string) cluster.Session {
	return cluster.Session{ID: id, User: "user-of-" + id, Remote: netip.MustParseAddrPort("192.0.2.1:40000"), Since: time.Now()}
}

func TestSessionsComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := session("s1"), session("s2")
	r.set(func() { r.sessions = []cluster.Session{one, two} })
	r.awaitRows("s1", "s2")
	r.await("accounts are read", func() bool { return len(r.seen) == 2 && r.seen["user-of-s1"] == auth.Found{} })
	r.set(func() { r.sessions = []cluster.Session{two} })
	r.awaitRows("s2")
	if !r.member.Alive() || !r.member.AliveSince(time.Now()) || r.member.AliveSince(time.Now().Add(-time.Hour)) {
		t.Error("the node does not know how long it has been alive")
	}
}

// A row that somebody deletes ends the session, once, and does not come back while it ends.
func TestDeletedRowKicks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := session("s1"), session("s2")
	r.set(func() { r.sessions = []cluster.Session{one, two} })
	r.awaitRows("s1", "s2")
	if n, err := r.db.Kick(t.Context(), "s1", ""); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	r.await("it is kicked", func() bool { return slices.Equal(r.kicked, []string{"s1"}) })
	one.Bytes++ // it still moves
	r.set(func() { r.sessions = []cluster.Session{one, two} })
	r.set(func() { r.seen = make(map[string]auth.Found) })
	r.await("another round", func() bool { return len(r.seen) > 0 })
	r.awaitRows("s2")
	r.await("it is kicked once", func() bool { return len(r.kicked) == 1 })
}

// While the registry is away nothing happens but one line in the log. A node that had been
// taken for dead writes its sessions again, and kicks none.
func TestRegistryGoesAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one := session("s1")
	r.set(func() { r.sessions = []cluster.Session{one} })
	r.awaitRows("s1")
	r.set(func() { r.away = true })
	r.await("it is noticed", func() bool { return r.log.count("no heartbeat") == 1 })
	r.member.Beat()                                                // and once more
	if err := r.db.Leave(t.Context(), r.member.ID()); err != nil { // as others do when it is dead
		t.Fatal(err)
	}
	r.awaitRows()
	before := time.Now()
	r.set(func() { r.away = false })
	r.awaitRows("s1")
	r.await("it is alive", func() bool { return r.member.Alive() })
	if r.member.AliveSince(before.Add(-time.Millisecond)) {
		t.Error("the break is forgotten")
	}
	r.await("the log tells", func() bool { return r.log.count("heartbeat again") == 1 })
	if n := r.log.count("no heartbeat"); n != 1 {
		t.Errorf("the outage was logged %d times", n)
	}
	r.await("nobody is kicked", func() bool { return len(r.kicked) == 0 })
}

func TestDrainOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.await("it is there", func() bool { return r.member.Alive() })
	if told, err := r.db.Drain(t.Context(), "n"); err != nil || len(told) != 1 {
		t.Fatal(told, err)
	}
	r.member.Beat()
	r.await("it drains", func() bool { return r.drained == 1 })
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.await("it is there", func() bool { return r.member.Alive() })
	limit := cluster.Limits{FromAddress: 1}
	one, two := session("s1"), session("s2")
	if err := r.member.Admit(t.Context(), one, limit); err != nil {
		t.Fatal(err)
	}
	r.awaitRows("s1")
	if err := r.member.Admit(t.Context(), two, limit); !errors.Is(err, cluster.ErrManyFromAddress) {
		t.Errorf("error %v", err)
	}
	// One who comes back at once is let in, however late the news is that he has gone.
	r.member.Left("s1")
	if err := r.member.Admit(t.Context(), two, limit); err != nil {
		t.Error(err)
	}
	r.awaitRows("s2")
	if err := r.member.Admit(t.Context(), session("s3"), cluster.Limits{}); err != nil {
		t.Error(err)
	}
	r.awaitRows("s2") // nobody asked for it
}
