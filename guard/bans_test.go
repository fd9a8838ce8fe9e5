package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const stranger, customer = "203.0.113.7", "198.51.100.9"

// looked counts the guesses that are looked at.
func looked(b *Bans, account, from string, guesses int) (n int) {
	for range guesses {
		if guess(b, account, from, false) {
			n++
		}
	}
	return n
}

func TestAddressIsBanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := node(newLedger(), "a", nil)
		if n := looked(b, "alice", stranger, 20); n != 5 {
			t.Fatalf("%d guesses were looked at", n)
		}
		if guess(b, "alice", stranger, true) {
			t.Error("the right password was looked at")
		}
		if !guess(b, "alice", customer, true) {
			t.Error("another address is banned, too")
		}
		time.Sleep(10*time.Minute + time.Second)
		if !guess(b, "alice", stranger, true) {
			t.Error("the ban does not end")
		}
	})
}

func TestFailuresLongAgoDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		b := node(l, "a", nil)
		for i := range 20 {
			if looked(b, "alice", stranger, 1) != 1 {
				t.Fatalf("guess %d was not looked at", i)
			}
			time.Sleep(20 * time.Second)
			l.mu.Lock()
			clear(l.failures) // the journal has a window of its own
			l.mu.Unlock()
		}
	})
}

// A /64 of IPv6 is one customer; an IPv4 address in IPv6 is that address.
func TestNetworks(t *testing.T) {
	b := node(newLedger(), "a", nil)
	n := 0
	for i := range 20 {
		n += looked(b, "alice", fmt.Sprintf("2001:db8::%x", i+1), 1)
	}
	if n != 5 || looked(b, "alice", "2001:db8:0:1::1", 1) != 1 {
		t.Errorf("%d guesses of a network were looked at", n)
	}
	if n := looked(b, "alice", "::ffff:"+stranger, 3) + looked(b, "alice", stranger, 20); n != 5 {
		t.Errorf("%d guesses of an address in two forms were looked at", n)
	}
	for _, from := range []string{"127.0.0.1", "::ffff:127.1.2.3"} {
		if n := looked(b, "alice", from, 50); n != 50 {
			t.Errorf("%s is on the allow-list, but only %d guesses were looked at", from, n)
		}
	}
	if (Network(netip.Addr{}) != netip.Prefix{}) || Network(netip.MustParseAddr("fe80::1%eth0")).String() != "fe80::/64" {
		t.Error("odd addresses have odd networks")
	}
}

// Each ban is twice as long as the one before, up to the longest.
func TestBansGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := node(newLedger(), "a", nil)
		for _, want := range []time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour} {
			looked(b, "alice", stranger, 10)
			time.Sleep(want - time.Second)
			if looked(b, "alice", stranger, 1) != 0 {
				t.Fatalf("a ban ends before %v", want)
			}
			time.Sleep(2 * time.Second)
			b.Sync(t.Context())
			if !guess(b, "alice", stranger, true) {
				t.Fatalf("a ban is longer than %v", want)
			}
		}
	})
}

// However many guesses come at once, no more are looked at than one after the other.
func TestGuessesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := node(newLedger(), "a", nil)
		var n atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				a, err := b.Begin(t.Context(), "alice", netip.MustParseAddr(stranger))
				if err != nil {
					return
				}
				n.Add(1)
				time.Sleep(time.Second) // the password is looked at
				a.Bad(t.Context())
			})
		}
		wg.Wait()
		if n.Load() != 5 {
			t.Errorf("%d guesses were looked at", n.Load())
		}
	})
}

// Many users behind one address do not wait for each other longer than they must.
func TestGoodLoginsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		b := node(l, "a", nil)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				a, err := b.Begin(t.Context(), fmt.Sprint("user", i), netip.MustParseAddr(customer))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				a.Good(t.Context())
			})
		}
		wg.Wait()
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("100 logins, 5 at a time, took %v", took)
		}
		if l.charges != 0 || l.asked != 0 {
			t.Error("good logins have cost queries")
		}
	})
}

func TestWaitingEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := node(newLedger(), "a", func(o *BanOptions) { o.AddressFailures = 1 })
		first, err := b.Begin(t.Context(), "alice", netip.MustParseAddr(stranger))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Begin(ctx, "alice", netip.MustParseAddr(stranger)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		first.Undecided(t.Context())
		if !guess(b, "alice", stranger, true) {
			t.Error("an attempt without a result counts")
		}
	})
}

