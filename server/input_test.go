package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store/storetest"
)

// urgent sends bytes of which the last is urgent data (RFC 854, Synch).
func (c *client) urgent(data string) {
	c.t.Helper()
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.Send(int(fd), []byte(data), unix.MSG_OOB) })
	if err != nil {
		c.t.Fatal(err)
	}
}

// Clients send ABOR in several ways, of which Python's is the last.
func TestUrgentAbort(t *testing.T) {
	r := newRig(t, nil)
	for name, abort := range map[string]func(*client){
		"IP and DM in line":   func(c *client) { c.send("\xff\xf4\xff\xf2ABOR") },
		"urgent IAC, then DM": func(c *client) { c.urgent("\xff\xf4\xff"); c.send("\xf2ABOR") },
		"urgent DM":           func(c *client) { c.urgent("\xff\xf4\xff\xf2"); c.send("ABOR") },
		"all of it urgent":    func(c *client) { c.urgent("ABOR\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			c := r.login("alice")
			data := c.passive()
			c.do("150", "STOR f")
			_, _ = data.Write(make([]byte, 1000))
			abort(c)
			c.expect("426")
			c.expect("226")
			c.do("200", "NOOP")
			c.do("550", "SIZE f")
		})
	}
}

func TestAnotherProtocol(t *testing.T) {
	r := newRig(t, nil)
	for _, said := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER alice\r\nPASS alice\r\nMKD made\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n", "EHLO x\r\n", "OPTIONS sip:x SIP/2.0\r\n", "*1\r\n$4\r\nPING\r\n", "{\"id\":1}\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // a TLS hello, without a line end
	} {
		c := r.connect()
		if _, err := c.conn.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
		c.closed()
	}
	c := r.login("alice")
	c.do("550", "CWD made")
	c.do("500", "GET / HTTP/1.1") // a strange command now, and no more
	c.do("500", "Host: x")
	c.do("200", "NOOP")
}

// A name sent in clear may be that of somebody in the middle.
func TestUserIsForgottenByTLS(t *testing.T) {
	cert := certificate(t)
	r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	c := r.connect()
	c.do("331", "USER alice")
	c.do("234", "AUTH TLS")
	c = newClient(t, tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}))
	c.do("503", "PASS alice")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
}

// ABOR stops the transfer at once, even if other commands come first.
func TestAbortBehindOtherCommands(t *testing.T) {
	c := newRig(t, nil).login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	_, _ = data.Write(make([]byte, 1000))
	c.send("SIZE f\r\nPWD\r\nABOR\r\nNOOP")
	for _, want := range []string{"426", "550", "257", "226", "200"} {
		c.expect(want)
	}
}

// A client that is gone is noticed although nobody can take its lines.
func TestLossBehindManyLines(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	_, _ = data.Write(make([]byte, 1000))
	c.send("%s", strings.TrimSuffix(strings.Repeat("PWD\r\n", 1000), "\r\n"))
	_ = c.conn.Close()
	r.waitSessions(0)
	_, _ = data.Write(make([]byte, 1000))
	_ = data.Close()
	r.login("alice").do("550", "SIZE f")
}

// Commands said in advance are executed one after the other, however many.
func TestManyLinesBehindTransfer(t *testing.T) {
	c := newRig(t, nil).login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	c.send("%s", strings.TrimSuffix(strings.Repeat("PWD\r\nSIZE f\r\n", 100), "\r\n"))
	_, _ = data.Write([]byte("hello"))
	_ = data.Close()
	c.expect("226")
	for range 100 {
		c.expect("257")
		c.expect("213 5")
	}
}

// The store is not asked any longer for a client whose connection is broken.
func TestLossDuringCommand(t *testing.T) {
	r := newRig(t, nil)
	asked, ended := make(chan struct{}), make(chan struct{})
	r.files.Before = func(ctx context.Context, call storetest.Call) error {
		if call.Op != "Stat" || !strings.HasSuffix(call.Key, "slow") {
			return nil
		}
		close(asked)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	c := r.login("alice")
	c.send("SIZE slow\r\nQUIT")
	<-asked
	reset(c.conn)
	<-ended
	r.waitSessions(0)
}

// reset breaks a connection.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// A client that has said QUIT early and is killed has sent half a file.
func TestKilledBehindQuit(t *testing.T) {
	for name, kill := range map[string]func(c *client){
		"FIN":   func(c *client) { _ = c.conn.Close() },
		"reset": func(c *client) { reset(c.conn) },
		"FIN and reset": func(c *client) {
			_ = c.conn.(*net.TCPConn).CloseWrite()
			reset(c.conn)
		},
	} {
		for _, size := range []int{4, part + 4} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				r := newRig(t, nil)
				c := r.login("alice")
				data := c.passive()
				c.send("STOR f\r\nQUIT")
				c.expect("150")
				_, _ = data.Write(bytes.Repeat([]byte("x"), size))
				kill(c)
				_ = data.Close()
				r.waitSessions(0)
				r.login("alice").put("550", "RETR f", nil)
			})
		}
	}
}
