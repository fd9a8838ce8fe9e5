package server_test

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestReinitialize(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("0123456789"))
	c.do("257", "MKD d")
	c.do("250", "CWD d")
	c.do("200", "TYPE A")
	c.do("200", "EPSV ALL")
	c.do("220", "REIN")
	for _, command := range []string{"PWD", "SIZE /f", "LIST", "RETR /f", "EPSV", "TYPE I", "MLST /", "STAT /", "SITE HELP", "RNFR /f", "NONSENSE /f"} {
		c.do("530|500", "%s", command)
	}
	c.do("503", "PASS alice")
	c.do("331", "USER bob")
	c.do("230", "PASS bob")
	c.do(`257 "/" `, "PWD")
	c.do("550", "SIZE f")
	c.do("220", "REIN")
	c.do("220", "REIN")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
	c.do("213 10", "SIZE f") // in TYPE I
	c.do("227", "PASV")
}

// REIN waits for the transfer (RFC 959, 4.1.1).
func TestReinitializeBehindTransfer(t *testing.T) {
	c := newRig(t, nil).login("alice")
	data := c.passive()
	c.send("STOR f\r\nREIN\r\nUSER alice\r\nPASS alice\r\nSIZE f")
	c.expect("150")
	_, _ = data.Write([]byte("hello"))
	_ = data.Close()
	for _, want := range []string{"226", "220", "331", "230", "213 5"} {
		c.expect(want)
	}
}

// A user's session that has ended by REIN is not counted any more.
func TestReinitializeFreesTheSession(t *testing.T) {
	r := newRig(t, func(o *server.Options) {
		o.Login = func(ctx context.Context, name, pass string, conn auth.Connection) (*auth.User, error) {
			user, err := loginByName(ctx, name, pass, conn)
			if user != nil {
				user.MaxSessions = 1
			}
			return user, err
		}
	})
	c := r.login("alice")
	c.do("220", "REIN")
	r.login("alice")
	c.do("331", "USER alice")
	c.do("421", "PASS alice")
}

// AUTH TLS may follow at once: nothing behind it is read ahead.
func TestTLSBehindReinitialize(t *testing.T) {
	cert := certificate(t)
	r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	c := r.login("alice")
	c.send("REIN\r\nAUTH TLS")
	c.expect("220")
	c.expect("234")
	c = newClient(t, tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}))
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
}

// The time for a login begins anew, but only after one.
func TestReinitializeAndLoginTimeout(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.LoginTimeout = 500 * time.Millisecond })
	c := r.connect()
	for {
		c.send("REIN")
		if reply := c.reply(); reply[:3] == "421" {
			break
		}
	}
	c.closed()
}

func TestNonsense(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for range 3 {
		for range 49 {
			c.do("500", "NONSENSE")
		}
		c.do("200", "NOOP")
	}
	for range 50 {
		c.do("500", "NONSENSE")
	}
	c.expect("421")
	c.closed()
}

// A mistake of ours ends the session that it concerns, and no other.
func TestPanic(t *testing.T) {
	r := newRig(t, nil)
	r.files.Before = func(context.Context, storetest.Call) error { panic("a mistake") }
	other := r.login("bob")
	for _, command := range []string{"SIZE f", "RETR f"} {
		c := r.login("alice")
		_ = c.passive()
		c.send("%s", command)
		c.expect("421")
		c.closed()
	}
	other.do("257", "PWD")
	r.waitSessions(1)
}