// Two nodes count together, to the last guess.
func TestNodesCountTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		nodes := []*Bans{node(l, "a", nil), node(l, "b", nil)}
		n := 0
		for i := range 40 {
			n += looked(nodes[i%2], "alice", stranger, 1)
		}
		if n != 5 {
			t.Errorf("%d guesses were looked at", n)
		}
		// A mistake before the right password is forgiven on both.
		for range 2 {
			for _, b := range nodes {
				if !guess(b, "bob", customer, true) {
					t.Error("refused")
				}
			}
			guess(nodes[0], "bob", customer, false)
		}
		if l.failures[ofNetwork(Network(netip.MustParseAddr(customer)))] != 2 {
			t.Errorf("good logins count: %v", l.failures)
		}
		// The ban of one node is known to another that has not met the address.
		third := node(l, "c", nil)
		third.Sync(t.Context())
		if guess(third, "alice", stranger, true) {
			t.Error("another node does not know the ban")
		}
	})
}

// An account that is guessed from everywhere is closed, but not to who has used it lately.
func TestAccountIsBanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		b := node(l, "a", nil)
		if !guess(b, "alice", customer, true) {
			t.Fatal("refused")
		}
		b.Sync(t.Context()) // notes the login
		n := 0
		for i := range 100 {
			n += looked(b, "alice", fmt.Sprintf("203.0.113.%d", i), 1)
		}
		if n != 20 {
			t.Errorf("%d guesses were looked at", n)
		}
		if guess(b, "alice", "192.0.2.1", true) {
			t.Error("the account is open to strangers")
		}
		other := node(l, "b", nil)
		other.Sync(t.Context())
		for _, b := range []*Bans{b, other} {
			if !guess(b, "alice", customer, true) || !guess(b, "alice", "127.0.0.1", true) || !guess(b, "bob", "192.0.2.1", true) {
				t.Error("the ban locks out others than strangers")
			}
		}
		if looked(b, "alice", customer, 20) != 5 {
			t.Error("guesses from the user's address are not counted")
		}
		time.Sleep(9 * time.Minute)
		if guess(b, "alice", "192.0.2.1", true) {
			t.Error("the ban ends too soon")
		}
	})
}

// While the journal is away a node bans by itself, and tells the others later.
func TestJournalAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		var seen reports
		b := node(l, "a", func(o *BanOptions) { o.Report = seen.add })
		b.Sync(t.Context())
		l.setAway(true)
		b.Sync(t.Context())
		if n := looked(b, "alice", stranger, 20); n != 5 {
			t.Errorf("%d guesses were looked at", n)
		}
		b.Sync(t.Context())
		if guess(b, "alice", stranger, true) {
			t.Error("the ban is forgotten")
		}
		l.setAway(false)
		b.Sync(t.Context())
		if len(l.bans) != 1 || !slices.Equal(seen.all, []string{"ban " + stranger}) {
			t.Errorf("the journal holds %v; reported %v", l.bans, seen.all)
		}
		b.Sync(t.Context())
		if guess(b, "alice", stranger, true) || b.own.len() != 0 {
			t.Error("the ban is not taken over")
		}
	})
}

// A node's clock may be wrong by hours, before the journal answers and behind it.
func TestClocksDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ahead := range []time.Duration{5 * time.Hour, -5 * time.Hour} {
			l := newLedger()
			l.ahead = ahead
			early, late := node(l, "a", nil), node(l, "b", nil)
			l.setAway(true)
			looked(early, "alice", stranger, 5) // by the node's own clock
			l.setAway(false)
			early.Sync(t.Context())
			late.Sync(t.Context())
			looked(late, "alice", "192.0.2.1", 5)
			early.Sync(t.Context())
			time.Sleep(9 * time.Minute)
			for _, b := range []*Bans{early, late} {
				b.Sync(t.Context())
				if guess(b, "alice", stranger, true) || guess(b, "alice", "192.0.2.1", true) {
					t.Errorf("%v: a ban is too short", ahead)
				}
			}
			time.Sleep(2 * time.Minute)
			for _, b := range []*Bans{early, late} {
				b.Sync(t.Context())
				if !guess(b, "alice", stranger, true) || !guess(b, "alice", "192.0.2.1", true) {
					t.Errorf("%v: a ban is too long", ahead)
				}
			}
		}
	})
}

