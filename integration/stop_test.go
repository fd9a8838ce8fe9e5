package integration

import (
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

func TestTransfersFinishBeforeTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	idle := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	busy := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	addr, admin := s.Addr(), s.Admin()
	content := strings.Repeat("0123456789abcdef", 1<<20)
	data := busy.Passive()
	busy.Do("150", "STOR f")
	send(t, data, content[:len(content)/2])

	s.Signal(syscall.SIGTERM)
	s.AwaitLog("draining")
	idle.Expect("421")
	idle.Closed()
	if status, body := get(t, admin+"/readyz"); status != 503 || !strings.Contains(body, "draining") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("new clients are let in")
	}
	send(t, data, content[len(content)/2:])
	_ = data.Close()
	busy.Expect("226")
	busy.Expect("421")
	busy.Closed()
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	s.Serve()
	spdtest.Await(t, "the node is there again", func() error {
		return spdtest.Equal(s.Addr() != "", true)
	})
	if got := curl(t, s.URL()+"/f"); got != content {
		t.Errorf("the file has %d bytes", len(got))
	}
}

// While balancers have not noticed, a node that drains is as ever for those who come.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{Config: map[string]string{"ftp.drain_delay": "1h"}})
	before := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	s.Signal(syscall.SIGTERM)
	s.AwaitLog("draining")
	if status, body := get(t, s.Admin()+"/readyz"); status != 503 || !strings.Contains(body, "draining") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	awaitSQL(t, s, "SELECT draining FROM nodes", "1")
	before.Do("200", "NOOP")
	late := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	late.Put("226", "STOR f", []byte("content"))
	if got := late.Get("RETR f"); got != "content" {
		t.Errorf("a client that came late got %q", got)
	}
	s.Signal(syscall.SIGTERM) // else it takes an hour
	s.Wait()
}

func TestDrainDelayEnds(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{Config: map[string]string{"ftp.drain_delay": "100ms"}})
	idle := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	s.Signal(syscall.SIGTERM)
	idle.Expect("421")
	idle.Closed()
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{Config: map[string]string{"ftp.drain_timeout": "1h"}})
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	c.Passive()
	c.Do("150", "STOR f")
	s.Signal(syscall.SIGTERM)
	s.AwaitLog("draining")
	s.Signal(syscall.SIGTERM)
	if code := s.Wait(); code == 0 {
		t.Error("exit code 0, though a transfer was cut off")
	}
}

func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{Config: map[string]string{"ftp.drain_timeout": "100ms"}})
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	send(t, c.Passive(), "half a file")
	c.Do("150", "STOR f")
	s.Signal(syscall.SIGTERM)
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.Serve()
	if r := tryCurl(t, s.URL()+"/f"); r.code != 78 {
		t.Errorf("the cut file: exit code %d\n%s", r.code, r.stderr)
	}
}
