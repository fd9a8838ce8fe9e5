package db_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

// addOffice makes an account in a group that has a parent.
func addOffice(d *testDB) {
	d.exec("INSERT INTO `groups` (name, bucket, permissions, quota_bytes, allowed_cidrs) VALUES ('company', 'spd', 'ro', 100, '192.0.2.0/24')")
	d.exec("INSERT INTO `groups` (name, parent, prefix, quota_bytes, max_file_size) VALUES ('office', 'company', 'office/%u', 200, 50)")
	d.exec("INSERT INTO users (username, password, group_name) VALUES ('alice', '{plain}secret', 'office')")
}

func TestInherit(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		a, err := d.Find(t.Context(), "alice")
		check(t, err)
		want := auth.Account{
			User: auth.User{
				Name: "alice", Bucket: "spd", Prefix: "office/alice/", Permissions: auth.ReadOnly,
				QuotaBytes: 200, MaxFileSize: 50,
			},
			Password: "{plain}secret", Status: auth.Active, Group: "office",
			AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		}
		if diff := sameAccount(a, want); diff != "" {
			t.Error(diff)
		}

		// What is not NULL is the account's own, none included.
		d.exec("UPDATE users SET quota_bytes = 0, max_file_size = 7, permissions = 'rw', prefix = '', allowed_cidrs = ''")
		want.QuotaBytes, want.MaxFileSize, want.Permissions, want.Prefix, want.AllowedCIDRs = 0, 7, auth.ReadWrite, "", nil
		expect(t, d, want)
		d.exec("UPDATE users SET quota_bytes = NULL, permissions = NULL")
		d.exec("UPDATE `groups` SET quota_bytes = NULL WHERE name = 'office'")
		want.QuotaBytes, want.Permissions = 100, auth.ReadOnly
		expect(t, d, want)
		_, origins, err := d.Explain(t.Context(), "alice")
		check(t, err)
		for column, from := range map[string]string{
			"quota_bytes": "company", "permissions": "company", "prefix": "", "max_file_size": "", "charset": "", "status": "",
		} {
			if origins[column] != from {
				t.Errorf("%s comes from %q, want %q", column, origins[column], from)
			}
		}

		// A suspended group suspends all its accounts.
		d.exec("UPDATE `groups` SET status = 'suspended' WHERE name = 'company'")
		want.Status = auth.Suspended
		expect(t, d, want)

		// No group, nothing inherited.
		d.exec("UPDATE users SET group_name = NULL, bucket = 'own'")
		want.Bucket, want.Group, want.QuotaBytes, want.Permissions, want.Status = "own", "", 0, auth.ReadWrite, auth.Active
		expect(t, d, want)
	})
}

// Group names are exact, and follow when a group gets another name.
func TestGroupNames(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		for _, query := range []string{
			"UPDATE users SET group_name = 'Office'",
			"UPDATE users SET group_name = 'office '",
			"UPDATE `groups` SET parent = 'nobody' WHERE name = 'office'",
			"UPDATE `groups` SET parent = 'office' WHERE name = 'office'",
			"DELETE FROM `groups` WHERE name = 'office'",
			"DELETE FROM `groups` WHERE name = 'company'",
		} {
			if _, err := d.foreignKeys().ExecContext(t.Context(), query); err == nil {
				t.Errorf("%s is allowed", query)
			}
		}
		if _, err := d.foreignKeys().ExecContext(t.Context(), "UPDATE `groups` SET name = 'bureau 🗄''`\"' WHERE name = 'office'"); err != nil {
			t.Fatal(err)
		}
		if a, err := d.Find(t.Context(), "alice"); err != nil || a.Group != "bureau 🗄'`\"" || a.QuotaBytes != 200 {
			t.Errorf("after another name: %+v, %v", a, err)
		}
	})
}

