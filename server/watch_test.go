package server_test

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/server"
)

// ABOR is seen behind whatever else waits for the transfer's end; all of it is answered, in
// order.
func TestAbortBehindManyCommands(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	const lines = 5_000
	c.send("%sABOR", strings.Repeat("SIZE f\r\n", lines))
	if _, err := io.ReadAll(data); err != nil {
		t.Fatal(err)
	}
	c.expect("426")
	for range lines {
		c.expect("550")
	}
	c.expect("226 ABOR")
	c.do("257", "PWD")
}

// What waits for its turn takes a bounded amount of memory; what does not fit stays with the
// client, and is answered all the same.
func TestMoreCommandsThanCanWait(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	const lines = 40_000
	go func() { _, _ = io.WriteString(c.conn, strings.Repeat("TYPE I\r\n", lines)) }()
	time.Sleep(50 * time.Millisecond) // so that most have come
	_ = data.Close()
	c.expect("226")
	for range lines {
		c.expect("200")
	}
	c.do("257", "PWD")
}

// A command that reads a whole file can be aborted, and what asks for nothing is answered
// meanwhile.
func TestAbortHash(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("hello"))
	asked, gaveUp := r.hangingStore("Open")
	c.send("XSHA512 f")
	<-asked
	c.do("200", "NOOP")
	c.do("211", "STAT")
	c.do("426", "ABOR")
	c.expect("226")
	<-gaveUp
	c.do("257", "PWD")
}

// Commands that were sent together are answered in order, even if the first takes long.
func TestNothingOvertakesPipelinedHash(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("hello"))
	r.hangingStore("Open")
	c.send("XSHA512 f\r\nNOOP\r\nABOR")
	c.expect("426")
	c.expect("200")
	c.expect("226")
}

// A client that vanishes while a command has the store hang is noticed.
func TestLossDuringHash(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("hello"))
	asked, gaveUp := r.hangingStore("Open")
	c.send("XSHA512 f")
	<-asked
	_ = c.conn.Close()
	<-gaveUp
	r.waitSessions(0)
}

// The watch ends by a deadline, often in the middle of a TLS record or of a line. Neither is
// lost.
func TestWatchLosesNoByte(t *testing.T) {
	cert := certificate(t)
	for _, how := range []string{"plain", "TLS"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
			c := r.connect()
			if how == "TLS" {
				c.do("234", "AUTH TLS")
				c = newClient(t, tls.Client(&slowWriter{Conn: c.conn}, &tls.Config{InsecureSkipVerify: true}))
			}
			c.do("331", "USER alice")
			c.do("230", "PASS alice")
			for range 10 {
				data := c.passive()
				c.do("150", "STOR f")
				time.Sleep(20 * time.Millisecond) // a watch reads
				half := make(chan struct{})
				go func() {
					defer close(half)
					_, _ = io.WriteString(c.conn, "SIZ")
					_, _ = io.WriteString(c.conn, "E f\r\nPWD\r\n")
				}()
				_, _ = data.Write([]byte("hello"))
				_ = data.Close()
				c.expect("226")
				<-half
				c.expect("213 5")
				c.expect("257")
			}
		})
	}
}
