package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/server"
)

// header is a PROXY header for a client's connection to 198.51.100.1:21.
func header(t *testing.T, version byte, client string) []byte {
	t.Helper()
	from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client))
	to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("198.51.100.1:21"))
	if from.IP.To4() == nil {
		to = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[2001:db8::1]:21"))
	}
	raw, err := proxyproto.HeaderProxyFromAddrs(version, from, to).Format()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// behindBalancer is a rig that trusts loopback, and tells whom it has let in.
func behindBalancer(t *testing.T, change func(*server.Options)) (r *rig, from *atomic.Pointer[netip.Addr]) {
	t.Helper()
	from = new(atomic.Pointer[netip.Addr])
	r = newRig(t, func(o *server.Options) {
		o.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		o.ConnectTimeout = time.Second
		login := o.Login
		o.Login = func(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error) {
			from.Store(&conn.From)
			return login(ctx, name, password, conn)
		}
		if change != nil {
			change(o)
		}
	})
	return r, from
}

// by connects as a balancer that says something first.
func (r *rig) by(addr string, first []byte) *client {
	r.t.Helper()
	c := r.dial(addr)
	if _, err := c.conn.Write(first); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// passiveBy opens a data connection by way of a balancer.
func (c *client) passiveBy(first []byte) net.Conn {
	c.t.Helper()
	conn := c.passive()
	if _, err := conn.Write(first); err != nil {
		c.t.Fatal(err)
	}
	return conn
}

func TestClientsBehindABalancer(t *testing.T) {
	for _, version := range []byte{1, 2} {
		for _, ip := range []string{"203.0.113.7", "2001:db8::7"} {
			r, from := behindBalancer(t, nil)
			first := header(t, version, netip.AddrPortFrom(netip.MustParseAddr(ip), 4711).String())
			c := r.by(r.addr, append(first, "USER alice\r\n"...)) // in one packet: nothing may be lost
			c.expect("220")
			c.expect("331")
			c.do("230", "PASS alice")
			if got := from.Load().String(); got != ip {
				t.Errorf("version %d: the client is %s, not %s", version, got, ip)
			}
			if infos := r.server.Sessions(); len(infos) != 1 || infos[0].Remote.String() != netip.AddrPortFrom(netip.MustParseAddr(ip), 4711).String() {
				t.Errorf("sessions: %+v", infos)
			}
			if got := c.do("227", "PASV"); ip == "203.0.113.7" && !strings.Contains(got, "(198,51,100,1,") {
				t.Errorf("PASV names another address than the client has connected to: %s", got)
			}
			// Data connections: of the client, with a command's bytes right behind the header;
			// not of another client; and not without a header.
			_ = c.passive().Close()
			c.do("425", "STOR f")

			stranger := c.passiveBy(header(t, version, netip.AddrPortFrom(netip.MustParseAddr("203.0.113.8"), 1).String()))
			own := sibling(t, stranger)
			if _, err := own.Write(append(header(t, version, netip.AddrPortFrom(netip.MustParseAddr(ip), 4712).String()), "hello"...)); err != nil {
				t.Fatal(err)
			}
			c.do("150", "STOR f")
			_ = own.Close()
			c.expect("226")
			if got, err := io.ReadAll(stranger); len(got) > 0 {
				t.Errorf("a stranger got %q, %v", got, err)
			}
			back := c.passiveBy(first)
			c.do("150", "RETR f")
			if got, err := io.ReadAll(back); string(got) != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			c.expect("226")
		}
	}
}

// sibling is one more connection to where conn leads.
func sibling(t *testing.T, conn net.Conn) net.Conn {
	t.Helper()
	other, err := net.Dial("tcp", conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	_ = other.SetDeadline(time.Now().Add(patience))
	return other
}

// What is no header ends the connection, without a word; and a balancer may look whether the
// server is alive.
func TestBalancerWithoutHeader(t *testing.T) {
	r, _ := behindBalancer(t, nil)
	long := append([]byte(nil), proxyproto.SIGV2...)
	for name, first := range map[string][]byte{
		"a command":              []byte("USER alice\r\nPASS alice\r\n"),
		"a line without an end":  append([]byte("PROXY TCP4 "), bytes.Repeat([]byte("1"), 200)...),
		"no addresses":           []byte("PROXY TCP4 here there 1 2\r\n"),
		"version 2, endless":     append(long, 0x21, 0x11, 0xff, 0xff),
		"version 2, of nonsense": append(long, 0xff, 0xff, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
	} {
		t.Run(name, func(t *testing.T) { r.by(r.addr, first).closed() })
	}
	local, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}).Format()
	if err != nil {
		t.Fatal(err)
	}
	r.by(r.addr, local).expect("220")
	r.by(r.addr, []byte("PROXY UNKNOWN\r\n")).expect("220")
}

// A header that never comes holds up neither others nor the end of the server.
func TestHeaderThatNeverComes(t *testing.T) {
	r, _ := behindBalancer(t, nil)
	silent := r.by(r.addr, []byte("PROXY"))
	r.by(r.addr, header(t, 2, "203.0.113.7:1")).expect("220")
	began := time.Now()
	r.server.Close()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the end took %v", took)
	}
	silent.closed()
}

// Others than the balancer cannot say who they are.
func TestHeaderOfAStranger(t *testing.T) {
	r := newRig(t, func(o *server.Options) {
		o.ProxyProtocolFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	})
	for _, version := range []byte{1, 2} {
		c := r.connect()
		if _, err := c.conn.Write(header(t, version, "203.0.113.7:1")); err != nil {
			t.Fatal(err)
		}
		if rest, _ := io.ReadAll(c.in); strings.Contains(string(rest), "331") || strings.Contains(string(rest), "220") {
			t.Errorf("version %d: %q", version, rest)
		}
	}
}

func TestImplicitTLSBehindABalancer(t *testing.T) {
	dir := t.TempDir()
	spdtest.NewCertificate(t, dir+"/cert.pem", dir+"/key.pem")
	cert, err := tls.LoadX509KeyPair(dir+"/cert.pem", dir+"/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	r, from := behindBalancer(t, func(o *server.Options) {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	plain := r.by(r.listen(r.server.ServeTLS), header(t, 2, "203.0.113.7:4711"))
	c := newClient(t, tls.Client(plain.conn, &tls.Config{InsecureSkipVerify: true}))
	c.expect("220")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
	if got := from.Load().String(); got != "203.0.113.7" {
		t.Errorf("the client is %s", got)
	}
}
