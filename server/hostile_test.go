package server_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/server"
)

// Clients that only hold on to what they have. Each must go away by itself: the tests wait
// for that, however long it takes.

// drip sends bytes that never become a line, until the server has had enough.
func drip(conn net.Conn) (sent int) {
	for {
		if _, err := conn.Write([]byte("N")); err != nil {
			return sent
		}
		sent++
		time.Sleep(time.Millisecond)
	}
}

// A byte now and a byte then is no sign of life: neither before the login nor after it.
func TestSlowLoris(t *testing.T) {
	for name, limit := range map[string]func(*server.Options){
		"before the login": func(o *server.Options) { o.LoginTimeout, o.IdleTimeout = 100*time.Millisecond, time.Hour },
		"after it":         func(o *server.Options) { o.IdleTimeout = time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, limit)
			var c *client
			if name == "after it" {
				c = r.login("alice")
			} else {
				c = r.connect()
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				drip(c.conn)
			}()
			c.expect("421")
			_ = c.conn.Close()
			<-ended
			r.waitSessions(0)
		})
	}
}

// A line without an end takes no more memory than the longest that is understood, and a
// stranger may not go on with it for ever.
func TestLineWithoutEnd(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.BytesBeforeLogin = 16 << 10 })
	c := r.connect()
	garbage := bytes.Repeat([]byte("A"), 64<<10)
	for {
		if _, err := c.conn.Write(garbage); err != nil {
			break // it has been cut off
		}
	}
	r.waitSessions(0)
}

// Who asks for a data connection and does not open it waits for 425, and no longer.
func TestDataConnectionThatNeverComes(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.ConnectTimeout = 50 * time.Millisecond })
	c := r.login("alice")
	c.put("226", "STOR f", []byte("hello"))
	for _, command := range []string{"RETR f", "STOR g", "LIST", "MLSD"} {
		c.do("229", "EPSV")
		c.do("425", "%s", command)
	}
	c.do("550", "SIZE g")
	if got := c.get("RETR f"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

// A session may ask for as many ports as it likes: it holds one.
func TestPortsOfOneSession(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close() // the server is to have it
	r := newRig(t, func(o *server.Options) { o.PassiveFirst, o.PassiveLast = port, port })
	c := r.login("alice")
	for got := ""; !strings.HasPrefix(got, "229"); got = c.reply() { // another program may have it for a moment
		c.send("EPSV")
	}
	for range 500 {
		c.do("229", "EPSV")
	}
	c.put("226", "STOR f", []byte("hello"))
}

// Who opens a data connection and says nothing over it, or reads nothing, is cut off.
func TestSilentDataConnection(t *testing.T) {
	r := newRig(t, func(o *server.Options) {
		open := o.Driver
		o.Driver = func(ctx context.Context, deps driver.Deps, user *auth.User) (*driver.Driver, error) {
			d, err := open(ctx, deps, user)
			if err == nil {
				d.DataTimeout = 100 * time.Millisecond
			}
			return d, err
		}
	})
	c := r.login("alice")
	c.put("226", "STOR big", bytes.Repeat([]byte("x"), 16<<20))
	for _, command := range []string{"STOR f", "RETR big"} {
		data := c.passive()
		c.do("150", "%s", command)
		c.expect("426|451")
		_ = data.Close()
		c.do("200", "NOOP")
	}
	c.do("550", "SIZE f")
}

// Who does not read replies stops being heard: what waits for him is bounded, by what the
// kernel keeps and what is read ahead.
func TestRepliesThatNobodyReads(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	line := []byte(strings.Repeat("FEAT\r\n", 1000))
	var sent atomic.Int64
	stuck := func() bool { // nothing is taken any more
		_ = c.conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := c.conn.Write(line)
		sent.Add(int64(n))
		return err != nil
	}
	const most = 64 << 20 // far more than any socket buffer
	for !stuck() {
		if sent.Load() > most {
			t.Fatalf("%d bytes of commands were taken, and no reply was read", sent.Load())
		}
	}
	other := r.login("bob") // who does not mind
	other.do("257", "PWD")
	_ = c.conn.Close()
	r.waitSessions(1)
	_, _ = io.WriteString(other.conn, "QUIT\r\n") // it may be gone
	r.waitSessions(0)
}
