package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// An account made by hand, as the documentation says.
func TestAccountInsertedBySQL(t *testing.T) {
	t.Parallel()
	s := spdtest.Start(t, spdtest.Options{Servers: servers, Config: map[string]string{"s3.bucket": "spd"}})
	s.SQL(`INSERT INTO users (username, password, bucket, prefix, permissions, status) VALUES ('alice', '{plain}secret', 'spd', 'alice/', 'rw', 'active')`)
	for range 2 {
		curl(t, "-T", write(t, filepath.Join(t.TempDir(), "f"), []byte("hello")), s.URL()+"/f")
		if got := curl(t, s.URL()+"/f"); got != "hello" {
			t.Errorf("got %q", got)
		}
		if got := s.SQL("SELECT password FROM users"); !strings.HasPrefix(got, "$") || strings.Contains(got, "secret") {
			t.Errorf("the column holds %q, want a hash", got)
		}
	}
	if got := s.SQL("SELECT last_login_at IS NOT NULL FROM users"); got != "1" {
		t.Errorf("time of the login not noted: %q", got)
	}
	if strings.Contains(s.Log(), "secret") {
		t.Error("the log shows the password")
	}
}

func TestAccountsThatMayNot(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	try := func(want int) {
		t.Helper()
		if r := tryCurl(t, s.URL()+"/"); r.code != want {
			t.Errorf("exit code %d, want %d\n%s", r.code, want, r.stderr)
		}
	}
	const denied = 67 // CURLE_LOGIN_DENIED
	try(0)
	for _, change := range []struct{ to, back string }{
		{"status = 'suspended'", "status = 'active'"},
		{"expires_at = UTC_TIMESTAMP() - INTERVAL 1 MINUTE", "expires_at = UTC_TIMESTAMP() + INTERVAL 1 DAY"},
		{"allowed_cidrs = '10.0.0.0/8, 2001:db8::1'", "allowed_cidrs = '10.0.0.0/8,127.0.0.0/8'"},
		{"password = '{plain}other'", "password = '{plain}secret'"},
	} {
		t.Run(change.to, func(t *testing.T) {
			s.SQL("UPDATE users SET " + change.to)
			try(denied)
			s.SQL("UPDATE users SET " + change.back)
			try(0)
		})
	}
	// What the database takes and SPD does not: refused like a wrong password, and logged.
	s.SQL("UPDATE users SET allowed_cidrs = '127.0.0.0/99'")
	try(denied)
	s.AwaitLog("users.allowed_cidrs of alice")
	s.SQL("UPDATE users SET allowed_cidrs = NULL")
	try(0)
	if out, code := s.Run("user", "set", "alice", "--status", "suspended"); code != 0 {
		t.Errorf("user set: exit code %d\n%s", code, out)
	}
	try(denied)
	if out, code := s.Run("user", "del", "alice"); code != 0 {
		t.Errorf("user del: exit code %d\n%s", code, out)
	}
	try(denied)
}

func TestSecondPasswordIsReadOnly(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	if out, code := s.Run("user", "passwd", "alice", "--ro-password", "look"); code != 0 {
		t.Fatalf("user passwd: exit code %d\n%s", code, out)
	}
	file := write(t, filepath.Join(t.TempDir(), "f"), []byte("hello"))
	curl(t, "-T", file, s.URL()+"/f")
	if got := curl(t, "-u", "alice:look", s.URL()+"/f"); got != "hello" {
		t.Errorf("got %q", got)
	}
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "look")
	c.Put("550", "STOR f", []byte("changed"))
	c.Put("550", "STOR new", []byte("new"))
	c.Put("550", "APPE f", []byte("more"))
	for _, command := range []string{"DELE f", "MKD d", "MFMT 20200101000000 f"} {
		c.Do("550", "%s", command)
	}
	if reply := c.Do("350|550", "RNFR f"); strings.HasPrefix(reply, "350") {
		c.Do("550", "RNTO g")
	}
	if got := c.Get("NLST"); got != "f\r\n" {
		t.Errorf("files %q", got)
	}
	if got := curl(t, s.URL()+"/f"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestUsersNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	s.AddUser("bob", "hidden")
	s.AddUser("ali", "short") // a name that is the beginning of another
	alice := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	alice.Do("257", "MKD dir")
	alice.Put("226", "STOR dir/file", []byte("alice's"))
	for _, c := range []*spdtest.FTPClient{spdtest.LoginFTP(t, s.Addr(), "bob", "hidden"), spdtest.LoginFTP(t, s.Addr(), "ali", "short")} {
		if got := c.Get("LIST"); got != "" {
			t.Errorf("sees %q", got)
		}
		for _, path := range []string{"alice/dir/file", "/alice/dir/file", "../alice/dir/file", "/../../alice/dir/file", "ce/dir/file", "../ce/dir/file"} {
			c.Do("550", "SIZE %s", path)
			c.Do("550", "RNFR %s", path)
			c.Do("550", "DELE %s", path)
			c.Put("550", "RETR "+path, nil)
			c.Put("553", "STOR "+path, []byte("mine"))
		}
		for _, path := range []string{"alice", "/alice", "../alice", "../alice/dir", "..//alice"} {
			c.Do("550", "CWD %s", path)
		}
		c.Put("226", "STOR file", []byte("mine"))
		c.Do("350", "RNFR file")
		c.Do("553", "RNTO ../alice/dir/file")
	}
	if got := alice.Get("RETR dir/file"); got != "alice's" {
		t.Errorf("alice's file is %q", got)
	}
	if got := alice.Get("NLST"); got != "dir\r\n" {
		t.Errorf("alice sees %q", got)
	}
}

func TestTenNodesOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	dsn := servers.Database.NewDatabase()
	nodes := make([]*spdtest.SPD, 10)
	for i := range nodes {
		config := map[string]string{"s3.bucket": "ten-nodes", "log.level": "info"}
		nodes[i] = spdtest.Configure(t, spdtest.Options{Servers: servers, DSN: dsn, Config: config})
	}
	for _, s := range nodes {
		s.Serve()
	}
	for _, s := range nodes {
		s.AwaitReady()
	}
	nodes[0].AddUser("alice", "secret")
	var running sync.WaitGroup
	for i, s := range nodes {
		running.Go(func() {
			r := run(t, strings.NewReader("hello"), "curl", "-sS", "-u", "alice:secret", "-T", "-", fmt.Sprintf("%s/%d", s.URL(), i))
			if r.code != 0 {
				t.Errorf("node %d: exit code %d\n%s", i, r.code, r.stderr)
			}
		})
	}
	running.Wait()
	if got := curl(t, "-l", nodes[9].URL()+"/"); got != "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n" {
		t.Errorf("files %q", got)
	}
}
