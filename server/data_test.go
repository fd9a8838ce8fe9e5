package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/server"
)

// dialFor connects to the port that a reply to PASV names, on a host.
func (c *client) dialFor(reply, host string) net.Conn {
	c.t.Helper()
	port, _ := parse227(c.t, reply)
	conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// loginIPv6 connects by IPv6 as a user.
func (r *rig) loginIPv6(name string) *client {
	r.t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.server.Serve(l) }()
	r.t.Cleanup(func() {
		r.server.Close()
		if err := <-done; !errors.Is(err, server.ErrClosed) {
			r.t.Errorf("serve: %v", err)
		}
	})
	c := r.dial(l.Addr().String())
	c.expect("220")
	c.do("331", "USER %s", name)
	c.do("230", "PASS %s", name)
	return c
}

// PASV cannot name an IPv6 address; clients connect to where they are connected to.
func TestPASVOnIPv6(t *testing.T) {
	c := newRig(t, nil).loginIPv6("alice")
	c.put("226", "STOR f", []byte("hello"))
	reply := c.do("227", "PASV")
	if _, host := parse227(t, reply); host != "0.0.0.0" {
		t.Errorf("host %s", host)
	}
	conn := c.dialFor(reply, "::1")
	c.do("150", "RETR f")
	if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	c.expect("226")
}

// A client that waits on its data connection sees the end of it when there will be no
// transfer.
func TestDataConnectionWithoutTransfer(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for _, end := range []struct{ want, command string }{
		{"225", "ABOR"}, {"550", "RETR missing"}, {"227", "PASV"}, {"229", "EPSV"}, {"221", "QUIT"},
	} {
		conn := c.dialFor(c.do("227", "PASV"), "127.0.0.1")
		c.send("%s", end.command)
		if reply := c.expect("150|" + end.want); reply[:3] == "150" {
			c.expect(end.want)
		}
		if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
			t.Errorf("%s: %q, %v", end.command, got, err)
		}
	}
}

func TestDataPortCommands(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.talk([]exchange{
		{"229", "EPSV"}, {"229", "EPSV 1"}, {"522 Network protocol not supported, use (1)", "EPSV 2"}, {"522", "EPSV 3"}, {"501", "EPSV x"}, {"501", "EPSV -1"},
		{"522 Network protocol not supported, use (1)", "EPRT |2|::1|5000|"}, {"522", "EPRT |3|127.0.0.1|5000|"}, {"501", "EPRT"}, {"501", "EPRT |1|127.0.0.1|5000|x"},
		{"501", "PORT 127,0,0,01,200,1"}, {"501", "PORT 127,0,0,1,200"}, {"500", "PORT 127,0,0,1,3,255"}, {"200", "PORT 127,0,0,1,4,0"}, {"500", "EPRT |1|127.0.0.1|1023|"},
		{"200", "epsv all"}, {"503", "PASV"}, {"503", "PORT 127,0,0,1,200,1"}, {"503", "EPRT |1|127.0.0.1|5000|"}, {"229", "EPSV"},
	}...)
	c.put("226", "STOR f", []byte("x")) // by EPSV

	c = newRig(t, nil).loginIPv6("alice")
	c.talk([]exchange{
		{"229", "EPSV 2"}, {"522 Network protocol not supported, use (2)", "EPSV 1"}, {"522", "EPRT |1|127.0.0.1|5000|"}, {"522", "PORT 127,0,0,1,200,1"}, {"200", "EPRT |2|::1|5000|"},
	}...)

	c = newRig(t, func(o *server.Options) { o.ActiveMode = false }).login("alice")
	c.talk(exchange{"502", "PORT 127,0,0,1,200,1"}, exchange{"502", "EPRT |1|127.0.0.1|5000|"}, exchange{"229", "EPSV"})
}

