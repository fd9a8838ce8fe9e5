package server_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/server"
)

// account is alice as a row of the database has her.
func account(change func(*auth.Account)) *auth.Account {
	a := &auth.Account{
		User:   auth.User{Name: "alice", Bucket: "spd", Prefix: "alice/", Permissions: auth.ReadWrite},
		Status: auth.Active,
	}
	if change != nil {
		change(a)
	}
	return a
}

func TestRefreshEndsSessions(t *testing.T) {
	for name, test := range map[string]struct {
		account *auth.Account
		err     error
		want    string
	}{
		"suspended":   {account(func(a *auth.Account) { a.Status = auth.Suspended }), nil, "may not be used"},
		"expired":     {account(func(a *auth.Account) { a.ExpiresAt = time.Now() }), nil, "may not be used"},
		"not from":    {account(func(a *auth.Account) { a.AllowedCIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }), nil, "may not be used"},
		"without TLS": {account(func(a *auth.Account) { a.TLSRequired = true }), nil, "may not be used"},
		"faulty":      {nil, errors.New("users.permissions"), "cannot be used"},
		"deleted":     {nil, nil, "deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			c, other := r.login("alice"), r.login("bob")
			r.server.Refresh("alice", test.account, test.err)
			r.server.Refresh("alice", test.account, test.err) // and again
			if reply := c.expect("421"); !strings.Contains(reply, test.want) {
				t.Errorf("reply %q, want %q", reply, test.want)
			}
			c.closed()
			other.do("200", "NOOP")
		})
	}
}

// What an account may, and when, goes by the clock that all nodes share.
func TestRefreshGoesByTheClockOfAll(t *testing.T) {
	shared := time.Now().Add(5 * time.Hour)
	r := newRig(t, func(o *server.Options) { o.Now = func() time.Time { return shared } })
	c := r.login("alice")
	r.server.Refresh("alice", account(func(a *auth.Account) { a.ExpiresAt = shared.Add(time.Second) }), nil)
	c.do("200", "NOOP")
	r.server.Refresh("alice", account(func(a *auth.Account) { a.ExpiresAt = shared }), nil)
	c.expect("421")
	c.closed()
}

func TestRefreshWithAnotherPassword(t *testing.T) {
	before := account(func(a *auth.Account) { a.Password = "{plain}one" })
	r := newRig(t, func(o *server.Options) {
		o.Login = func(context.Context, string, string, auth.Connection) (*auth.User, error) {
			return before.As(before.Prove(auth.MainPassword)), nil
		}
	})
	c := r.login("alice")
	r.server.Refresh("alice", before, nil)
	c.do("200", "NOOP")
	r.server.Refresh("alice", account(func(a *auth.Account) { a.Password = "{plain}two" }), nil)
	if reply := c.expect("421"); !strings.Contains(reply, "password") {
		t.Errorf("reply %q", reply)
	}
	c.closed()
}

// Other rights hold from the next command on; the session stays where it is.
func TestRefreshChangesRights(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.do("257", "MKD dir")
	c.do("250", "CWD dir")
	r.server.Refresh("alice", account(func(a *auth.Account) { a.Permissions = auth.ReadOnly }), nil)
	c.do("550", "MKD sub")
	if reply := c.do("257", "PWD"); !strings.Contains(reply, "/dir") {
		t.Errorf("reply %q", reply)
	}
	r.server.Refresh("alice", account(nil), nil)
	c.do("257", "MKD sub")
}

// A transfer in progress is interrupted, and nothing is published.
func TestKickInterruptsTransfers(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	if _, err := data.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	infos := r.server.Sessions()
	if len(infos) != 1 || infos[0].User != "alice" || infos[0].Verb != "STOR" || infos[0].Path != "f" || !infos[0].Remote.Addr().IsLoopback() {
		t.Fatalf("%+v", infos)
	}
	if !r.server.Kick(infos[0].ID, "Out with you") {
		t.Error("no such session")
	}
	c.expect("426")
	c.expect("421 Out with you")
	c.closed()
	r.login("alice").do("550", "SIZE f")
	if r.server.Kick("nobody", "") {
		t.Error("a session that is not there was kicked")
	}
}

// Admit and Left are asked and told once for each login, REIN included.
func TestAdmitAndLeft(t *testing.T) {
	var refusal error
	admitted, left := make(chan server.SessionInfo, 9), make(chan string, 9)
	r := newRig(t, func(o *server.Options) {
		o.Admit = func(_ context.Context, s server.SessionInfo, _ *auth.User) error {
			admitted <- s
			return refusal
		}
		o.Left = func(id string) { left <- id }
	})
	c := r.login("alice")
	first := <-admitted
	c.do("220", "REIN")
	c.do("331", "USER bob")
	c.do("230", "PASS bob")
	second := <-admitted
	c.do("221", "QUIT")
	c.closed()
	if first.User != "alice" || second.User != "bob" || first.ID != second.ID || <-left != first.ID || <-left != first.ID {
		t.Errorf("%+v, %+v", first, second)
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{server.ErrManyOfUser, "of this account"}, {server.ErrManyFromAddress, "from your address"}, {errors.New("away"), "not possible now"},
	} {
		refusal = test.err
		c := r.connect()
		c.do("331", "USER alice")
		if reply := c.do("421", "PASS alice"); !strings.Contains(reply, test.want) {
			t.Errorf("reply %q, want %q", reply, test.want)
		}
		c.closed()
	}
	if len(left) != 0 {
		t.Error("a session that was not admitted has left")
	}
}
