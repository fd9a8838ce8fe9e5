package server_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/guard"
	"github.com/spdscheme/spdserver/server"
)

func TestCommandsBeforeTheLogin(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.CommandsBeforeLogin = 6 })
	c := r.connect()
	for range 6 {
		c.do("200", "NOOP")
	}
	c.do("421", "NOOP")
	c.closed()
	c = r.login("alice") // two of six
	for range 20 {
		c.do("200", "NOOP")
	}
	c.do("220", "REIN")
	for range 6 {
		c.do("200", "NOOP")
	}
	c.do("421", "USER alice")
	c.closed()
}

func TestBytesBeforeTheLogin(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.BytesBeforeLogin = 2000 })
	for _, line := range []string{strings.Repeat("x", 5000), strings.Repeat("NOOP\r\n", 1000)} {
		c := r.connect()
		_, _ = fmt.Fprint(c.conn, line) // it may be cut off
		rest := make([]byte, 1<<20)
		for n := 0; ; {
			m, err := c.in.Read(rest)
			if n += m; err != nil {
				break
			}
			if n > 100_000 {
				t.Fatal("a stranger may say what he likes")
			}
		}
	}
	c := r.login("alice")
	for range 10 {
		c.do("550|553|501", "SIZE %s", strings.Repeat("x", 1000))
	}
}

func TestGateOfTheServer(t *testing.T) {
	gate := guard.NewGate(guard.Limits{PendingPerNetwork: 2}, nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.66/32")}, nil)
	r := newRig(t, func(o *server.Options) { o.Gate = gate })
	first, second := r.connect(), r.connect()
	r.dial(r.addr).expect("421")
	first.do("331", "USER alice")
	first.do("230", "PASS alice")
	third := r.connect()
	r.dial(r.addr).expect("421")
	second.do("221", "QUIT")
	second.closed()
	third.do("331", "USER alice")
	third.do("530", "PASS wrong")
	r.connect().do("221", "QUIT")
	if s := gate.Status(); s.TooManyOpen != 2 {
		t.Errorf("%+v", s)
	}
}

func TestDeniedNetworks(t *testing.T) {
	gate := guard.NewGate(guard.Limits{}, nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	r := newRig(t, func(o *server.Options) { o.Gate = gate })
	if conn, err := net.Dial("tcp", r.addr); err == nil { // or it is reset that soon
		newClient(t, conn).closed()
	}
	if s := gate.Status(); s.Denied != 1 || s.Pending != 0 {
		t.Errorf("%+v", s)
	}
}
