package integration

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// Five thousand clients that are logged in and say nothing: as many as a node takes by
// default. All are served when they do say something, and so is another's transfer.
func TestFiveThousandIdleSessions(t *testing.T) {
	t.Parallel()
	const count = 5000
	s := start(t, spdtest.Options{Plain: true, Config: map[string]string{"ftp.max_sessions": fmt.Sprint(count + 10)}})
	use := func() {
		c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
		c.Put("226", "STOR f", []byte("hello"))
		if got := c.Get("RETR f"); got != "hello" {
			t.Errorf("got %q", got)
		}
		c.Do("221", "QUIT")
		c.Closed()
	}
	use()
	before, empty := usageOf(t, s), metric(t, s.Admin(), "process_resident_memory_bytes")

	conns := make([]net.Conn, count)
	each := func(do func(i int) error) {
		t.Helper()
		var running sync.WaitGroup
		for i := range 50 {
			running.Go(func() {
				for ; i < count; i += 50 {
					if err := do(i); err != nil {
						t.Errorf("session %d: %v", i, err)
						return
					}
				}
			})
		}
		running.Wait()
	}
	each(func(i int) error { // and no more at once than may be there without a login
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = conn.Close() }) // it may have been closed
		_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
		conns[i] = conn
		return dialogue(conn, "", "220", "USER alice\r\n", "331", "PASS secret\r\n", "230")
	})
	if t.Failed() {
		return
	}
	spdtest.Await(t, "all sessions are there", func() error {
		return spdtest.Equal(metric(t, s.Admin(), "spd_sessions"), count)
	})
	use()
	grown := metric(t, s.Admin(), "process_resident_memory_bytes") - empty
	t.Logf("%.1f KiB a session", grown/count/1024)

	each(func(i int) error { return dialogue(conns[i], "NOOP\r\n", "200", "PWD\r\n", "257") })
	use()
	for _, conn := range conns {
		_ = conn.Close()
	}
	awaitUsage(t, s, before)
	use()
}

// dialogue says lines and reads replies of one line each, in turn.
func dialogue(conn net.Conn, pairs ...string) error {
	reply := make([]byte, 512)
	for i := 0; i < len(pairs); i += 2 {
		if _, err := conn.Write([]byte(pairs[i])); err != nil {
			return err
		}
		n := 0
		for n == 0 || reply[n-1] != '\n' {
			more, err := conn.Read(reply[n:])
			if err != nil {
				return fmt.Errorf("after %q: %w", pairs[i], err)
			}
			n += more
		}
		if got := string(reply[:n]); got[:3] != pairs[i+1] {
			return fmt.Errorf("%q: reply %q", pairs[i], got)
		}
	}
	return nil
}
