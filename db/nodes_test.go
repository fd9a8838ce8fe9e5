package db_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/db"
)

func nodeOf(name string) cluster.Node {
	return cluster.Node{ID: "run-of-" + name, Name: name, Address: "10.0.0.1:21", Version: "v1", PassiveFirst: 50000, PassiveLast: 50999}
}

func sessionOf(id, user, address string) cluster.Session {
	return cluster.Session{ID: id, User: user, Remote: netip.AddrPortFrom(netip.MustParseAddr(address), 40000), Since: time.Now()}
}

// join makes a node known.
func (d *testDB) join(n cluster.Node) {
	d.t.Helper()
	if a := d.beat(cluster.Beat{Node: n}); !a.Lapsed {
		d.t.Fatal("a new node was known before")
	}
}

func (d *testDB) beat(b cluster.Beat) cluster.Answer {
	d.t.Helper()
	a, err := d.Beat(d.t.Context(), b)
	check(d.t, err)
	return a
}

// die lets the lease of a node end.
func (d *testDB) die(n cluster.Node) {
	d.t.Helper()
	d.exec("UPDATE nodes SET lease = '2020-01-01 00:00:00.000000' WHERE id = '" + n.ID + "'")
}

func (d *testDB) number(query string) (n int) {
	d.t.Helper()
	check(d.t, d.sql.QueryRow(query).Scan(&n))
	return n
}

func (d *testDB) sessionIDs() []string {
	d.t.Helper()
	sessions, err := d.Sessions(d.t.Context())
	check(d.t, err)
	ids := make([]string, len(sessions))
	for i, s := range sessions {
		ids[i] = s.ID
	}
	slices.Sort(ids)
	return ids
}

func (d *testDB) wantSessions(want ...string) {
	d.t.Helper()
	if got := d.sessionIDs(); !slices.Equal(got, want) {
		d.t.Errorf("sessions %v, want %v", got, want)
	}
}

func TestNodeLives(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a := nodeOf("a")
		a.Sessions, a.Transfers = 3, 2
		d.join(a)
		before := time.Now().Add(-time.Minute)
		nodes, err := d.Nodes(t.Context())
		check(t, err)
		if len(nodes) != 1 || !nodes[0].Alive || nodes[0].StartedAt.Before(before) || nodes[0].SeenAt.Before(before) {
			t.Fatalf("%+v", nodes)
		}
		got := nodes[0]
		got.StartedAt, got.SeenAt, got.Alive = time.Time{}, time.Time{}, false
		if got != a {
			t.Errorf("%+v, want %+v", got, a)
		}
		if answer := d.beat(cluster.Beat{Node: a}); answer.Lapsed || answer.Draining || answer.Twin {
			t.Errorf("%+v", answer)
		}
		d.exec("UPDATE nodes SET draining = 1 WHERE name = 'a'")
		if !d.beat(cluster.Beat{Node: a}).Draining {
			t.Error("the node does not hear that it is to drain")
		}
		a.Draining = true
		d.exec("UPDATE nodes SET draining = 0 WHERE name = 'a'")
		if !d.beat(cluster.Beat{Node: a}).Draining {
			t.Error("a drain was taken back")
		}
		check(t, d.Leave(t.Context(), a.ID))
		if nodes, err = d.Nodes(t.Context()); err != nil || len(nodes) != 0 {
			t.Errorf("%+v, %v", nodes, err)
		}
	})
}

func TestNodesOfOneName(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		first, second := nodeOf("a"), nodeOf("a")
		second.ID = "another run"
		d.join(first)
		d.join(second)
		if !d.beat(cluster.Beat{Node: first}).Twin || !d.beat(cluster.Beat{Node: second}).Twin {
			t.Error("they do not see each other")
		}
		d.die(first)
		if d.beat(cluster.Beat{Node: second}).Twin {
			t.Error("a dead node counts")
		}
	})
}

