package db_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/guard"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

func address(name string) guard.Subject { return guard.Subject{Kind: guard.Address, Name: name} }

func account(name string) guard.Subject { return guard.Subject{Kind: guard.Account, Name: name} }

func TestFailuresAreCounted(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bans := d.Bans()
		odd := account(strings.Repeat("中\x00'\xff", 200))
		charge := func(at time.Time, n int, subjects ...guard.Subject) []guard.Count {
			t.Helper()
			counts, err := bans.Charge(t.Context(), at, at.Add(-10*time.Minute), n, subjects...)
			check(t, err)
			return counts
		}
		for i := range 3 {
			charge(noon().Add(time.Duration(i)*4*time.Minute), 1, address("192.0.2.1"), odd)
		}
		at := noon().Add(9 * time.Minute)
		if got := charge(at, 1, address("192.0.2.1"), odd); !slices.Equal(got, []guard.Count{{Failures: 4}, {Failures: 4}}) {
			t.Errorf("%v", got)
		}
		if got := charge(at.Add(2*time.Minute), 1, address("192.0.2.1"), account("Bob")); !slices.Equal(got, []guard.Count{{Failures: 4}, {Failures: 1}}) {
			t.Errorf("the first is not forgotten: %v", got)
		}
		if got := charge(at, -1, account("bob"), account("Bob")); !slices.Equal(got, []guard.Count{{}, {}}) {
			t.Errorf("taken back: %v", got)
		}
		check(t, bans.Forget(t.Context(), at.Add(time.Hour), at, at))
		if got := d.rows("SELECT COUNT(*) FROM login_failures"); got != "0" {
			t.Errorf("%s rows are left", got)
		}
	})
}

// Nodes that count the same at once lose nothing.
func TestFailuresOfNodesAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		const nodes, each = 4, 50
		var wg sync.WaitGroup
		var highest sync.Map
		for range nodes {
			bans := open(t, d.dsn).Bans()
			wg.Go(func() {
				for range each {
					counts, err := bans.Charge(t.Context(), noon(), noon().Add(-time.Minute), 1, address("192.0.2.1"), account("alice"))
					if err != nil {
						t.Error(err)
						return
					}
					highest.Store(counts[0].Failures, true)
				}
			})
		}
		wg.Wait()
		if _, ok := highest.Load(nodes * each); !ok {
			t.Error("no node has seen the last failure")
		}
	})
}

func TestBansGrowAndEnd(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bans := d.Bans()
		at, err := bans.Now(t.Context())
		check(t, err)
		subject := address("2001:db8::/64")
		for i, want := range []time.Duration{10 * time.Minute, 20 * time.Minute, 30 * time.Minute, 30 * time.Minute} {
			_, err := bans.Charge(t.Context(), at, at.Add(-time.Minute), 5, subject)
			check(t, err)
			b, mine, err := bans.Ban(t.Context(), guard.Ban{Subject: subject, Reason: "5 failed", Node: "a", Since: at}, 10*time.Minute, 30*time.Minute)
			check(t, err)
			if !mine || b.Strikes != i+1 || b.Until.Sub(b.Since) != want {
				t.Errorf("ban %d: %v, %+v", i, mine, b)
			}
			again, mine, err := bans.Ban(t.Context(), guard.Ban{Subject: subject, Node: "b", Since: at.Add(want - time.Second)}, time.Minute, time.Hour)
			check(t, err)
			if mine || again.Node != "a" || !again.Until.Equal(b.Until.Truncate(time.Microsecond)) {
				t.Errorf("banned twice: %+v", again)
			}
			counts, err := bans.Charge(t.Context(), at.Add(time.Second), at.Add(-time.Minute), 1, subject, account("bob"))
			check(t, err)
			if !slices.Equal(counts, []guard.Count{{Failures: 1, Banned: true}, {Failures: 1}}) {
				t.Errorf("%v", counts)
			}
			at = at.Add(want)
			d.exec("DELETE FROM login_failures")
		}
	})
}

