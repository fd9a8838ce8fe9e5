package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

// userCLI runs "spdserver user ..." on a database of its own.
type userCLI struct {
	t      *testing.T
	dsn    string
	stdin  string
	scheme string
}

func newUserCLI(t *testing.T) *userCLI {
	return &userCLI{t: t, dsn: "sqlite://" + filepath.Join(t.TempDir(), "spd.db"), scheme: auth.DefaultScheme}
}

func (c *userCLI) open(ctx context.Context) (*db.DB, error) {
	accounts, err := db.Open(ctx, c.dsn, db.Options{})
	if err != nil {
		return nil, err
	}
	return accounts, accounts.Migrate(ctx)
}

func (c *userCLI) run(args ...string) (string, error) {
	return c.execute(newUserCommand(userCommands{
		databaseCommands: databaseCommands{c.open},
		defaultBucket:    func() string { return "spd" }, scheme: func() string { return c.scheme },
	}), args...)
}

// group runs "spdserver group ...".
func (c *userCLI) group(args ...string) (string, error) {
	return c.execute(newGroupCommand(databaseCommands{c.open}), args...)
}

func (c *userCLI) execute(cmd *cobra.Command, args ...string) (string, error) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(c.stdin))
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(c.t.Context())
	return out.String(), err
}

func (c *userCLI) ok(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatalf("user %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (c *userCLI) fails(want string, args ...string) error {
	c.t.Helper()
	out, err := c.run(args...)
	if err == nil || !strings.Contains(err.Error(), want) {
		c.t.Errorf("user %s: %v, want %q\n%s", strings.Join(args, " "), err, want, out)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		c.t.Errorf("user %s: the error shows a password: %v", strings.Join(args, " "), err)
	}
	return err
}

func (c *userCLI) account(name string) *auth.Account {
	c.t.Helper()
	accounts, err := c.open(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = accounts.Close() }() // only read from
	a, err := accounts.Find(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// permissions of a login with that password; 0 if it is refused.
func (c *userCLI) login(name, pass string) auth.Permissions {
	c.t.Helper()
	accounts, err := c.open(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = accounts.Close() }() // only read from
	user, err := auth.New(accounts, auth.Options{}).Login(c.t.Context(), name, pass, auth.Connection{From: netip.MustParseAddr("192.0.2.1")})
	if errors.Is(err, auth.ErrDenied) {
		return 0
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return user.Permissions
}

func (c *userCLI) expect(want auth.Account) {
	c.t.Helper()
	diff := cmp.Diff(want, *c.account(want.Name), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmpopts.IgnoreFields(auth.Account{}, "Password", "ReadOnlyPassword", "CreatedAt", "UpdatedAt", "LastLoginAt"))
	if diff != "" {
		c.t.Error(diff)
	}
}

func TestUserAdd(t *testing.T) {
	c := newUserCLI(t)
	out := c.ok("add", "alice", "--password", "hunter2")
	if !strings.Contains(out, "alice added") || strings.Contains(out, "hunter2") {
		t.Errorf("output: %s", out)
	}
	alice := auth.Account{
		User:   auth.User{Name: "alice", Bucket: "spd", Prefix: "alice/", Permissions: auth.ReadWrite},
		Status: auth.Active,
	}
	c.expect(alice)
	if stored := c.account("alice").Password; !strings.HasPrefix(stored, "$argon2id$") {
		t.Errorf("stored as %q", stored)
	}
	_ = c.fails("exists already", "add", "alice", "--password", "other")
	if c.login("alice", "hunter2") != auth.ReadWrite || c.login("alice", "other") != 0 {
		t.Error("alice has the wrong password")
	}

	c.stdin = "from stdin\r\nsecond line\n"
	c.ok("add", "客户 1", "--password-stdin", "--ro-password", "look", "--bucket", "other", "--prefix", "a/b",
		"--permissions", "list,upload", "--status", "suspended", "--quota-bytes", "10GiB", "--quota-files", "5",
		"--max-sessions", "2", "--upload-rate", "1MiB", "--download-rate", "1MB", "--allowed-cidrs", "10.0.0.0/8,::1",
		"--charset", "GB18030", "--expires", "2099-12-31")
	c.expect(auth.Account{
		User: auth.User{
			Name: "客户 1", Bucket: "other", Prefix: "a/b/", Permissions: auth.List | auth.Upload, Charset: "GB18030",
			QuotaBytes: 10 << 30, QuotaFiles: 5, MaxSessions: 2, UploadRate: 1 << 20, DownloadRate: 1e6,
		},
		Status:       auth.Suspended,
		AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		ExpiresAt:    time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC),
	})

	c.ok("add", "whole", "--password", "hunter2", "--ro-password", "look", "--prefix", "", "--expires", "2099-12-31T23:00:00-02:00")
	c.expect(auth.Account{
		User:      auth.User{Name: "whole", Bucket: "spd", Permissions: auth.ReadWrite},
		Status:    auth.Active,
		ExpiresAt: time.Date(2100, 1, 1, 1, 0, 0, 0, time.UTC),
	})
	if c.login("whole", "hunter2") != auth.ReadWrite || c.login("whole", "look") != auth.ReadOnly {
		t.Error("whole has the wrong passwords")
	}
}

func TestUserAddRefuses(t *testing.T) {
	c := newUserCLI(t)
	c.stdin = "\n"
	for _, args := range [][]string{
		{"one account name", "add"},
		{"one account name", "add", "alice", "bob"},
		{"is a path", "add", "a/b", "--password", "hunter2"},
		{"cannot be printed", "add", "a\x1b[2J", "--password", "hunter2"},
		{"longer than 190", "add", strings.Repeat("a", 191), "--password", "hunter2"},
		{"the name is empty", "add", "", "--password", "hunter2"},
		{"use --password-stdin, --password or a terminal", "add", "alice"},
		{"not both", "add", "alice", "--password", "hunter2", "--password-stdin"},
		{"it is empty", "add", "alice", "--password-stdin"},
		{"it is empty", "add", "alice", "--password", ""},
		{"longer than 1024", "add", "alice", "--password", strings.Repeat("hunter2", 200)},
		{"the same as the password", "add", "alice", "--password", "hunter2", "--ro-password", "hunter2"},
		{"--permissions", "add", "alice", "--password", "hunter2", "--permissions", "all"},
		{"--status", "add", "alice", "--password", "hunter2", "--status", "asleep"},
		{"--prefix", "add", "alice", "--password", "hunter2", "--prefix", "../bob"},
		{"--allowed-cidrs", "add", "alice", "--password", "hunter2", "--allowed-cidrs", "office"},
		{"--expires", "add", "alice", "--password", "hunter2", "--expires", "tomorrow"},
		{"--charset", "add", "alice", "--password", "hunter2", "--charset", "klingon"},
		{"quota-bytes", "add", "alice", "--password", "hunter2", "--quota-bytes", "much"},
		{"users.quota_files of alice", "add", "alice", "--password", "hunter2", "--quota-files", "-1"},
	} {
		_ = c.fails(args[0], args[1:]...)
	}
	if out := c.ok("list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("accounts: %s", out)
	}
}

// auth.scheme decides how new passwords are stored.
func TestUserPasswordScheme(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "alice", "--password", "secret")
	c.scheme = "bcrypt"
	c.ok("add", "bob", "--password", "secret", "--ro-password", "look")
	for prefix, stored := range map[string]string{
		"$argon2id$": c.account("alice").Password,
		"$2a$10$":    c.account("bob").Password,
	} {
		if !strings.HasPrefix(stored, prefix) {
			t.Errorf("stored as %.10q, want %s", stored, prefix)
		}
	}
	if stored := c.account("bob").ReadOnlyPassword; !strings.HasPrefix(stored, "$2a$10$") {
		t.Errorf("ro_password stored as %.10q", stored)
	}
	_ = c.fails("72", "add", "carol", "--password", strings.Repeat("hunter2 ", 10))
}

func TestUserAddNeedsBucket(t *testing.T) {
	c := newUserCLI(t)
	cmd := newUserCommand(userCommands{
		databaseCommands: databaseCommands{c.open},
		defaultBucket:    func() string { return "" }, scheme: func() string { return c.scheme },
	})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"add", "alice", "--password", "hunter2"})
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "s3.bucket") {
		t.Errorf("%v", err)
	}
}