func TestSessionsOfNodes(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a, b := nodeOf("a"), nodeOf("b")
		d.join(a)
		d.join(b)
		one := sessionOf("s1", "alice", "192.0.2.1")
		one.Node, one.TLS, one.Verb, one.Path, one.Bytes = "a", true, "STOR", "/ä", 1<<40
		one.Since = time.Now().Add(-time.Hour)
		two := sessionOf("s2", "bob", "2001:db8::1")
		d.beat(cluster.Beat{Node: a, Write: []cluster.Session{one, two}})
		d.beat(cluster.Beat{Node: b, Write: []cluster.Session{sessionOf("s3", "alice", "192.0.2.1")}})
		d.wantSessions("s1", "s2", "s3")
		sessions, err := d.Sessions(t.Context())
		check(t, err)
		got := sessions[0] // the oldest
		if late := got.Since.Sub(one.Since).Abs(); late > time.Minute {
			t.Errorf("since %v, want %v", got.Since, one.Since)
		}
		got.Since = one.Since
		if got != one {
			t.Errorf("%+v, want %+v", got, one)
		}

		d.exec("DELETE FROM sessions WHERE username = 'alice'")
		one.Bytes++
		answer := d.beat(cluster.Beat{Node: a, Known: []string{"s1", "s2"}, Write: []cluster.Session{one}})
		if !slices.Equal(answer.Missing, []string{"s1"}) {
			t.Errorf("missing %v", answer.Missing)
		}
		d.wantSessions("s2") // and it was not brought back
		d.beat(cluster.Beat{Node: a, Ended: []string{"s2"}})
		d.wantSessions()
	})
}

// A node that was taken for dead finds none of its rows, and kicks nobody for that.
func TestNodeLapses(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a, b := nodeOf("a"), nodeOf("b")
		d.join(a)
		d.join(b)
		d.beat(cluster.Beat{Node: a, Write: []cluster.Session{sessionOf("s1", "alice", "192.0.2.1")}})
		d.beat(cluster.Beat{Node: b, Write: []cluster.Session{sessionOf("s2", "alice", "192.0.2.1")}})
		d.die(a)
		d.wantSessions("s2")
		check(t, d.Prune(t.Context()))
		if n := d.number("SELECT COUNT(*) FROM sessions"); n != 1 {
			t.Errorf("%d rows are left", n)
		}
		answer := d.beat(cluster.Beat{Node: a, Known: []string{"s1"}})
		if !answer.Lapsed || len(answer.Missing) > 0 {
			t.Errorf("%+v", answer)
		}
		d.beat(cluster.Beat{Node: a, Write: []cluster.Session{sessionOf("s1", "alice", "192.0.2.1")}})
		d.wantSessions("s1", "s2")

		d.die(b)
		d.exec("DELETE FROM nodes WHERE id = '" + a.ID + "'")
		check(t, d.Prune(t.Context()))
		if n := d.number("SELECT COUNT(*) FROM sessions"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		if n := d.number("SELECT COUNT(*) FROM nodes"); n != 0 { // it died in 2020
			t.Errorf("%d nodes are left", n)
		}
	})
}

func TestAdmit(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a, b := nodeOf("a"), nodeOf("b")
		d.join(a)
		d.join(b)
		admit := func(n cluster.Node, s cluster.Session, l cluster.Limits, want error) {
			t.Helper()
			if err := d.Admit(t.Context(), n, s, l); !errors.Is(err, want) {
				t.Errorf("%s on %s: %v, want %v", s.ID, n.Name, err, want)
			}
		}
		two, here := cluster.Limits{OfUser: 2}, cluster.Limits{FromAddress: 2}
		admit(a, sessionOf("s1", "alice", "192.0.2.1"), two, nil)
		admit(b, sessionOf("s2", "alice", "192.0.2.2"), two, nil)
		admit(b, sessionOf("s3", "alice", "192.0.2.2"), two, cluster.ErrManyOfUser)
		admit(b, sessionOf("s2", "alice", "192.0.2.2"), two, nil) // the same once more
		admit(a, sessionOf("s4", "bob", "192.0.2.2"), here, nil)
		admit(a, sessionOf("s5", "bob", "192.0.2.2"), here, cluster.ErrManyFromAddress)
		admit(a, sessionOf("s5", "Alice", "192.0.2.3"), two, nil) // another account
		check(t, d.Remove(t.Context(), b.ID, []string{"s2"}))
		admit(a, sessionOf("s6", "alice", "192.0.2.2"), cluster.Limits{OfUser: 2, FromAddress: 2}, nil)
		d.die(a)
		admit(b, sessionOf("s7", "alice", "192.0.2.2"), cluster.Limits{OfUser: 1, FromAddress: 1}, nil)
		d.wantSessions("s7")
	})
}