// What people write is understood, and what is not, is named and hides nothing else.
func TestBansByHand(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bans := d.Bans()
		d.exec("INSERT INTO bans (kind, subject, reason) VALUES ('address', '203.0.113.0/24', 'abuse')")
		d.exec("INSERT INTO bans (kind, subject, until) VALUES ('account', 'alice', '2099-12-31 18:00:00')")
		d.exec("INSERT INTO bans (kind, subject, until) VALUES ('account', 'carol', '2001-12-31 18:00:00')")
		d.exec("INSERT INTO bans (kind, subject) VALUES ('address', 'nowhere')")
		for _, bad := range []string{"('user', 'x')", "('account', '')", "('account', NULL)"} {
			if _, err := d.sql.ExecContext(t.Context(), "INSERT INTO bans (kind, subject) VALUES "+bad); err == nil {
				t.Errorf("%s is taken", bad)
			}
		}
		state, err := bans.Active(t.Context(), 10)
		check(t, err)
		now := state.Now
		if state.InForce != 3 || len(state.Rows) != 3 {
			t.Fatalf("%+v", state)
		}
		for _, b := range state.Rows {
			if faulty := b.Err != nil && strings.Contains(b.Err.Error(), "nowhere"); faulty != (b.Name == "nowhere") {
				t.Errorf("%s: %v", b.Name, b.Err)
			}
			if b.Strikes != 0 || b.Node != "" || b.Since.Sub(now).Abs() > time.Minute {
				t.Errorf("%+v at %v", b, now)
			}
		}
		if got := d.rows("SELECT subject, reason, until IS NULL FROM v_bans ORDER BY subject"); got != "203.0.113.0/24 abuse 1\nalice by hand 0\nnowhere by hand 1" {
			t.Errorf("v_bans:\n%s", got)
		}
		b, mine, err := bans.Ban(t.Context(), guard.Ban{Subject: account("carol"), Since: now}, time.Minute, time.Hour)
		if err != nil || !mine || b.Strikes != 1 {
			t.Errorf("%+v, %v, %v", b, mine, err)
		}
	})
}

// Whatever anybody does to bans is found by reading no more than has changed.
func TestChangesOfBans(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bans := d.Bans()
		for i := range 20 {
			d.exec(fmt.Sprintf("INSERT INTO bans (kind, subject) VALUES ('address', '192.0.2.%d')", i))
		}
		start, err := bans.Now(t.Context())
		check(t, err)
		since := start.Add(2 * time.Millisecond) // SQLite's clock is exact to one
		spdtest.Await(t, "the clock has gone on", func() error {
			if now, err := bans.Now(t.Context()); err != nil || now.Before(since) {
				return fmt.Errorf("it is %v: %w", now, err)
			}
			return nil
		})
		for _, c := range []struct {
			statement, found string
			inForce          int
		}{
			{"", "", 20},
			{"INSERT INTO bans (kind, subject, until) VALUES ('account', 'alice', '2099-12-31 18:00:00')", "alice", 21},
			{"UPDATE bans SET reason = 'abuse' WHERE subject = '192.0.2.7'", "192.0.2.7", 21},
			{"UPDATE bans SET until = '2001-12-31 18:00:00' WHERE subject = '192.0.2.8'", "192.0.2.8", 20},
			{"INSERT INTO bans (kind, subject) VALUES ('address', 'nowhere')", "nowhere", 21},
			{"DELETE FROM bans WHERE subject = '192.0.2.9'", "", 20},
			{"SET time_zone = '-09:00'; UPDATE bans SET reason = 'far away' WHERE subject = '192.0.2.10'", "192.0.2.10", 20},
		} {
			for statement := range strings.SplitSeq(c.statement, "; ") {
				if statement != "" && (!strings.HasPrefix(statement, "SET ") || strings.HasPrefix(d.dsn, "mysql")) {
					d.exec(statement)
				}
			}
			s, err := bans.Changes(t.Context(), since, 10)
			check(t, err)
			var found []string
			for _, r := range s.Rows {
				found = append(found, r.Name)
				if (r.Err != nil) != (r.Name == "nowhere") {
					t.Errorf("%s: %v", r.Name, r.Err)
				}
			}
			if s.InForce != c.inForce || c.found != "" && !slices.Contains(found, c.found) || c.statement == "" && found != nil {
				t.Errorf("%q: %d in force, changed are %v", c.statement, s.InForce, found)
			}
		}
		s, err := bans.Changes(t.Context(), since, 2)
		check(t, err)
		if active, err := bans.Active(t.Context(), 3); err != nil || len(s.Rows) != 2 || len(active.Rows) != 3 {
			t.Errorf("%d and %d rows are more than asked for: %v", len(s.Rows), len(active.Rows), err)
		}
	})
}