// People make and end bans in the journal; one node tells of that.
func TestBansByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		var seen reports
		report := func(o *BanOptions) { o.Report = seen.add }
		nodes := []*Bans{node(l, "a", report), node(l, "b", report)}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, b := range nodes {
			wg.Go(func() { b.Run(ctx) })
		}
		synctest.Wait()
		network, account := Subject{Address, "203.0.113.0/24"}, Subject{Account, "alice"}
		set := func(f func()) {
			if err := l.with(f); err != nil {
				t.Error(err)
			}
			time.Sleep(1500 * time.Millisecond)
		}
		set(func() {
			l.bans[network] = Ban{Subject: network, Since: l.now()}
			l.bans[account] = Ban{Subject: account, Since: l.now(), Until: l.now().Add(time.Minute)}
		})
		for _, b := range nodes {
			if !b.Denied(netip.MustParseAddr(stranger)) || b.Denied(netip.MustParseAddr(customer)) || b.Denied(netip.MustParseAddr("127.0.0.1")) {
				t.Error("denied are others than those banned")
			}
			if guess(b, "bob", stranger, true) || guess(b, "alice", customer, true) {
				t.Error("not banned")
			}
			if addresses, accounts := b.Active(); addresses != 1 || accounts != 1 {
				t.Errorf("%d and %d bans", addresses, accounts)
			}
		}
		set(func() { delete(l.bans, network) })
		for _, b := range nodes {
			if b.Denied(netip.MustParseAddr(stranger)) || !guess(b, "bob", stranger, true) {
				t.Error("still banned")
			}
		}
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
		slices.Sort(seen.all)
		if got := strings.Join(seen.all, ", "); got != "ban 203.0.113.0/24, ban alice, unban 203.0.113.0/24, unban alice" {
			t.Errorf("reported: %s", got)
		}
	})
}

// Of the bans, only those are read that have changed, but what is deleted is noticed, too.
func TestOnlyChangesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		b := node(l, "a", nil)
		for i := range 1000 {
			subject := Subject{Address, fmt.Sprintf("192.0.%d.%d", i/250, i%250)}
			l.bans[subject] = Ban{Subject: subject, Since: l.now(), Strikes: 1, Until: l.now().Add(time.Hour)}
		}
		banned := func(want int, from string, is bool) {
			t.Helper()
			time.Sleep(time.Second)
			b.Sync(t.Context())
			if n, _ := b.Active(); n != want || guess(b, "alice", from, true) == is {
				t.Errorf("%d bans; %s is banned: %v", n, from, !is)
			}
		}
		banned(1000, "192.0.0.7", true)
		time.Sleep(2 * overlap)
		late := Subject{Address, "198.51.100.1"}
		l.bans[late] = Ban{Subject: late, Since: l.now()}
		banned(1001, late.Name, true)
		l.bans[late] = Ban{Subject: late, Since: l.now(), Until: l.now().Add(2500 * time.Millisecond)}
		banned(1001, late.Name, true)
		time.Sleep(time.Second)
		banned(1000, late.Name, false) // it is over
		if l.whole != 1 {
			t.Errorf("all was read %d times", l.whole)
		}
		delete(l.bans, Subject{Address, "192.0.0.7"})
		banned(999, "192.0.0.7", false)
		l.ahead = -time.Hour // the journal's clock is set back, and then somebody makes a ban his own
		time.Sleep(2 * overlap)
		changed := Subject{Address, "192.0.0.9"}
		l.bans[changed] = Ban{Subject: changed, Since: l.now()}
		banned(1000, changed.Name, true) // with the one that was over
		if l.whole != 3 || !b.Denied(netip.MustParseAddr(changed.Name)) {
			t.Errorf("all was read %d times", l.whole)
		}
		time.Sleep(wholeEvery)
		banned(1000, changed.Name, true)
		if l.whole != 4 {
			t.Errorf("all was read %d times", l.whole)
		}
	})
}

// If the journal goes away between two questions, nothing of what it has said is lost.
func TestJournalGoesAwayBetweenQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		b := node(l, "a", nil)
		gone, fresh := Subject{Account, "alice"}, Subject{Account, "bob"}
		l.bans[gone] = Ban{Subject: gone}
		b.Sync(t.Context())
		delete(l.bans, gone)
		l.bans[fresh] = Ban{Subject: fresh}
		l.unread = true
		b.Sync(t.Context()) // there is one too many now
		l.unread = false
		l.bans[gone] = Ban{Subject: gone} // and no longer
		b.Sync(t.Context())
		if guess(b, "bob", customer, true) {
			t.Error("a ban is not known")
		}
	})
}

