package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// What is wrong in a row is refused at the login and named in the log, even if it got past the
// database. Nothing is lost: with the row put right, everything is there.
func TestBadRows(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	file := write(t, filepath.Join(t.TempDir(), "f"), []byte("hello"))
	curl(t, "-T", file, s.URL()+"/f")
	s.SQL("INSERT INTO `groups` (name) VALUES ('inner'); INSERT INTO `groups` (name, parent) VALUES ('outer', 'inner'); " +
		"UPDATE users SET group_name = 'outer'")
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("('alice', '/m%d')", i)
	}
	set := func(value string) string { return "UPDATE users SET " + value }
	for _, bad := range []struct{ what, back, log string }{
		{set("permissions = 'all'"), set("permissions = NULL"), "users.permissions of alice"},
		{set("quota_bytes = -1"), set("quota_bytes = NULL"), "users.quota_bytes of alice"},
		{set("prefix = '../bob'"), set("prefix = 'alice/'"), "users.prefix of alice"},
		{set("bucket = NULL"), set("bucket = '" + s.Bucket + "'"), "users.bucket of alice"},
		{set("allowed_cidrs = '10.0.0.0/99'"), set("allowed_cidrs = NULL"), "users.allowed_cidrs of alice"},
		{set("denied_names = '[a-'"), set("denied_names = NULL"), "users.denied_names of alice"},
		{set("allowed_hours = 'Mon-Someday'"), set("allowed_hours = NULL"), "users.allowed_hours of alice"},
		{"UPDATE `groups` SET parent = 'outer' WHERE name = 'inner'", "UPDATE `groups` SET parent = NULL WHERE name = 'inner'", "the groups go round in a circle"},
		{"INSERT INTO mounts (username, path) VALUES ('alice', '/a'), ('alice', '/a/b')", "DELETE FROM mounts", "the mount /a/b lies within the mount /a"},
		{"INSERT INTO mounts (username, path) VALUES " + strings.Join(many, ","), "DELETE FROM mounts", "mounts.username of alice: more than 1000 rows"},
		{"INSERT INTO user_paths (username, pattern) VALUES ('alice', '/[')", "DELETE FROM user_paths", "user_paths.pattern of alice"},
	} {
		s.SQL("SET check_constraint_checks = 0; " + bad.what)
		if r := tryCurl(t, s.URL()+"/f"); r.code != 67 { // CURLE_LOGIN_DENIED
			t.Errorf("%.100s: exit code %d\n%s", bad.what, r.code, r.stderr)
		}
		s.AwaitLog(bad.log)
		s.SQL(bad.back)
		if got := curl(t, s.URL()+"/f"); got != "hello" {
			t.Errorf("%.100s: %q afterwards", bad.back, got)
		}
	}
	if strings.Contains(s.Log(), "secret") {
		t.Error("the log shows a password")
	}
}

// A bucket that does not exist is the store's fault, not the client's: 451, and the log names it.
func TestMissingBucket(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	curl(t, "-T", write(t, filepath.Join(t.TempDir(), "f"), []byte("hello")), s.URL()+"/f")
	s.SQL("INSERT INTO mounts (username, path, bucket) VALUES ('alice', '/away', 'missing-mount')")
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	c.Put("553", "STOR away/f", []byte("x"))
	if got := c.Get("RETR f"); got != "hello" {
		t.Errorf("beside the mount: %q", got)
	}
	c.Do("221", "QUIT")
	s.AwaitLog("missing-mount")
	s.SQL("UPDATE users SET bucket = 'missing-bucket'; DELETE FROM mounts")
	c = spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	c.Put("451", "STOR f", []byte("x"))
	c.Do("451", "SIZE f")
	c.Do("221", "QUIT")
	s.AwaitLog("missing-bucket")
	s.SQL("UPDATE users SET bucket = '" + s.Bucket + "'")
	if got := curl(t, s.URL()+"/f"); got != "hello" {
		t.Errorf("%q afterwards", got)
	}
}

// Names of accounts may hold what SQL, shells and terminals find special.
func TestOddNamesOfAccounts(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	names := []string{"O'Brien", `say "hi"`, "100%_", "😀 emoji", "x; DROP TABLE users; --", "客户", "a`b"}
	for _, name := range names {
		s.AddUser(name, "pass of "+name)
	}
	for i, name := range names {
		c := spdtest.LoginFTP(t, s.Addr(), name, "pass of "+name)
		c.Put("226", "STOR f", []byte(name))
		if got := c.Get("RETR f"); got != name {
			t.Errorf("%s: %q", name, got)
		}
		c.Do("221", "QUIT")
		other := spdtest.DialFTP(t, s.Addr())
		other.Do("331", "USER %s", name)
		other.Do("530", "PASS pass of %s", names[(i+1)%len(names)])
		other.Do("221", "QUIT")
	}
}
