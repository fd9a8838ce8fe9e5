package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/migrations"
	"github.com/spdscheme/spdserver/quota"
)

// What the database itself refuses in users and groups.
func TestAccountConstraints(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		mysqlOnly := []string{
			"permissions = 'all'", "permissions = 'rw,'", "permissions = 'RW'", "permissions = 'list download'",
			"prefix = '../x'", "prefix = 'a/./b'", "prefix = '/a'", "prefix = 'a//b'", "allowed_cidrs = 'office'",
		}
		for _, change := range append([]string{
			"bucket = ''", "status = 'asleep'", "status = NULL", "quota_bytes = -1", "quota_files = -1", "max_file_size = -1",
			"max_sessions = -1", "upload_rate = -1", "download_rate = -1", "tls_required = 2",
		}, mysqlOnly...) {
			for _, table := range []string{"users", "groups"} {
				_, err := d.sql.ExecContext(t.Context(), "UPDATE `"+table+"` SET "+change)
				sqliteCannot := strings.HasPrefix(d.dsn, "sqlite") && strings.Contains(strings.Join(mysqlOnly, "\n"), change)
				if err == nil && !sqliteCannot {
					t.Errorf("UPDATE %s SET %s is allowed", table, change)
				}
			}
		}
	})
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		for _, change := range []string{
			"permissions = 'rw'", "permissions = 'list, download ,mkdir'", "permissions = 'upload-only,list'", "permissions = 'none'",
			"permissions = NULL", "prefix = 'a..b/…/c'", "prefix = ''", "allowed_cidrs = '10.0.0.0/8, 2001:DB8::1'", "allowed_cidrs = ''",
			"quota_bytes = 9223372036854775807", "tls_required = 1", "allowed_names = '*.pdf,*.xml'", "allowed_hours = '08:00-18:00'",
		} {
			for _, table := range []string{"users", "groups"} {
				d.exec("UPDATE `" + table + "` SET " + change)
			}
			if _, err := d.Find(t.Context(), "alice"); err != nil {
				t.Errorf("%s: %v", change, err)
			}
		}
	})
}

// NULL in every column that takes it is an account with all defaults.
func TestNullsEverywhere(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("INSERT INTO users (username, password, bucket) VALUES ('alice', '{plain}secret', 'spd')")
		for _, column := range db.Inheritable() {
			if column != "bucket" {
				d.exec("UPDATE users SET " + column + " = NULL")
			}
		}
		d.exec("UPDATE users SET ro_password = NULL, group_name = NULL, charset_seen = NULL, password_expires_at = NULL, note = NULL, last_login_at = NULL")
		expect(t, d, auth.Account{
			User:     auth.User{Name: "alice", Bucket: "spd", Permissions: auth.ReadWrite},
			Password: "{plain}secret", Status: auth.Active,
		})
	})
}

// updated_at follows any change but what SPD notes at logins.
func TestUpdatedAt(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		old := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		d.exec("UPDATE users SET updated_at = '2001-01-01 00:00:00'")
		d.exec("UPDATE `groups` SET updated_at = '2001-01-01 00:00:00'")
		updated := func() time.Time {
			t.Helper()
			a, err := d.Find(t.Context(), "alice")
			check(t, err)
			return a.UpdatedAt
		}
		check(t, d.LoggedIn(t.Context(), "alice", time.Now()))
		check(t, d.SetCharsetSeen(t.Context(), "alice", "GBK"))
		if got := updated(); !got.Equal(old) {
			t.Errorf("a login makes it %v", got)
		}
		d.exec("UPDATE users SET quota_bytes = 5")
		if got := updated(); time.Since(got).Abs() > time.Hour {
			t.Errorf("a change makes it %v", got)
		}
		d.exec("UPDATE `groups` SET note = 'changed' WHERE name = 'office'")
		var changed, kept int
		check(t, d.sql.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM `groups` WHERE updated_at > '2001-01-02' AND name = 'office'").Scan(&changed))
		check(t, d.sql.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM `groups` WHERE updated_at < '2001-01-02' AND name = 'company'").Scan(&kept))
		if changed != 1 || kept != 1 {
			t.Errorf("%d group changed, %d kept", changed, kept)
		}
	})
}

