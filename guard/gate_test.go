package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// enter expects err of a connection.
func enter(t *testing.T, g *Gate, from string, want error) *Visit {
	t.Helper()
	v, err := g.Enter(netip.MustParseAddr(from))
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", from, err, want)
	}
	return v
}

func TestGatePerNetwork(t *testing.T) {
	g := NewGate(Limits{PendingPerNetwork: 2}, prefixes("127.0.0.0/8"), nil, nil)
	first := enter(t, g, stranger, nil)
	second := enter(t, g, stranger, nil)
	enter(t, g, stranger, ErrPending)
	enter(t, g, customer, nil)
	first.LoggedIn()
	first.Leave() // again
	enter(t, g, stranger, nil)
	enter(t, g, stranger, ErrPending)
	second.Leave()
	enter(t, g, stranger, nil)
	for range 10 {
		enter(t, g, "127.0.0.1", nil)
	}
	if s := g.Status(); s.Pending != 13 || s.TooManyOpen != 2 {
		t.Errorf("%+v", s)
	}
}

// A flood from many networks leaves room for others, and more for those who have logged in.
func TestGateKeepsRoom(t *testing.T) {
	g := NewGate(Limits{Pending: 100, PendingPerNetwork: 10}, prefixes("127.0.0.0/8"), nil, nil)
	enter(t, g, customer, nil).LoggedIn()
	in := 0
	for i := range 1000 { // 20 networks take what they can get
		if _, err := g.Enter(netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", i%20))); err == nil {
			in++
		}
	}
	if in != 50 {
		t.Errorf("%d of a flood are in", in)
	}
	for i := range 25 {
		enter(t, g, fmt.Sprintf("192.0.2.%d", i), nil)
		enter(t, g, fmt.Sprintf("192.0.2.%d", i), ErrPending)
	}
	enter(t, g, "192.0.2.99", ErrPending)
	for range 10 {
		enter(t, g, customer, nil)
	}
	enter(t, g, customer, ErrPending) // its own limit
	for range 15 {
		enter(t, g, "127.0.0.1", nil)
	}
	enter(t, g, "127.0.0.1", ErrPending)
}

func TestGateDenies(t *testing.T) {
	g := NewGate(Limits{}, prefixes("203.0.113.8/32"), prefixes("203.0.113.0/24"),
		func(a netip.Addr) bool { return a == netip.MustParseAddr(customer) })
	enter(t, g, stranger, ErrDenied)
	enter(t, g, customer, ErrDenied)
	enter(t, g, "203.0.113.8", nil)
	enter(t, g, "192.0.2.1", nil)
	if s := g.Status(); s.Denied != 2 || s.Pending != 2 {
		t.Errorf("%+v", s)
	}
	var none *Gate
	enter(t, none, stranger, nil).Leave()
	if none.Status() != (GateStatus{}) {
		t.Error("no Gate counts")
	}
}

func TestGateRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Rate: 2, Burst: 5}, prefixes("127.0.0.0/8"), nil, nil)
		for range 5 {
			enter(t, g, "2001:db8::1", nil).Leave()
		}
		enter(t, g, "2001:db8::2", ErrRate)
		enter(t, g, "2001:db8:0:1::1", nil).Leave()
		time.Sleep(time.Second)
		enter(t, g, "2001:db8::3", nil).Leave()
		enter(t, g, "2001:db8::3", nil).Leave()
		enter(t, g, "2001:db8::3", ErrRate)
		for range 20 {
			enter(t, g, "127.0.0.1", nil).Leave()
		}
		if s := g.Status(); s.Pending != 0 || s.TooOften != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGateHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Handshakes: 1}, nil, nil, nil)
		done, err := g.Handshake(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Handshake(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		done()
		if done, err = g.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		done()
	})
}

// Refusing costs nearly nothing.
func BenchmarkRefuse(b *testing.B) {
	deny := make([]netip.Prefix, 100)
	for i := range deny {
		deny[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)
	}
	for name, from := range map[string]string{"denied": "10.99.0.1", "too often": "203.0.113.7"} {
		b.Run(name, func(b *testing.B) {
			g := NewGate(Limits{Rate: 1, Burst: 1}, prefixes("127.0.0.0/8"), deny, nil)
			addr := netip.MustParseAddr(from)
			for b.Loop() {
				v, _ := g.Enter(addr) // the first may be let in
				v.Leave()
			}
		})
	}
}