func TestUserSet(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "alice", "--password", "hunter2", "--ro-password", "look", "--quota-bytes", "1GiB", "--expires", "2099-01-01",
		"--allowed-cidrs", "10.0.0.0/8", "--charset", "GB18030")
	want := *c.account("alice")

	c.ok("set", "alice", "--status", "suspended")
	want.Status = auth.Suspended
	c.expect(want)
	c.ok("set", "alice", "--status", "active", "--quota-bytes", "0", "--expires", "never", "--allowed-cidrs", "", "--charset", "",
		"--prefix", "", "--permissions", "ro", "--max-sessions", "4")
	want.Status, want.QuotaBytes, want.ExpiresAt, want.AllowedCIDRs, want.Charset = auth.Active, 0, time.Time{}, nil, ""
	want.Prefix, want.Permissions, want.MaxSessions = "", auth.ReadOnly, 4
	c.expect(want)
	if c.login("alice", "hunter2") != auth.ReadOnly || c.login("alice", "look") != auth.ReadOnly {
		t.Error("a password changed")
	}
	c.ok("set", "alice", "--ro-password", "")
	if c.login("alice", "hunter2") != auth.ReadOnly || c.login("alice", "look") != 0 {
		t.Error("the read-only password was not removed, or the main one was")
	}
	c.ok("set", "alice", "--password", "new")
	if c.login("alice", "new") != auth.ReadOnly || c.login("alice", "hunter2") != 0 {
		t.Error("the password was not changed")
	}
	c.expect(want)

	_ = c.fails("no account bob", "set", "bob", "--status", "active")
	err := c.fails("nothing to change", "set", "alice")
	if _, ok := errors.AsType[usageError](err); !ok {
		t.Errorf("%T is no usageError", err)
	}
	_ = c.fails("permission", "set", "alice", "--permissions", "")
	_ = c.fails("status", "set", "alice", "--status", "")
	_ = c.fails("bucket", "set", "alice", "--bucket", "")
	c.expect(want)
}

