package db_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// onEach runs a test over SQLite and over a real MariaDB, each with the schema and nothing
// else in it.
func onEach(t *testing.T, test func(t *testing.T, d *testDB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, openTest(t, sqliteDSN(t), true)) })
	t.Run("mariadb", func(t *testing.T) { test(t, openTest(t, spdtest.MariaDB(t).DSN, true)) })
}

func sqliteDSN(t *testing.T) string {
	return "sqlite://" + filepath.Join(t.TempDir(), "a file?with 100% #odd name.db")
}

// testDB is a DB and a handle to do by SQL what an administrator does.
type testDB struct {
	*db.DB
	t   *testing.T
	dsn string
	sql *sql.DB
}

func openTest(t *testing.T, dsn string, migrate bool) *testDB {
	t.Helper()
	d := &testDB{DB: open(t, dsn), t: t, dsn: dsn, sql: openSQL(t, dsn)}
	if migrate {
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func open(t *testing.T, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dsn, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func openSQL(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, name := "sqlite", strings.TrimPrefix(dsn, "sqlite://")
	if rest, ok := strings.CutPrefix(dsn, "mysql://"); ok {
		account, rest, _ := strings.Cut(rest, "@")
		addr, database, _ := strings.Cut(rest, "/")
		cfg := mysql.NewConfig()
		cfg.User, cfg.Passwd, _ = strings.Cut(account, ":")
		cfg.Net, cfg.Addr, cfg.DBName = "tcp", addr, database
		driver, name = "mysql", cfg.FormatDSN()
	} else {
		name = "file://" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(name) + "?_pragma=busy_timeout(5000)"
	}
	handle, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = handle.Close() }) // only a test's own
	return handle
}

// exec runs SQL as an administrator would.
func (d *testDB) exec(query string, args ...any) {
	d.t.Helper()
	if _, err := d.sql.ExecContext(context.Background(), query, args...); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
}

// foreignKeys is the handle of an administrator who has told SQLite to mind foreign keys.
func (d *testDB) foreignKeys() *sql.DB {
	d.t.Helper()
	if strings.HasPrefix(d.dsn, "sqlite") {
		d.sql.SetMaxOpenConns(1)
		d.exec("PRAGMA foreign_keys = 1")
	}
	return d.sql
}

// force is exec without CHECK constraints, for rows that slip through.
func (d *testDB) force(query string, args ...any) {
	d.t.Helper()
	off, on := "SET check_constraint_checks = 0", "SET check_constraint_checks = 1"
	if strings.HasPrefix(d.dsn, "sqlite") {
		off, on = "PRAGMA ignore_check_constraints = 1", "PRAGMA ignore_check_constraints = 0"
	}
	conn, err := d.sql.Conn(context.Background())
	check(d.t, err)
	defer func() { _ = conn.Close() }() // only a test's own
	for _, statement := range []string{off, query, on} {
		var values []any
		if statement == query {
			values = args
		}
		if _, err := conn.ExecContext(context.Background(), statement, values...); err != nil {
			d.t.Fatalf("%s: %v", statement, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