// A row that slips through lets nobody in; the log names table and column.
func TestFaultyGroups(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for i, c := range []struct{ query, want string }{
			{"UPDATE `groups` SET parent = 'office' WHERE name = 'company'",
				`groups.parent of group company: the groups go round in a circle: "office" in "company" in "office"`},
			{"UPDATE `groups` SET parent = 'company' WHERE name = 'company'",
				`groups.parent of group company: the groups go round in a circle: "office" in "company" in "company"`},
			{"UPDATE `groups` SET permissions = 'all' WHERE name = 'company'", `groups.permissions of group company: unknown permission "all"`},
			{"UPDATE `groups` SET prefix = '../%u' WHERE name = 'office'", "groups.prefix of group office"},
			{"UPDATE `groups` SET status = 'asleep' WHERE name = 'company'", "groups.status of group company"},
			{"UPDATE `groups` SET quota_bytes = -1 WHERE name = 'office'", `groups.quota_bytes of group office: "-1" is no limit`},
			{"UPDATE `groups` SET allowed_cidrs = '10.0.0.0/99' WHERE name = 'company'", "groups.allowed_cidrs of group company"},
			{"UPDATE `groups` SET denied_names = '[' WHERE name = 'company'", `groups.denied_names of group company: pattern "["`},
			{"UPDATE `groups` SET allowed_hours = 'never' WHERE name = 'company'", "groups.allowed_hours of group company"},
			{"UPDATE `groups` SET tls_required = 2 WHERE name = 'company'", "groups.tls_required of group company"},
			{"UPDATE `groups` SET bucket = NULL WHERE name = 'company'", "users.bucket of alice: it is NULL, and no group has one"},
			{"UPDATE users SET status = 'asleep'", "users.status of alice"},
		} {
			d.exec("DELETE FROM users")
			d.force("UPDATE `groups` SET parent = NULL")
			d.exec("DELETE FROM `groups`")
			addOffice(d)
			d.force(c.query)
			var log bytes.Buffer
			a := auth.New(d, auth.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			_, err := a.Login(t.Context(), "alice", "secret", auth.Connection{From: netip.MustParseAddr("192.0.2.1")})
			if !errors.Is(err, auth.ErrDenied) || errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("%d: %s: %v, want ErrDenied", i, c.query, err)
			}
			if got := strings.ReplaceAll(log.String(), `\"`, `"`); !strings.Contains(got, c.want) || !strings.Contains(got, "level=WARN") {
				t.Errorf("%d: log lacks %q: %s", i, c.want, got)
			}
		}
	})
}

// A long chain of groups ends the login, not the server.
func TestManyGroups(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("INSERT INTO `groups` (name, bucket) VALUES ('g1', 'spd')")
		for i := 2; i <= 20; i++ {
			d.exec("INSERT INTO `groups` (name, parent) VALUES (?, ?)", fmt.Sprintf("g%d", i), fmt.Sprintf("g%d", i-1))
		}
		for i, fine := range map[int]bool{8: true, 9: false, 20: false} {
			d.exec("INSERT INTO users (username, password, group_name) VALUES (?, '{plain}secret', ?)", fmt.Sprint("u", i), fmt.Sprint("g", i))
			_, err := d.Find(t.Context(), fmt.Sprint("u", i))
			if fine && err != nil || !fine && (!errors.Is(err, auth.ErrFaulty) || !strings.Contains(err.Error(), "groups.parent of group g") ||
				!strings.Contains(err.Error(), "more than 8 groups")) {
				t.Errorf("%d groups: %v", i, err)
			}
		}
	})
}

// A name that is no folder's does not lead into another account's files.
func TestNamesInPrefix(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("INSERT INTO `groups` (name, bucket, prefix) VALUES ('all', 'spd', 'home/%u/')")
		for name, want := range map[string]string{
			"alice": "home/alice/", "%u": "home/%u/", "o'neil \"🦊\" `x`": "home/o'neil \"🦊\" `x`/", `a\b`: `home/a\b/`,
			"..": "", ".": "", "a/b": "", "../x": "", "a\nb": "",
		} {
			d.exec("INSERT INTO users (username, password, group_name) VALUES (?, '{plain}secret', 'all')", name)
			a, err := d.Find(t.Context(), name)
			if want == "" && (!errors.Is(err, auth.ErrFaulty) || !strings.Contains(err.Error(), "groups.prefix of group all")) {
				t.Errorf("%q: %v", name, err)
			}
			if want != "" && (err != nil || a.Prefix != want) {
				t.Errorf("%q: %v, %v; want %q", name, a, err, want)
			}
		}
	})
}

