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
)

func TestPathsAndMounts(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		d.exec("INSERT INTO user_paths (username, pattern, permissions, hidden) VALUES ('alice', '/in', 'upload-only', 0), ('alice', '/**/.git/', NULL, 1)")
		d.exec("INSERT INTO user_paths (group_name, pattern, permissions) VALUES ('office', '/in', 'rw'), ('company', '/out', 'none')")
		d.exec("INSERT INTO mounts (username, path, bucket, prefix, read_only) VALUES ('alice', '/shared', 'common', 'a', 1)")
		d.exec(`INSERT INTO mounts (group_name, path, bucket, prefix, quota, quota_bytes, quota_files)
			VALUES ('office', '/shared', 'other', '', 'shared', NULL, NULL), ('company', '/drop/', NULL, 'drop/%u', 'own', 10, 2)`)
		a, err := d.Find(t.Context(), "alice")
		check(t, err)
		drop, nothing := auth.UploadOnly, auth.Permissions(0)
		paths := map[string]auth.PathRule{}
		for _, r := range a.Paths {
			paths[r.Pattern] = r
		}
		if diff := cmp.Diff(map[string]auth.PathRule{
			"/in":      {Pattern: "/in", Permissions: &drop},
			"/**/.git": {Pattern: "/**/.git", Hidden: true},
			"/out":     {Pattern: "/out", Permissions: &nothing},
		}, paths); diff != "" || len(a.Paths) != 3 {
			t.Error(diff, len(a.Paths))
		}
		if diff := cmp.Diff([]auth.Mount{
			{Path: "/drop", Bucket: "spd", Prefix: "drop/alice/", Quota: auth.OwnQuota, QuotaBytes: 10, QuotaFiles: 2},
			{Path: "/shared", Bucket: "common", Prefix: "a/", ReadOnly: true, Quota: auth.SharedQuota},
		}, a.Mounts); diff != "" {
			t.Error(diff)
		}

		// They go with the account, and come back with nobody else of that name.
		check(t, d.DeleteUser(t.Context(), "alice"))
		d.exec("INSERT INTO users (username, password, bucket) VALUES ('alice', '{plain}x', 'spd')")
		if a, err := d.Find(t.Context(), "alice"); err != nil || len(a.Paths)+len(a.Mounts) != 0 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// The database refuses what it can.
func TestPartsConstraints(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		for _, query := range []string{
			"INSERT INTO user_paths (username, pattern) VALUES ('nobody', '/in')",
			"INSERT INTO user_paths (username, pattern) VALUES ('alice', NULL)",
			"INSERT INTO user_paths (username, pattern) VALUES ('alice', 'in')",
			"INSERT INTO user_paths (username, pattern) VALUES ('alice', '/a//b')",
			"INSERT INTO user_paths (username, pattern, permissions) VALUES ('alice', '/a', '')",
			"INSERT INTO user_paths (username, pattern, hidden) VALUES ('alice', '/a', 2)",
			"INSERT INTO user_paths (username, pattern) VALUES ('alice', '/a'), ('alice', '/a')",
			"INSERT INTO mounts (group_name, path) VALUES ('nobody', '/in')",
			"INSERT INTO mounts (username, path) VALUES ('alice', 'in')",
			"INSERT INTO mounts (username, path) VALUES ('alice', '/')",
			"INSERT INTO mounts (username, path, bucket) VALUES ('alice', '/a', '')",
			"INSERT INTO mounts (username, path, prefix) VALUES ('alice', '/a', '/b')",
			"INSERT INTO mounts (username, path, prefix) VALUES ('alice', '/a', 'b//c')",
			"INSERT INTO mounts (username, path, read_only) VALUES ('alice', '/a', 2)",
			"INSERT INTO mounts (username, path, quota) VALUES ('alice', '/a', 'mine')",
			"INSERT INTO mounts (username, path, quota, quota_bytes) VALUES ('alice', '/a', 'own', -1)",
			"INSERT INTO mounts (username, path, quota_bytes) VALUES ('alice', '/a', 5)",
			"INSERT INTO mounts (username, path) VALUES ('alice', '/a'), ('alice', '/a')",
		} {
			if _, err := d.foreignKeys().ExecContext(t.Context(), query); err == nil {
				t.Errorf("%s is allowed", query)
			}
		}
		if a, err := d.Find(t.Context(), "alice"); err != nil || len(a.Paths)+len(a.Mounts) != 0 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// What only SPD can tell is refused at login, and logged with table and column.
func TestFaultyParts(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for _, c := range []struct{ query, want string }{
			{"INSERT INTO user_paths (username, pattern) VALUES ('alice', '/[')", "user_paths.pattern of alice"},
			{"INSERT INTO user_paths (group_name, pattern) VALUES ('company', '/../a')", "user_paths.pattern of group company"},
			{"INSERT INTO user_paths (username, pattern, permissions) VALUES ('alice', '/a', 'all')", "user_paths.permissions of alice"},
			{"INSERT INTO user_paths (username, pattern) VALUES ('alice', '/a'), ('alice', '/a/')", "user_paths.id of alice: two rows for /a"},
			{"INSERT INTO mounts (username, path) VALUES ('alice', '/a/../b')", "mounts.path of alice"},
			{"INSERT INTO mounts (username, path, bucket) VALUES ('alice', '/a', 'x/y')", "mounts.bucket of alice"},
			{"INSERT INTO mounts (username, path, prefix) VALUES ('alice', '/a', '../b')", "mounts.prefix of alice"},
			{"INSERT INTO mounts (group_name, path, quota_bytes) VALUES ('office', '/a', 5)", "mounts.quota of group office"},
			{"INSERT INTO mounts (username, path) VALUES ('alice', '/a'), ('alice', '/a/')", "mounts.id of alice: two rows for /a"},
			{"INSERT INTO mounts (username, path) VALUES ('alice', '/a'), ('alice', '/a/b')",
				"mounts.path of alice: the mount /a/b lies within the mount /a"},
			{manyRows("mounts", "path", 10_000), "mounts.username of alice: more than 1000 rows"},
			{manyRows("user_paths", "pattern", 10_000), "user_paths.username of alice: more than 1000 rows"},
		} {
			d.exec("DELETE FROM user_paths")
			d.exec("DELETE FROM mounts")
			d.exec("DELETE FROM users")
			d.force("UPDATE `groups` SET parent = NULL")
			d.exec("DELETE FROM `groups`")
			addOffice(d)
			d.force(c.query)
			var log bytes.Buffer
			a := auth.New(d, auth.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			_, err := a.Login(t.Context(), "alice", "secret", auth.Connection{From: netip.MustParseAddr("192.0.2.1")})
			if !errors.Is(err, auth.ErrDenied) || !strings.Contains(log.String(), c.want) {
				t.Errorf("%.100s: %v, want ErrDenied and %q; log: %s", c.query, err, c.want, log.String())
			}
		}
		// A thousand are fine.
		d.exec("DELETE FROM user_paths")
		d.exec(manyRows("mounts", "path", auth.MaxMounts))
		if a, err := d.Find(t.Context(), "alice"); err != nil || len(a.Mounts) != auth.MaxMounts {
			t.Errorf("%d mounts: %v", auth.MaxMounts, err)
		}
	})
}

// manyRows is an INSERT of n rows of alice.
func manyRows(table, column string, n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("('alice', '/m%d')", i)
	}
	return fmt.Sprintf("INSERT INTO %s (username, %s) VALUES %s", table, column, strings.Join(rows, ", "))
}