func TestUsageView(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addOffice(d)
		d.exec("INSERT INTO users (username, password, bucket) VALUES ('free', '{plain}x', 'spd'), ('new', '{plain}x', 'spd')")
		d.exec("UPDATE `groups` SET quota_files = 3 WHERE name = 'company'")
		countOf(t, d.DB, quota.Name{User: "alice"}, quota.Amount{Bytes: 50, Files: 1})
		countOf(t, d.DB, quota.Name{User: "free"}, quota.Amount{Bytes: 7, Files: 7})
		rows, err := d.sql.QueryContext(t.Context(), `SELECT CONCAT_WS(' ', username, COALESCE(bytes, '-'), quota_bytes,
			COALESCE(bytes_percent, '-'), COALESCE(files, '-'), quota_files, COALESCE(files_percent, '-')) FROM v_usage ORDER BY username`)
		check(t, err)
		defer func() { _ = rows.Close() }() // only read
		var got []string
		for rows.Next() {
			var line string
			check(t, rows.Scan(&line))
			got = append(got, line)
		}
		check(t, rows.Err())
		want := []string{"alice 50 200 25.0 1 3 33.3", "free 7 0 - 7 0 -", "new - 0 - - 0 -"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// migrateTo8 makes the schema as it was before groups.
func migrateTo8(t *testing.T, d *testDB) {
	t.Helper()
	dialect, old := goose.DialectMySQL, fstest.MapFS{}
	if strings.HasPrefix(d.dsn, "sqlite") {
		dialect = goose.DialectSQLite3
	}
	files, err := migrations.FS.ReadDir(".")
	check(t, err)
	for _, file := range files {
		if file.Name() < "00008" {
			data, err := migrations.FS.ReadFile(file.Name())
			check(t, err)
			old[file.Name()] = &fstest.MapFile{Data: data}
		}
	}
	old["00008_seen.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE users ADD COLUMN charset_seen VARCHAR(64) DEFAULT NULL;\n")}
	provider, err := goose.NewProvider(dialect, d.sql, old, goose.WithDisableGlobalRegistry(true))
	check(t, err)
	_, err = provider.Up(t.Context())
	check(t, err)
}

// Accounts of before are what they were, with their counts; what never worked is kept in the
// note.
func TestMigrateOldAccounts(t *testing.T) {
	for name, dsn := range map[string]string{"sqlite": sqliteDSN(t), "mariadb": spdtest.MariaDB(t).DSN} {
		t.Run(name, func(t *testing.T) {
			d := openTest(t, dsn, false)
			migrateTo8(t, d)
			d.exec(`INSERT INTO users (username, password, ro_password, bucket, prefix, permissions, status, quota_bytes, quota_files,
				max_sessions, upload_rate, download_rate, allowed_cidrs, charset, charset_seen, expires_at, updated_at) VALUES
				('客户 №1', ?, '{plain}look', 'spd', '客户 №1/', 'list,upload', 'suspended', 1152921504606846976, 1000000,
				3, 1099511627776, 1048576, '10.0.0.0/8,2001:db8::/32', 'GB18030', NULL, '2099-12-31 23:59:59', '2001-01-01 00:00:00')`, hash)
			d.exec("INSERT INTO users (username, password, bucket) VALUES ('plain', '{plain}secret', 'spd')")
			d.exec(`INSERT INTO users (username, password, bucket, permissions, prefix, allowed_cidrs)
				VALUES ('bad', '{plain}x', 'spd', 'all', '/bad', 'office')`)
			d.exec("INSERT INTO usage_counts (username, bytes, files) VALUES ('plain', 5, 1)")
			check(t, d.Migrate(t.Context()))
			expect(t, d, fullAccount("客户 №1"))
			expect(t, d, auth.Account{
				User:     auth.User{Name: "plain", Bucket: "spd", Permissions: auth.ReadWrite},
				Password: "{plain}secret", Status: auth.Active,
			})
			if used, err := d.Counts().Used(t.Context(), quota.Name{User: "plain"}); used != (quota.Amount{Bytes: 5, Files: 1}) || err != nil {
				t.Errorf("used %+v, %v", used, err)
			}
			if a, err := d.Find(t.Context(), "客户 №1"); err != nil || a.UpdatedAt.Year() != 2001 {
				t.Errorf("updated at %v, %v", a.UpdatedAt, err)
			}
			bad, err := d.Find(t.Context(), "bad")
			if name == "mariadb" && (err != nil || bad.Status != auth.Suspended || bad.Permissions != 0 ||
				bad.Note != "permissions was: all; prefix was: /bad; allowed_cidrs was: office") {
				t.Errorf("bad: %+v, %v", bad, err)
			}
			if name == "sqlite" && err == nil {
				t.Errorf("bad: %+v", bad)
			}
			check(t, d.DeleteUser(t.Context(), "plain")) // and its counts
			d.exec("DELETE FROM goose_db_version WHERE version_id > 8")
			check(t, d.Migrate(t.Context()))
		})
	}
}

// addMany makes n accounts, of which every second is in a group.
func addMany(t testing.TB, d *db.DB, exec func(string), n int) {
	t.Helper()
	exec("INSERT INTO `groups` (name, bucket, prefix) VALUES ('company', 'spd', 'home/%u/')")
	exec("INSERT INTO `groups` (name, parent) VALUES ('office', 'company')")
	exec(fmt.Sprintf(`INSERT INTO users (username, password, bucket, group_name)
		WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
		SELECT CONCAT('user', 1000 * a.n + b.n), '{plain}secret', 'spd', CASE b.n %% 2 WHEN 0 THEN 'office' END
		FROM numbers a JOIN numbers b ON b.n < 1000 WHERE a.n < %d`, max(1000, n/1000)-1, n/1000))
	exec("INSERT INTO mounts (username, path) SELECT username, '/m' FROM users WHERE username LIKE '%7'")
	exec("INSERT INTO user_paths (username, pattern) SELECT username, '/m' FROM users WHERE username LIKE '%7'")
	if _, err := d.Find(context.Background(), "user70"); err != nil {
		t.Fatal(err)
	}
}

// A login reads a few rows by index, however many accounts there are.
func TestLoginReadsByIndex(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		addMany(t, d.DB, func(query string) { d.exec(query) }, 20_000)
		if strings.HasPrefix(d.dsn, "mysql") {
			d.exec("ANALYZE TABLE users, mounts, user_paths")
		}
		queries, err := db.LoginQueries(t.Context(), d.DB, "user77", "user70")
		check(t, err)
		if len(queries) != 2 {
			t.Errorf("a login takes %d queries", len(queries))
		}
		for _, q := range queries {
			for _, line := range d.plan(q.Text, q.Args...) {
				if wholeTable.MatchString(line) {
					t.Errorf("a table is read as a whole: %s", line)
				}
			}
		}
		if plan := d.plan("SELECT * FROM users WHERE note = 'x'"); !wholeTable.MatchString(strings.Join(plan, "\n")) {
			t.Errorf("this test does not see when a table is read as a whole: %s", plan)
		}
	})
}