// A ban of this node that somebody deletes before the journal has been read again is over.
func TestOwnBanIsDeletedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		b := node(l, "a", nil)
		b.Sync(t.Context())
		looked(b, "alice", stranger, 5)
		if len(l.bans) != 1 {
			t.Fatalf("bans: %v", l.bans)
		}
		clear(l.bans)
		b.Sync(t.Context())
		if !guess(b, "alice", stranger, true) {
			t.Error("still banned")
		}
	})
}

// More bans than can be kept take no more memory than there is for that, and are told of.
func TestBansAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		var log strings.Builder
		b := node(l, "a", func(o *BanOptions) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		b.journal.most = 100
		ban := func(name string) {
			subject := Subject{Account, name}
			l.bans[subject] = Ban{Subject: subject}
		}
		for i := range 110 {
			ban(fmt.Sprint(i))
		}
		for range 20 {
			b.Sync(t.Context())
			time.Sleep(time.Second)
		}
		l.whole = 0
		ban("another")
		b.Sync(t.Context())
		if _, n := b.Active(); n != 101 || guess(b, "another", customer, true) || l.whole != 0 {
			t.Errorf("%d bans are known; all were read %d times", n, l.whole)
		}
		time.Sleep(wholeEvery)
		b.Sync(t.Context())
		if _, n := b.Active(); n != 100 {
			t.Errorf("%d bans are known", n)
		}
		if strings.Count(log.String(), "more bans than can be kept") != 1 {
			t.Errorf("log: %s", log.String())
		}
	})
}

// An attacker with many addresses takes no more memory than there is for that.
func TestMemoryIsBounded(t *testing.T) {
	b := node(newLedger(), "a", func(o *BanOptions) { o.Journal = &ledger{away: true} })
	for i := range maxSuspects + 1000 {
		addr := netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
		a, err := b.Begin(t.Context(), fmt.Sprint(i), addr)
		if err != nil {
			t.Fatal(err)
		}
		a.Bad(t.Context())
	}
	if b.suspects.len() != maxSuspects || len(b.suspects.entries) != b.suspects.order.Len() {
		t.Errorf("%d suspects are known", b.suspects.len())
	}
}

func TestNoLimits(t *testing.T) {
	b := node(newLedger(), "a", func(o *BanOptions) { o.AddressFailures, o.AccountFailures = 0, 0 })
	if n := looked(b, "alice", stranger, 100); n != 100 {
		t.Errorf("%d guesses were looked at", n)
	}
	var none *Bans
	if !guess(none, "alice", stranger, false) {
		t.Error("no Bans refuses")
	}
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", " 203.0.113.7/24 ": "203.0.113.0/24", "2001:DB8::/32": "2001:db8::/32",
		"::ffff:203.0.113.7": "203.0.113.7", "2001:db8::1": "2001:db8::1", "203.0.113.7/32": "203.0.113.7",
	} {
		network, err := ParseNetwork(text)
		if err != nil || FormatNetwork(network) != want {
			t.Errorf("%q: %v, %v", text, network, err)
		}
	}
	for _, text := range []string{"", "x", "1.2.3.4/33", "1.2.3", "fe80::1%eth0", "::ffff:1.2.3.4/120"} {
		if network, err := ParseNetwork(text); err == nil {
			t.Errorf("%q: %v", text, network)
		}
	}
}

// A ban takes as long to refuse as a wrong password.
func TestRefusalsTakeAsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := node(newLedger(), "a", nil)
		if b.Refuse(t.Context()) {
			t.Error("there was no refusal yet")
		}
		refuse := func(took time.Duration) {
			a, err := b.Begin(t.Context(), "alice", netip.MustParseAddr(stranger))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(took)
			a.Bad(t.Context())
		}
		refuse(2 * time.Second)
		refuse(3 * time.Second)
		seen := make(map[time.Duration]int)
		for range 200 {
			began := time.Now()
			if !b.Refuse(t.Context()) {
				t.Fatal("not refused")
			}
			seen[time.Since(began)]++
		}
		if len(seen) != 2 || seen[2*time.Second] < 50 || seen[3*time.Second] < 50 {
			t.Errorf("bans took %v", seen)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if began := time.Now(); !b.Refuse(ctx) || time.Since(began) != time.Millisecond {
			t.Error("the end of the client does not end the wait")
		}
	})
}
