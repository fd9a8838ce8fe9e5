package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store/storetest"
)

// hangingStore makes a store hang in one call, until whoever asks gives up.
func (r *rig) hangingStore(op string) (asked, gaveUp chan struct{}) {
	asked, gaveUp = make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.files.Before = func(ctx context.Context, call storetest.Call) error {
		if call.Op != op {
			return nil
		}
		once.Do(func() {
			close(asked)
			<-ctx.Done()
			close(gaveUp)
		})
		return ctx.Err()
	}
	return asked, gaveUp
}

// A transfer that the store keeps from beginning blocks nothing, and can be aborted.
func TestAbortBeforeTransferBegins(t *testing.T) {
	for command, op := range map[string]string{"RETR f": "Open", "APPE f": "Stat", "LIST": "List", "MLSD d": "List", "NLST d": "List"} {
		t.Run(command, func(t *testing.T) {
			r := newRig(t, nil)
			c := r.login("alice")
			asked, gaveUp := r.hangingStore(op)
			_ = c.passive()
			c.send("%s", command)
			<-asked
			c.do("200", "NOOP")
			c.do("211", "STAT")
			c.do("426", "ABOR")
			c.expect("226")
			<-gaveUp
			c.do("257", "PWD")
		})
	}
}

func TestLossBeforeTransferBegins(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	asked, gaveUp := r.hangingStore("Open")
	_ = c.passive()
	c.send("RETR f")
	<-asked
	_ = c.conn.Close()
	<-gaveUp
	r.waitSessions(0)
}

// A file that is there already when ABOR comes is told to be there.
func TestAbortThatComesTooLate(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	r.files.After = func(_ context.Context, call storetest.Call, err error) error {
		if call.Op == "Put" {
			c.send("ABOR")
			_, _ = io.ReadAll(data) // until ABOR has been noticed
		}
		return err
	}
	c.do("150", "STOR f")
	_, _ = data.Write([]byte("hello"))
	_ = data.(*net.TCPConn).CloseWrite()
	c.expect("226 Transfer")
	c.expect("226 ABOR")
	c.do("213 5", "SIZE f")
}

// A client that sends nothing learns at once that it may not store what it would send.
func TestRefusedUploadIsToldAtOnce(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.do("257", "MKD d")
	for _, path := range []string{"d", "missing/f"} {
		_ = c.passive()
		c.send("STOR %s", path)
		if first := c.reply(); strings.HasPrefix(first, "150") {
			c.expect("550|553")
		} else if !strings.HasPrefix(first, "55") {
			t.Errorf("STOR %s: %q", path, first)
		}
	}
}

// The log tells why a transfer has ended early, not what came of it on the data connection.
func TestReasonsInTheLog(t *testing.T) {
	for reason, end := range map[string]func(*client, net.Conn){
		"aborted by the client":     func(c *client, _ net.Conn) { c.do("426", "ABOR") },
		"control connection closed": func(c *client, _ net.Conn) { _ = c.conn.Close() },
	} {
		t.Run(reason, func(t *testing.T) {
			var log bytes.Buffer
			r := newRig(t, func(o *server.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			c := r.login("alice")
			data := c.passive()
			c.do("150", "STOR f")
			_, _ = data.Write([]byte("hello"))
			end(c, data)
			_, _ = io.ReadAll(data)
			_ = c.conn.Close()
			r.waitSessions(0)
			if !strings.Contains(log.String(), `verb=STOR`) || !strings.Contains(log.String(), `err="`+reason+`"`) {
				t.Error(log.String())
			}
		})
	}
}
