package server_test

import (
	"errors"
	"io"
	"net"
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
		{"226", "ABOR"}, {"550", "RETR missing"}, {"227", "PASV"}, {"229", "EPSV"}, {"221", "QUIT"},
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