// However many nodes ask at once, exactly as many get in as may.
func TestAdmitAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		const nodes, each, limit = 4, 8, 5
		var admitted, refused atomic.Int64
		var running sync.WaitGroup
		for i := range nodes {
			n := nodeOf(fmt.Sprint("n", i))
			d.join(n)
			other := open(t, d.dsn)
			for j := range each {
				running.Go(func() {
					s := sessionOf(fmt.Sprintf("s%d-%d", i, j), "alice", fmt.Sprintf("192.0.2.%d", j%3))
					err := other.Admit(t.Context(), n, s, cluster.Limits{OfUser: limit, FromAddress: limit})
					switch {
					case err == nil:
						admitted.Add(1)
					case errors.Is(err, cluster.ErrManyOfUser):
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
		}
		running.Wait()
		if admitted.Load() != limit || refused.Load() != nodes*each-limit {
			t.Errorf("%d admitted, %d refused", admitted.Load(), refused.Load())
		}
	})
}

func TestKickAndDrain(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a, b := nodeOf("a"), nodeOf("b")
		d.join(a)
		d.join(b)
		d.beat(cluster.Beat{Node: a, Write: []cluster.Session{sessionOf("s1", "alice", "192.0.2.1"), sessionOf("s2", "bob", "192.0.2.1")}})
		d.beat(cluster.Beat{Node: b, Write: []cluster.Session{sessionOf("s3", "alice", "192.0.2.1")}})
		for _, kick := range []struct {
			id, user string
			want     int64
		}{{"s2", "", 1}, {"s2", "", 0}, {"", "alice", 2}, {"", "nobody", 0}} {
			n, err := d.Kick(t.Context(), kick.id, kick.user)
			check(t, err)
			if n != kick.want {
				t.Errorf("kick %+v: %d", kick, n)
			}
		}
		told, err := d.Drain(t.Context(), "b")
		check(t, err)
		if len(told) != 1 || told[0].ID != b.ID || d.beat(cluster.Beat{Node: a}).Draining || !d.beat(cluster.Beat{Node: b}).Draining {
			t.Errorf("told %+v", told)
		}
		d.die(a)
		if told, err = d.Drain(t.Context(), ""); err != nil || len(told) != 1 {
			t.Errorf("told %+v, %v", told, err)
		}
	})
}

// A node's rows are written in batches, and two nodes do not hinder each other.
func TestManySessions(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		const count = 1000
		nodes := make(map[string]*db.DB)
		for _, name := range []string{"a", "b", "c"} {
			d.join(nodeOf(name))
			nodes[name] = open(t, d.dsn)
		}
		var running sync.WaitGroup
		for name, node := range nodes {
			running.Go(func() { beatMany(t, node, nodeOf(name), count) })
		}
		running.Wait()
		if got := len(d.sessionIDs()); got != 3*count/2 {
			t.Errorf("%d sessions, want %d", got, 3*count/2)
		}
	})
}

// beatMany writes sessions, writes them again, and removes half of them.
func beatMany(t *testing.T, d *db.DB, n cluster.Node, count int) {
	b := cluster.Beat{Node: n}
	for i := range count {
		b.Write = append(b.Write, sessionOf(fmt.Sprintf("%s-%d", n.Name, i), "alice", "192.0.2.1"))
	}
	for range 2 {
		if a, err := d.Beat(t.Context(), b); err != nil || len(a.Missing) > 0 {
			t.Error(a, err)
			return
		}
		b.Known = b.Known[:0]
		for _, s := range b.Write {
			b.Known = append(b.Known, s.ID)
		}
	}
	if _, err := d.Beat(t.Context(), cluster.Beat{Node: n, Ended: b.Known[:count/2]}); err != nil {
		t.Error(err)
	}
}
