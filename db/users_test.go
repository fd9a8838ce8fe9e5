package db_test

import (
	"context"
	"errors"
	"fmt"
	"github.com/spdscheme/spdserver/internal/spdtest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/quota"
)

const hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" // of "secret"

func newAccount(name string) auth.Account {
	return auth.Account{
		User:     auth.User{Name: name, Bucket: "spd", Prefix: name + "/", Permissions: auth.ReadWrite},
		Password: hash, Status: auth.Active,
	}
}

func fullAccount(name string) auth.Account {
	a := newAccount(name)
	a.ReadOnlyPassword = "{plain}look"
	a.Permissions = auth.List | auth.Upload
	a.Charset = "GB18030"
	a.QuotaBytes, a.QuotaFiles = 1<<60, 1_000_000
	a.MaxSessions, a.UploadRate, a.DownloadRate = 3, 1<<40, 1<<20
	a.Status = auth.Suspended
	a.AllowedCIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	a.ExpiresAt = time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
	return a
}

func sameAccount(got *auth.Account, want auth.Account) string {
	return cmp.Diff(want, *got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmpopts.EquateEmpty(), cmpopts.IgnoreFields(auth.Account{}, "CreatedAt", "UpdatedAt"))
}

func TestCreateAndFind(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		before := time.Now().Add(-time.Minute)
		for _, want := range []auth.Account{newAccount("alice"), fullAccount("客户 №1")} {
			check(t, d.CreateUser(t.Context(), want))
			got, err := d.Find(t.Context(), want.Name)
			check(t, err)
			if diff := sameAccount(got, want); diff != "" {
				t.Error(diff)
			}
			if got.CreatedAt.Before(before) || got.CreatedAt.After(time.Now().Add(time.Minute)) || got.UpdatedAt.Before(before) {
				t.Errorf("created %v, updated %v", got.CreatedAt, got.UpdatedAt)
			}
			if err := d.CreateUser(t.Context(), want); !errors.Is(err, auth.ErrExists) {
				t.Errorf("second time: %v, want ErrExists", err)
			}
		}
	})
}