func TestAddAndUpdateGroup(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		bucket, quota, parent, none := "spd", int64(5), "company", ""
		check(t, d.AddGroup(t.Context(), "company", db.Change{Bucket: &bucket, QuotaBytes: &quota, Note: &bucket}))
		check(t, d.AddGroup(t.Context(), "office", db.Change{Group: &parent}))
		if err := d.AddGroup(t.Context(), "office", db.Change{}); !errors.Is(err, auth.ErrExists) {
			t.Errorf("second time: %v", err)
		}
		if err := d.AddGroup(t.Context(), "lost", db.Change{Group: &bucket}); !errors.Is(err, db.ErrNoGroup) {
			t.Errorf("in no group: %v", err)
		}
		stored := "{plain}secret"
		office := "office"
		check(t, d.AddUser(t.Context(), "alice", db.Change{Password: &stored, Group: &office}))
		if err := d.AddUser(t.Context(), "bob", db.Change{Group: &office}); err == nil {
			t.Error("an account without a password is added")
		}
		if err := d.AddUser(t.Context(), "bob", db.Change{Password: &stored, Group: &stored}); !errors.Is(err, db.ErrNoGroup) {
			t.Errorf("in no group: %v", err)
		}
		if a, err := d.Find(t.Context(), "alice"); err != nil || a.QuotaBytes != 5 || a.Bucket != "spd" {
			t.Errorf("%+v, %v", a, err)
		}
		check(t, d.UpdateGroup(t.Context(), "company", db.Change{Inherit: []string{"quota_bytes"}}))
		if a, err := d.Find(t.Context(), "alice"); err != nil || a.QuotaBytes != 0 {
			t.Errorf("%+v, %v", a, err)
		}
		if err := d.UpdateGroup(t.Context(), "nobody", db.Change{}); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if err := d.UpdateUser(t.Context(), "alice", db.Change{Inherit: []string{"password"}}); err == nil {
			t.Error("a password is inherited")
		}
		if err := d.DeleteGroup(t.Context(), "company"); !errors.Is(err, db.ErrGroupInUse) {
			t.Errorf("in use: %v", err)
		}
		check(t, d.UpdateUser(t.Context(), "alice", db.Change{Group: &none, Bucket: &bucket}))
		check(t, d.DeleteGroup(t.Context(), "office"))
		groups, err := d.ListGroups(t.Context())
		check(t, err)
		if len(groups) != 1 || groups[0].Name != "company" || groups[0].Values["bucket"] != "spd" || groups[0].Values["note"] != "spd" ||
			groups[0].Status != auth.Active {
			t.Errorf("groups %+v", groups)
		}
	})
}

// FindAll says of many at once what Find says of each.
func TestFindAll(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		names := []string{"alice", "nobody", "bad", "\xff", "nul\x00", ""}
		for i := range 300 {
			name := fmt.Sprintf("u%d", i)
			d.exec("INSERT INTO users (username, password, group_name) VALUES (?, '{plain}secret', 'office')", name)
			names = append(names, name)
		}
		d.exec("INSERT INTO users (username, password, bucket) VALUES ('bad', '{plain}x', 'spd')")
		d.force("UPDATE users SET permissions = 'all' WHERE username = 'bad'")
		d.exec("INSERT INTO mounts (group_name, path, bucket) VALUES ('company', '/shared', 'common')")
		found, err := d.FindAll(t.Context(), names)
		check(t, err)
		if len(found) != 302 || !errors.Is(found["bad"].Err, auth.ErrFaulty) {
			t.Fatalf("%d found, bad: %v", len(found), found["bad"].Err)
		}
		for _, name := range []string{"alice", "u0", "u299"} {
			one, err := d.Find(t.Context(), name)
			check(t, err)
			if diff := cmp.Diff(one, found[name].Account, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" ||
				len(one.Mounts) != 1 {
				t.Error(diff, one.Mounts)
			}
		}
		if found, err := d.FindAll(t.Context(), nil); err != nil || len(found) != 0 {
			t.Errorf("none: %v, %v", found, err)
		}
	})
}