// wholeTable finds it in a plan of SQLite or MySQL.
var wholeTable = regexp.MustCompile(`SCAN (users|mounts|user_paths)|(users|mounts|user_paths)[ <nil>]* (ALL|index) `)

// plan is how the database answers a query, a line for each step.
func (d *testDB) plan(query string, args ...any) (lines []string) {
	d.t.Helper()
	explain := "EXPLAIN "
	if strings.HasPrefix(d.dsn, "sqlite") {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := d.sql.QueryContext(d.t.Context(), explain+query, args...)
	check(d.t, err)
	defer func() { _ = rows.Close() }() // only read
	columns, err := rows.Columns()
	check(d.t, err)
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		check(d.t, rows.Scan(targets...))
		var line strings.Builder
		for _, cell := range cells {
			line.WriteString(cell.String + " ")
		}
		lines = append(lines, line.String())
	}
	check(d.t, rows.Err())
	return lines
}

// BenchmarkFind is what a login reads among 1,000,000 accounts.
func BenchmarkFind(b *testing.B) {
	for name, dsn := range map[string]string{
		"sqlite": "sqlite://" + filepath.Join(b.TempDir(), "spd.db"), "mariadb": spdtest.MariaDB(b).DSN,
	} {
		b.Run(name, func(b *testing.B) {
			d, err := db.Open(b.Context(), dsn, db.Options{})
			if err == nil {
				err = d.Migrate(b.Context())
			}
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = d.Close() }() // only a benchmark's own
			handle := openSQL(b, dsn)
			addMany(b, d, func(query string) {
				if _, err := handle.ExecContext(b.Context(), query); err != nil {
					b.Fatalf("%s: %v", query, err)
				}
			}, 1_000_000)
			for i := 0; b.Loop(); i++ {
				if _, err := d.Find(b.Context(), fmt.Sprintf("user%d", i*7919%1_000_000)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A login takes two queries, whether there is such an account or not, so that the time tells
// nothing.
func TestQueriesOfLogin(t *testing.T) {
	d := openTest(t, spdtest.MariaDB(t).DSN, true)
	addOffice(d)
	selects := func() (n int) {
		t.Helper()
		var name string
		check(t, d.sql.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Com_select'").Scan(&name, &n))
		return n
	}
	for _, name := range []string{"alice", "nobody"} {
		before := selects()
		_, _ = d.Find(t.Context(), name) // one of them is not there
		if n := selects() - before; n != 2 {
			t.Errorf("%s: %d queries", name, n)
		}
	}
}