func TestUserPasswd(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "alice", "--password", "hunter2")
	c.stdin = "new"
	c.ok("passwd", "alice", "--password-stdin")
	if c.login("alice", "new") != auth.ReadWrite || c.login("alice", "hunter2") != 0 {
		t.Error("the password was not changed")
	}
	c.ok("passwd", "alice", "--ro-password", "look")
	if c.login("alice", "new") != auth.ReadWrite || c.login("alice", "look") != auth.ReadOnly {
		t.Error("the read-only password was not set, or the main one changed")
	}
	_ = c.fails("use --password-stdin", "passwd", "alice")
	_ = c.fails("no account bob", "passwd", "bob")
	_ = c.fails("no account bob", "passwd", "bob", "--password", "hunter2")
}

func TestUserListAndShow(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "bob", "--password", "hunter2", "--quota-bytes", "10GiB", "--expires", "2099-12-31")
	c.ok("add", "alice", "--password", "hunter2", "--ro-password", "look", "--prefix", "")

	want := `NAME   GROUP  BUCKET  PREFIX  PERMISSIONS  STATUS  QUOTA  EXPIRES               LAST LOGIN
alice  -      spd             rw           active  -      -                     -
bob    -      spd     bob/    rw           active  10GiB  2099-12-31 00:00:00Z  -
`
	if diff := cmp.Diff(want, c.ok("list")); diff != "" {
		t.Error(diff)
	}
	var users []userJSON
	if err := json.Unmarshal([]byte(c.ok("list", "--json")), &users); err != nil {
		t.Fatal(err)
	}
	if len(users) != 2 || users[0].Username != "alice" || users[1].QuotaBytes != 10<<30 || users[0].ExpiresAt != nil {
		t.Errorf("%+v", users)
	}

	out := c.ok("show", "alice")
	asJSON := c.ok("show", "alice", "--json")
	for _, column := range []string{
		"username", "password", "ro_password", "bucket", "prefix", "permissions", "status", "quota_bytes", "quota_files",
		"max_file_size", "allowed_names", "denied_names", "allowed_hours", "tls_required", "client_cn", "note", "group_name",
		"password_expires_at", "max_sessions", "upload_rate", "download_rate", "allowed_cidrs", "charset", "charset_seen", "expires_at", "created_at", "updated_at",
		"last_login_at",
	} {
		if !strings.Contains(out, column) || !strings.Contains(asJSON, `"`+column+`"`) {
			t.Errorf("show lacks %s", column)
		}
	}
	for _, secret := range []string{"argon2", "hunter2", "look"} {
		if strings.Contains(out+asJSON, secret) {
			t.Errorf("show prints %s", secret)
		}
	}
	if !regexp.MustCompile(`(?m)^ro_password +not set`).MatchString(c.ok("show", "bob")) {
		t.Error("bob's read-only password counts as set")
	}
	_ = c.fails("no account Alice", "show", "Alice")
}

func TestUserDel(t *testing.T) {
	c := newUserCLI(t)
	c.ok("add", "alice", "--password", "hunter2")
	if out := c.ok("del", "alice"); !strings.Contains(out, `Its files are not: they stay in bucket spd under "alice/"`) {
		t.Errorf("output: %s", out)
	}
	_ = c.fails("no account alice", "del", "alice")
	_ = c.fails("no account alice", "show", "alice")
}

// What is printed cannot move the terminal's cursor.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"alice": "alice", "客户": "客户", "a\x1b[2J": `"a\x1b[2J"`, "a\tb": `"a\tb"`} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %s, want %s", in, got, want)
		}
	}
}