func TestProtectionCommands(t *testing.T) {
	cert := certificate(t)
	r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	c := r.connect()
	c.talk(exchange{"503", "PBSZ 0"}, exchange{"503", "PROT P"}, exchange{"501", "AUTH"}, exchange{"504", "AUTH GSSAPI"}, exchange{"234", "AUTH TLS-C"})
	c = newClient(t, tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}))
	c.talk([]exchange{
		{"503", "PROT P"}, {"503", "PROT"},
		{"501", "PBSZ"}, {"501", "PBSZ x"}, {"501", "PBSZ -1"}, {"501", "PBSZ 4294967296"}, {"503", "PROT P"},
		{"200 PBSZ=0", "PBSZ 4294967295"}, {"200 PBSZ=0", "PBSZ 0"},
		{"501", "PROT"}, {"504", "PROT X"}, {"536", "PROT S"}, {"536", "PROT e"}, {"200", "PROT p"}, {"200", "PROT C"}, {"533", "CCC"},
	}...)

	conn, err := tls.Dial("tcp", r.listen(r.server.ServeTLS), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c = newClient(t, conn)
	c.expect("220")
	c.talk(exchange{"503", "AUTH TLS"}, exchange{"200", "PROT P"}) // nobody says PBSZ there
}

// PASV names the address by which the client's network reaches the server.
func TestPublicIP(t *testing.T) {
	r := newRig(t, func(o *server.Options) {
		o.PublicIP = func(client netip.Addr) (netip.Addr, bool) {
			return netip.MustParseAddr("192.0.2.1"), client == netip.MustParseAddr("127.0.0.2")
		}
	})
	for from, want := range map[string]string{"127.0.0.1": "127.0.0.1", "127.0.0.2": "192.0.2.1"} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := dialer.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, conn)
		c.expect("220")
		c.do("331", "USER alice")
		c.do("230", "PASS alice")
		if _, host := parse227(t, c.do("227", "PASV")); host != want {
			t.Errorf("from %s: %s, want %s", from, host, want)
		}
		_ = conn.Close()
	}
}

// Clients that use TYPE A for everything cannot spoil files where ftp.ascii says so.
func TestASCII(t *testing.T) {
	const text = "one\r\ntwo\nthree\rfour\r\n"
	for _, mode := range []struct {
		binary      bool
		stored, got string
		checks      []exchange
	}{
		{true, text, text, []exchange{{"213 21", "SIZE f"}, {"350", "REST 3"}, {"350", "REST 0"}, {"200", "ALLO 21"}}},
		{false, "one\ntwo\nthree\rfour\n", "one\r\ntwo\r\nthree\rfour\r\n", []exchange{{"550", "SIZE f"}, {"501", "REST 3"}, {"202", "ALLO 21"}}},
	} {
		c := newRig(t, func(o *server.Options) { o.ASCIIBinary = mode.binary }).login("alice")
		c.do("200", "TYPE A")
		c.put("226", "STOR f", []byte(text))
		c.talk(mode.checks...)
		if got := c.get("RETR f"); got != mode.got {
			t.Errorf("binary %v: TYPE A: %q", mode.binary, got)
		}
		c.do("200", "TYPE I")
		if got := c.get("RETR f"); got != mode.stored {
			t.Errorf("binary %v: stored %q", mode.binary, got)
		}
	}
}

// Sessions that say EPSV and nothing more cannot use up the range.
func TestPassiveRangeIsShared(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	r := newRig(t, func(o *server.Options) {
		o.PassiveFirst, o.PassiveLast, o.ConnectTimeout = port, port, 100*time.Millisecond
	})
	idle, busy := r.login("alice"), r.login("alice")
	idle.do("425", "EPSV") // another program has the port
	_ = l.Close()
	for got := ""; !strings.HasPrefix(got, "229"); got = idle.reply() {
		idle.send("EPSV")
	}
	for got := ""; !strings.HasPrefix(got, "229"); got = busy.reply() {
		busy.send("EPSV")
	}
	idle.do("425", "LIST")
	idle.do("200", "NOOP")
}
