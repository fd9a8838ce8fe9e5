package main

import (
	"database/sql"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

func (c *userCLI) groupOK(args ...string) string {
	c.t.Helper()
	out, err := c.group(args...)
	if err != nil {
		c.t.Fatalf("group %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func TestGroupCommands(t *testing.T) {
	c := newUserCLI(t)
	c.groupOK("add", "company", "--bucket", "common", "--quota-bytes", "1GiB", "--note", "all of us")
	c.groupOK("add", "office", "--parent", "company", "--prefix", "office/%u", "--permissions", "ro")
	c.ok("add", "alice", "--password", "hunter2", "--group", "office", "--max-sessions", "3")
	c.expect(auth.Account{
		User: auth.User{
			Name: "alice", Bucket: "common", Prefix: "office/alice/", Permissions: auth.ReadOnly, QuotaBytes: 1 << 30, MaxSessions: 3,
		},
		Status: auth.Active, Group: "office",
	})
	out := c.ok("show", "alice")
	for _, want := range []string{
		`(?m)^quota_bytes +1GiB +from group company$`, `(?m)^permissions +ro +from group office$`, `(?m)^max_sessions +3$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("show lacks %s:\n%s", want, out)
		}
	}
	var shown struct {
		From map[string]string `json:"from_groups"`
	}
	if err := json.Unmarshal([]byte(c.ok("show", "alice", "--json")), &shown); err != nil || shown.From["bucket"] != "company" ||
		shown.From["max_sessions"] != "" {
		t.Errorf("%+v, %v", shown, err)
	}

	// What is given stays, even if it is nothing.
	c.ok("add", "bob", "--password", "hunter2", "--group", "office", "--prefix", "", "--quota-bytes", "0", "--bucket", "own")
	if bob := c.account("bob"); bob.Prefix != "" || bob.QuotaBytes != 0 || bob.Bucket != "own" || bob.Permissions != auth.ReadOnly {
		t.Errorf("bob: %+v", bob)
	}
	c.ok("set", "bob", "--inherit", "quota_bytes,prefix")
	if bob := c.account("bob"); bob.Prefix != "office/bob/" || bob.QuotaBytes != 1<<30 {
		t.Errorf("bob: %+v", bob)
	}
	c.groupOK("set", "office", "--permissions", "rw", "--status", "suspended")
	if bob := c.account("bob"); bob.Permissions != auth.ReadWrite || bob.Status != auth.Suspended {
		t.Errorf("bob: %+v", bob)
	}
	c.groupOK("set", "office", "--inherit", "permissions", "--status", "active")
	if out := c.groupOK("list"); !regexp.MustCompile(`(?m)^office +company +active +- +office/%u/ +-$`).MatchString(out) {
		t.Errorf("list:\n%s", out)
	}
	if out := c.groupOK("show", "company"); !regexp.MustCompile(`(?m)^note +all of us$`).MatchString(out) || strings.Contains(out, "prefix") {
		t.Errorf("show:\n%s", out)
	}

	for _, fail := range [][]string{
		{"no group lost", "show", "lost"},
		{"no group lost", "set", "lost", "--note", "x"},
		{"no group lost", "del", "lost"},
		{"exists already", "add", "office"},
		{"no parent of that name", "add", "new", "--parent", "lost"},
		{"take them out first", "del", "office"},
		{"take them out first", "del", "company"},
		{"nothing to change", "set", "office"},
		{"--allowed-hours", "add", "new", "--allowed-hours", "never"},
		{"--prefix", "add", "new", "--prefix", "../%u"},
		{"is a path", "add", "a/b"},
		{"cannot be inherited", "set", "office", "--inherit", "password"},
	} {
		if out, err := c.group(fail[1:]...); err == nil || !strings.Contains(err.Error(), fail[0]) {
			t.Errorf("group %s: %v, want %q\n%s", strings.Join(fail[1:], " "), err, fail[0], out)
		}
	}
	_ = c.fails("no group lost", "add", "carol", "--password", "hunter2", "--group", "lost")
	_ = c.fails("no such group", "set", "alice", "--group", "lost")
	c.ok("del", "bob")
	c.ok("set", "alice", "--group", "", "--bucket", "spd", "--prefix", "alice")
	c.groupOK("del", "office")
	if alice := c.account("alice"); alice.QuotaBytes != 0 || alice.Group != "" {
		t.Errorf("alice: %+v", alice)
	}
}

func TestUserConditions(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "alice", "--password", "hunter2", "--max-file-size", "1GiB", "--allowed-names", "*.pdf, *.xml", "--denied-names", ".*",
		"--allowed-hours", "Mon-Fri 08:00-18:00 Europe/Berlin", "--tls-required", "--client-cn", "scanner", "--note", "2nd floor",
		"--password-expires", "2099-12-31")
	hours, err := auth.ParseHours("Mon-Fri 08:00-18:00 Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Account{
		User: auth.User{
			Name: "alice", Bucket: "spd", Prefix: "alice/", Permissions: auth.ReadWrite, MaxFileSize: 1 << 30,
			AllowedNames: []string{"*.pdf", "*.xml"}, DeniedNames: []string{".*"}, AllowedHours: hours, TLSRequired: true, ClientCN: "scanner",
		},
		Status: auth.Active, Note: "2nd floor", PasswordExpiresAt: time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	expect := func() {
		t.Helper()
		got := c.account("alice")
		want.Password, want.CreatedAt, want.UpdatedAt = got.Password, got.CreatedAt, got.UpdatedAt
		c.expect(want)
		if !got.PasswordExpiresAt.Equal(want.PasswordExpiresAt) || got.Note != want.Note {
			t.Errorf("%+v", got)
		}
	}
	expect()
	c.ok("set", "alice", "--allowed-names", "", "--allowed-hours", "", "--tls-required=false", "--client-cn", "", "--max-file-size", "0")
	want.AllowedNames, want.AllowedHours, want.TLSRequired, want.ClientCN, want.MaxFileSize = nil, auth.Hours{}, false, "", 0
	expect()
	c.ok("passwd", "alice", "--password-expires", "never")
	want.PasswordExpiresAt = time.Time{}
	expect()
	if c.login("alice", "hunter2") != auth.ReadWrite {
		t.Error("the password was changed")
	}
	for _, args := range [][]string{
		{"--allowed-names", "set", "alice", "--allowed-names", "["},
		{"--denied-names", "set", "alice", "--denied-names", "a/b"},
		{"--allowed-hours", "set", "alice", "--allowed-hours", "Mon 25:00-26:00"},
		{"--password-expires", "passwd", "alice", "--password-expires", "soon"},
	} {
		_ = c.fails(args[0], args[1:]...)
	}
	expect()
}

// show has what is in other tables, too.
func TestUserShowParts(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "alice", "--password", "hunter2")
	execSQLite(t, strings.TrimPrefix(c.dsn, "sqlite://"),
		"INSERT INTO user_paths (username, pattern, permissions, hidden) VALUES ('alice', '/in', 'ro', 1)",
		"INSERT INTO mounts (username, path, bucket, prefix, read_only, quota, quota_bytes) VALUES ('alice', '/m', 'b', 'p/', 1, 'own', 1024)")
	out := c.ok("show", "alice")
	for _, want := range []string{"/in: ro, hidden", `/m: bucket b, prefix "p/", read-only, own quota of 1KiB and unlimited files`} {
		if !strings.Contains(out, want) {
			t.Errorf("show lacks %s:\n%s", want, out)
		}
	}
	var shown struct {
		Paths  []pathJSON  `json:"user_paths"`
		Mounts []mountJSON `json:"mounts"`
	}
	if err := json.Unmarshal([]byte(c.ok("show", "alice", "--json")), &shown); err != nil || len(shown.Paths) != 1 || !shown.Paths[0].Hidden ||
		len(shown.Mounts) != 1 || shown.Mounts[0].QuotaBytes != 1024 {
		t.Errorf("%+v, %v", shown, err)
	}
}

func execSQLite(t *testing.T, file string, statements ...string) {
	t.Helper()
	handle, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = handle.Close() }() // only a test's own
	for _, statement := range statements {
		if _, err := handle.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