func TestBansOfTheCommandLine(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bans := d.Bans()
		now, err := bans.Now(t.Context())
		check(t, err)
		for _, b := range []guard.Ban{
			{Subject: address("192.0.2.1"), Reason: "one", Since: now},
			{Subject: address("192.0.2.1"), Reason: "two", Since: now, Until: now.Add(time.Hour)},
			{Subject: account("bob"), Reason: "three", Since: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)},
		} {
			check(t, bans.Add(t.Context(), b))
		}
		for all, want := range map[bool]string{false: "two", true: "two three"} {
			list, err := bans.List(t.Context(), all)
			check(t, err)
			var got []string
			for _, b := range list {
				got = append(got, b.Reason)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("list: %v, want %s", got, want)
			}
		}
		for _, want := range []bool{true, false} {
			if was, err := bans.Delete(t.Context(), address("192.0.2.1")); was != want || err != nil {
				t.Errorf("deleted: %v, %v", was, err)
			}
		}
	})
}

func TestGoodLoginsAreNoted(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bans := d.Bans()
		home := guard.Place{Account: "alice", Network: netip.MustParsePrefix("2001:db8::/64")}
		work := guard.Place{Account: "alice", Network: netip.MustParsePrefix("192.0.2.1/32")}
		for i := range 2 {
			check(t, bans.Settle(t.Context(), noon().Add(time.Duration(i)*time.Hour), home, work))
		}
		check(t, bans.Settle(t.Context(), noon()))
		for place, want := range map[guard.Place]bool{home: true, work: true, {Account: "Alice", Network: home.Network}: false} {
			if got, err := bans.Settled(t.Context(), place, noon().Add(30*time.Minute)); got != want || err != nil {
				t.Errorf("%v: %v, %v", place, got, err)
			}
		}
		check(t, bans.Forget(t.Context(), noon(), noon(), noon().Add(2*time.Hour)))
		if got, err := bans.Settled(t.Context(), home, noon()); got || err != nil {
			t.Errorf("not forgotten: %v, %v", got, err)
		}
	})
}

// A node without the tables, or without a database, says so.
func TestBansWithoutTable(t *testing.T) {
	d := openTest(t, sqliteDSN(t), true)
	for _, table := range []string{"bans", "login_failures", "login_places"} {
		d.exec("DROP VIEW IF EXISTS v_bans")
		d.exec("DROP TABLE " + table)
	}
	bans := d.Bans()
	_, active := bans.Active(t.Context(), 1)
	_, changes := bans.Changes(t.Context(), noon(), 1)
	_, charge := bans.Charge(t.Context(), noon(), noon(), 1, account("x"))
	_, _, ban := bans.Ban(t.Context(), guard.Ban{}, 1, 1)
	_, settled := bans.Settled(t.Context(), guard.Place{}, noon())
	_, list := bans.List(t.Context(), true)
	for _, err := range []error{active, changes, charge, ban, settled, list, bans.Forget(t.Context(), noon(), noon(), noon())} {
		if err == nil {
			t.Error("no error")
		}
	}
}