// The rows of the documentation are accounts.
func TestRowsWrittenBySQL(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec(`INSERT INTO users (username, password, bucket, prefix, permissions, status)
			VALUES ('alice', '{plain}secret', 'spd', 'alice/', 'rw', 'active')`)
		d.exec(`INSERT INTO users (username, password, bucket, prefix) VALUES ('bob', '{plain}secret', 'spd', 'bob')`)
		d.exec(`INSERT INTO users (username, password, bucket) VALUES ('007', '{plain}0123', 'spd')`)
		d.exec(`INSERT INTO users (username, password, bucket, quota_bytes, quota_files, max_sessions, upload_rate,
			download_rate, ro_password, allowed_cidrs, charset, expires_at)
			VALUES ('nulls', '{plain}secret', 'spd', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
		d.exec(`INSERT INTO users (username, password, bucket, expires_at, allowed_cidrs)
			VALUES ('dated', '{plain}secret', 'spd', '2030-01-02', ' 10.1.2.3 , ::1 ')`)
		for _, c := range []struct {
			name, pass, prefix string
			expires            time.Time
		}{
			{"alice", "{plain}secret", "alice/", time.Time{}},
			{"bob", "{plain}secret", "bob/", time.Time{}},
			{"007", "{plain}0123", "", time.Time{}},
			{"nulls", "{plain}secret", "", time.Time{}},
			{"dated", "{plain}secret", "", time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)},
		} {
			want := auth.Account{
				User:     auth.User{Name: c.name, Bucket: "spd", Prefix: c.prefix, Permissions: auth.ReadWrite},
				Password: c.pass, Status: auth.Active, ExpiresAt: c.expires,
			}
			if c.name == "dated" {
				want.AllowedCIDRs = []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("::1/128")}
			}
			got, err := d.Find(t.Context(), c.name)
			check(t, err)
			if diff := sameAccount(got, want); diff != "" {
				t.Error(diff)
			}
			if got.CreatedAt.IsZero() {
				t.Errorf("%s has no created_at", c.name)
			}
		}
	})
}

// Names are compared byte by byte.
func TestNamesAreExact(t *testing.T) {
	names := []string{"alice", "Alice", "ALICE", "älice", "alíce", "ALÍCE", "ß", "ss", "é", "e\u0301"}
	onEach(t, func(t *testing.T, d *testDB) {
		for _, name := range names {
			check(t, d.CreateUser(t.Context(), newAccount(name)))
			countOf(t, d.DB, quota.Name{User: name}, quota.Amount{Bytes: 1})
		}
		for _, name := range names {
			if a, err := d.Find(t.Context(), name); err != nil || a.Name != name {
				t.Errorf("Find(%q): %v", name, err)
			}
		}
		d.exec("INSERT INTO users (username, password, bucket) VALUES ('alice ', '{plain}x', 'spd')")
		if a, err := d.Find(t.Context(), "alice "); err != nil || a.Password != "{plain}x" {
			t.Errorf("with a space: %v", err)
		}
		for _, name := range []string{
			"", "bob", "bob ", "Alice ", " alice", "alice\x00", "\xff\xfe", "alice' OR '1'='1", `alice\`, "ALice", "a_ice", "%",
		} {
			if a, err := d.Find(t.Context(), name); !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("Find(%q) = %v, %v; want ErrNotFound", name, a, err)
			}
		}
	})
}

func TestImpossibleValues(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for _, c := range []struct{ column, value, want string }{
			{"permissions", "all", `users.permissions of alice: unknown permission "all"`},
			{"permissions", "", "users.permissions of alice"},
			{"prefix", "/alice", "users.prefix of alice"},
			{"prefix", "a/../b/", "users.prefix of alice"},
			{"prefix", "a//b/", "users.prefix of alice"},
			{"bucket", "a/b", "users.bucket of alice"},
			{"allowed_cidrs", "everywhere", "users.allowed_cidrs of alice"},
			{"charset", "no such thing", "users.charset of alice"},
		} {
			check(t, d.CreateUser(t.Context(), newAccount("alice")))
			d.force("UPDATE users SET "+c.column+" = ? WHERE username = 'alice'", c.value)
			_, err := d.Find(t.Context(), "alice")
			if !errors.Is(err, auth.ErrFaulty) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s %q: %v, want %s", c.column, c.value, err, c.want)
			}
			check(t, d.DeleteUser(t.Context(), "alice"))
		}
	})
}

func TestConstraints(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for _, column := range []string{"username = ''", "bucket = ''", "status = 'asleep'", "quota_bytes = -1", "max_sessions = -1"} {
			check(t, d.CreateUser(t.Context(), newAccount("alice")))
			if _, err := d.sql.ExecContext(t.Context(), "UPDATE users SET "+column); err == nil {
				t.Errorf("UPDATE users SET %s is allowed", column)
			}
			check(t, d.DeleteUser(t.Context(), "alice"))
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for want, change := range map[string]func(*auth.Account){
			"name":                   func(a *auth.Account) { a.Name = "a/b" },
			"users.password of":      func(a *auth.Account) { a.Password = "hunter2" },
			"users.ro_password of":   func(a *auth.Account) { a.ReadOnlyPassword = "hunter2" },
			"users.bucket of":        func(a *auth.Account) { a.Bucket = "" },
			"users.prefix of":        func(a *auth.Account) { a.Prefix = "../" },
			"users.status of":        func(a *auth.Account) { a.Status = "asleep" },
			"users.quota_bytes of":   func(a *auth.Account) { a.QuotaBytes = -1 },
			"users.max_sessions of":  func(a *auth.Account) { a.MaxSessions = -1 },
			"users.download_rate of": func(a *auth.Account) { a.DownloadRate = -1 },
		} {
			a := newAccount("alice")
			change(&a)
			err := d.CreateUser(t.Context(), a)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", want, err)
			}
		}
		if users, err := d.ListUsers(t.Context()); len(users) != 0 || err != nil {
			t.Errorf("%d users, %v", len(users), err)
		}
	})
}

func TestReplacePassword(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		a := newAccount("alice")
		a.Password, a.ReadOnlyPassword = "{plain}secret", "{plain}secret"
		check(t, d.CreateUser(t.Context(), a))
		check(t, d.ReplacePassword(t.Context(), "alice", auth.MainPassword, "{plain}Secret", "wrong"))
		check(t, d.ReplacePassword(t.Context(), "alice", auth.MainPassword, "{plain}secret", hash))
		check(t, d.ReplacePassword(t.Context(), "alice", auth.MainPassword, "{plain}secret", "late"))
		check(t, d.ReplacePassword(t.Context(), "nobody", auth.MainPassword, "{plain}secret", hash))
		if err := d.ReplacePassword(t.Context(), "alice", "status", "active", "suspended"); err == nil {
			t.Error("any column can be replaced")
		}
		got, err := d.Find(t.Context(), "alice")
		check(t, err)
		if got.Password != hash || got.ReadOnlyPassword != "{plain}secret" {
			t.Errorf("password %q, ro_password %q", got.Password, got.ReadOnlyPassword)
		}
		check(t, d.ReplacePassword(t.Context(), "alice", auth.ReadOnlyPass, "{plain}secret", hash))
		if got, err = d.Find(t.Context(), "alice"); err != nil || got.ReadOnlyPassword != hash {
			t.Errorf("ro_password %q, %v", got.ReadOnlyPassword, err)
		}
	})
}

// From a row written by SQL to a session, with package auth.
func TestLoginOverDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec(`INSERT INTO users (username, password, bucket) VALUES ('alice', '{plain}secret', 'spd')`)
		a := auth.New(d, auth.Options{})
		from := auth.Connection{From: netip.MustParseAddr("192.0.2.1")}
		for range 2 {
			if _, err := a.Login(t.Context(), "alice", "secret", from); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.Find(t.Context(), "alice")
		check(t, err)
		if !strings.HasPrefix(got.Password, "$argon2id$") || got.LastLoginAt.IsZero() {
			t.Errorf("password %.12q, last login %v", got.Password, got.LastLoginAt)
		}
		d.exec("UPDATE users SET status = 'suspended'")
		if _, err := a.Login(t.Context(), "alice", "secret", from); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("suspended: %v", err)
		}
		d.exec("DROP VIEW v_usage")
		for _, table := range []string{"user_paths", "mounts", "usage_counts"} {
			d.exec("DROP TABLE " + table)
		}
		d.exec("DROP TABLE users")
		if _, err := a.Login(t.Context(), "alice", "secret", from); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("no table: %v", err)
		}
	})
}

func TestUpdateUser(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		check(t, d.CreateUser(t.Context(), newAccount("alice")))
		check(t, d.CreateUser(t.Context(), newAccount("bob")))
		full := fullAccount("alice")
		full.Prefix = "elsewhere"
		check(t, d.UpdateUser(t.Context(), "alice", db.Change{
			Password: &full.Password, ReadOnlyPassword: &full.ReadOnlyPassword, Bucket: &full.Bucket, Prefix: &full.Prefix,
			Permissions: &full.Permissions, Status: &full.Status, QuotaBytes: &full.QuotaBytes, QuotaFiles: &full.QuotaFiles,
			MaxSessions: &full.MaxSessions, UploadRate: &full.UploadRate, DownloadRate: &full.DownloadRate,
			AllowedCIDRs: &full.AllowedCIDRs, Charset: &full.Charset, ExpiresAt: &full.ExpiresAt,
		}))
		full.Prefix = "elsewhere/"
		expect(t, d, full)

		// One field, and clearing.
		full.ReadOnlyPassword, full.ExpiresAt, full.AllowedCIDRs = "", time.Time{}, nil
		check(t, d.UpdateUser(t.Context(), "alice", db.Change{
			ReadOnlyPassword: new(string), ExpiresAt: new(time.Time), AllowedCIDRs: new([]netip.Prefix),
		}))
		expect(t, d, full)
		check(t, d.UpdateUser(t.Context(), "alice", db.Change{}))
		expect(t, d, full)
		expect(t, d, newAccount("bob"))

		if err := d.UpdateUser(t.Context(), "nobody", db.Change{}); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		bad := "../"
		if err := d.UpdateUser(t.Context(), "alice", db.Change{Prefix: &bad}); err == nil {
			t.Error("an impossible prefix is stored")
		}
		d.force("UPDATE users SET permissions = 'all' WHERE username = 'bob'") // what Find refuses can be mended
		permissions := auth.ReadWrite
		check(t, d.UpdateUser(t.Context(), "bob", db.Change{Permissions: &permissions}))
		expect(t, d, newAccount("bob"))
	})
}

func expect(t *testing.T, d *testDB, want auth.Account) {
	t.Helper()
	got, err := d.Find(t.Context(), want.Name)
	check(t, err)
	if diff := sameAccount(got, want); diff != "" {
		t.Error(diff)
	}
}

func TestListAndDelete(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for _, name := range []string{"bob", "alice", "Zoe", "carol"} {
			check(t, d.CreateUser(t.Context(), newAccount(name)))
		}
		d.force("UPDATE users SET permissions = 'all' WHERE username = 'bob'")
		users, err := d.ListUsers(t.Context())
		if err == nil || !strings.Contains(err.Error(), "users.permissions of bob") {
			t.Errorf("faulty row: %v", err)
		}
		var names []string
		for _, u := range users {
			names = append(names, u.Name)
		}
		if diff := cmp.Diff([]string{"Zoe", "alice", "carol"}, names); diff != "" {
			t.Error(diff)
		}
		countOf(t, d.DB, quota.Name{User: "alice"}, quota.Amount{Bytes: 1})
		check(t, d.DeleteUser(t.Context(), "alice"))
		if _, err := d.Counts().Used(t.Context(), quota.Name{User: "alice"}); !errors.Is(err, quota.ErrNotCounted) {
			t.Errorf("usage of a deleted user: %v", err)
		}
		if err := d.DeleteUser(t.Context(), "alice"); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("second time: %v", err)
		}
	})
}

func TestErrorsSayWhatWasDone(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for want, err := range map[string]error{
			"find user":    second(d.Find(ctx, "alice")),
			"note login":   d.LoggedIn(ctx, "alice", time.Now()),
			"note charset": d.SetCharsetSeen(ctx, "alice", "GBK"),
			"list users":   second(d.ListUsers(ctx)),
			"read usage":   second(d.Counts().Used(ctx, quota.Name{User: "alice"})),
			"list uploads": second(d.Expired(ctx, time.Now())),
			"read kept":    second(d.TimesIn(ctx, "spd", "")),
		} {
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q and context.Canceled", err, want)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// The accounts of all sessions are read again every two seconds: two questions, however many
// they are.
func TestManyAccountsAreTwoQuestions(t *testing.T) {
	d := openTest(t, spdtest.MariaDB(t).DSN, true)
	const count = 500
	names := make([]string, count)
	d.exec("INSERT INTO `groups` (name, bucket) VALUES ('all', 'spd')")
	for i := range names {
		names[i] = fmt.Sprintf("user %d", i)
		d.exec("INSERT INTO users (username, password, group_name) VALUES (?, '{plain}secret', 'all')", names[i])
	}
	conn, err := d.sql.Conn(t.Context())
	check(t, err)
	defer func() { _ = conn.Close() }() // only a test's own
	selects := func() (n int) {
		var name string
		check(t, conn.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Com_select'").Scan(&name, &n))
		return n
	}
	before := selects()
	found, err := d.FindAll(t.Context(), names)
	check(t, err)
	if asked := selects() - before; asked != 2 || len(found) != count {
		t.Errorf("%d questions, %d accounts", asked, len(found))
	}
	for name, f := range found {
		if f.Err != nil || f.Account.Bucket != "spd" {
			t.Fatalf("%s: %+v", name, f)
		}
	}
}
