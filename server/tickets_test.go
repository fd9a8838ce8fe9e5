package server_test

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/spdscheme/spdserver/server"
)

// overTLS connects and logs in with TLS on both connections, and tells whether the control
// connection has resumed an earlier session.
func (r *rig) overTLS(config *tls.Config) (c *client, resumed bool) {
	r.t.Helper()
	c = r.connect()
	c.do("234", "AUTH TLS")
	conn := tls.Client(c.conn, config)
	c = newClient(r.t, conn)
	for _, e := range []exchange{{"331", "USER alice"}, {"230", "PASS alice"}, {"200", "PBSZ 0"}, {"200", "PROT P"}} {
		c.do(e.want, "%s", e.command)
	}
	c.tls = config
	return c, conn.ConnectionState().DidResume
}

// upload stores a file and tells whether its data connection has resumed a session.
func (c *client) upload(want string) (resumed bool) {
	c.t.Helper()
	conn := c.passive().(*tls.Conn)
	c.do("150", "STOR f")
	_, err := conn.Write([]byte("hello"))
	_ = conn.Close()
	if c.expect(want); err != nil && want == "226" {
		c.t.Fatal(err)
	}
	return conn.ConnectionState().DidResume
}

// eachTLS runs a test with a server that demands a certain reuse, and what clients use,
// for each version of TLS.
func eachTLS(t *testing.T, reuse server.SessionReuse, test func(r *rig, base *tls.Config, caching func() *tls.Config)) {
	cert := certificate(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			base := &tls.Config{Certificates: []tls.Certificate{cert}}
			r := newRig(t, func(o *server.Options) { o.TLS, o.TLSSessionReuse = base, reuse })
			test(r, base, func() *tls.Config {
				return &tls.Config{
					InsecureSkipVerify: true, ServerName: "spd", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(10),
				}
			})
		})
	}
}

func TestSessionReuse(t *testing.T) {
	for _, mode := range []struct {
		name    string
		reuse   server.SessionReuse
		resumes bool   // whoever can
		without string // the reply to who cannot
	}{
		{"prefer", server.ReusePrefer, true, "226"},
		{"require", server.ReuseRequire, true, "522"},
		{"off", server.ReuseOff, false, "226"},
	} {
		t.Run(mode.name, func(t *testing.T) {
			eachTLS(t, mode.reuse, func(r *rig, _ *tls.Config, caching func() *tls.Config) {
				alice := caching()
				c, resumed := r.overTLS(alice)
				if resumed {
					r.t.Error("resumed what has never been")
				}
				for range 3 {
					if c.upload("226") != mode.resumes {
						r.t.Errorf("resumed: %v", !mode.resumes)
					}
				}
				if got := c.get("RETR f"); got != "hello" {
					r.t.Errorf("got %q", got)
				}
				c.do("250", "DELE f")

				c.tls = caching() // knows nothing of the control connection
				c.upload(mode.without)
				c.do(map[string]string{"226": "213 5", "522": "550"}[mode.without], "SIZE f")

				other, _ := r.overTLS(caching())
				other.tls = alice // tickets of somebody else's session
				if other.upload(mode.without) {
					r.t.Error("resumed another control connection's session")
				}

				// A control connection may go on with an old session, and its data, too.
				alice.ClientSessionCache = oldTickets{alice.ClientSessionCache}
				again, resumed := r.overTLS(alice)
				if resumed != mode.resumes || again.upload("226") != mode.resumes {
					r.t.Errorf("the control connection is resumed: %v", resumed)
				}
			})
		})
	}
}

// oldTickets are those that a client has; it takes no new ones.
type oldTickets struct{ tls.ClientSessionCache }

func (oldTickets) Put(string, *tls.ClientSessionState) {}

// Active mode is no way around it.
func TestSessionReuseInActiveMode(t *testing.T) {
	eachTLS(t, server.ReuseRequire, func(r *rig, _ *tls.Config, caching func() *tls.Config) {
		c, _ := r.overTLS(caching())
		for config, want := range map[*tls.Config]string{c.tls: "226", caching(): "522"} {
			c.tls = config
			conn := c.begin("PORT", "STOR f").(*tls.Conn)
			if err := conn.Handshake(); err != nil {
				r.t.Fatal(err)
			}
			_ = conn.Close()
			c.expect("150")
			c.expect(want)
		}
	})
}

// Nodes with the same keys resume each other's sessions; a key may be followed by another
// while sessions go on.
func TestTicketKeys(t *testing.T) {
	today, tomorrow := [32]byte{1}, [32]byte{2}
	eachTLS(t, server.ReuseRequire, func(r *rig, base *tls.Config, caching func() *tls.Config) {
		base.SetSessionTicketKeys([][32]byte{today})
		alice := caching()
		c, _ := r.overTLS(alice)
		for _, other := range []struct {
			keys    [][32]byte
			resumed bool
		}{{[][32]byte{today}, true}, {[][32]byte{tomorrow, today}, true}, {[][32]byte{tomorrow}, false}} {
			r.t.Run(fmt.Sprint(len(other.keys), other.resumed), func(t *testing.T) {
				config := &tls.Config{Certificates: base.Certificates}
				config.SetSessionTicketKeys(other.keys)
				node := &rig{t: t, files: r.files, db: r.db}
				node.start("second", func(o *server.Options) { o.TLS, o.TLSSessionReuse = config, server.ReuseRequire })
				cache := caching()
				if _, resumed := r.overTLS(cache); resumed {
					t.Fatal("resumed what has never been")
				}
				c, resumed := node.overTLS(cache)
				if resumed != other.resumed {
					t.Errorf("resumed on another node: %v", resumed)
				}
				c.upload("226")
			})
		}
		base.SetSessionTicketKeys([][32]byte{tomorrow, today})
		c.get("NLST") // brings a new ticket
		base.SetSessionTicketKeys([][32]byte{tomorrow})
		c.upload("226")
		base.SetSessionTicketKeys([][32]byte{{3}})
		c.upload("522")
	})
}
