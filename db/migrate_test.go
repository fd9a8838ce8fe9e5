package db_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

func fileMode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	return info.Mode().Perm()
}

// Ten nodes that start at once on an empty database all find a migrated one.
func TestMigrateAtOnce(t *testing.T) {
	for name, dsn := range map[string]string{"sqlite": sqliteDSN(t), "mariadb": spdtest.MariaDB(t).DSN} {
		t.Run(name, func(t *testing.T) {
			handles := make([]*db.DB, 10)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range handles {
				wg.Go(func() {
					<-start
					d, err := db.Open(t.Context(), dsn, db.Options{})
					if err != nil {
						t.Error(err)
						return
					}
					handles[i] = d
					if err := d.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
					if err := d.CheckSchema(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()
			for _, d := range handles {
				if d != nil {
					check(t, d.Close())
				}
			}
			// Every step was done once, not by several of them at a time.
			var rows, steps int
			check(t, openSQL(t, dsn).QueryRowContext(t.Context(),
				"SELECT COUNT(*), COUNT(DISTINCT version_id) FROM goose_db_version").Scan(&rows, &steps))
			if rows != steps {
				t.Errorf("%d steps were done %d times", steps, rows)
			}
		})
	}
}

func TestMigrateAgain(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		check(t, d.CreateUser(t.Context(), newAccount("alice")))
		check(t, d.Migrate(t.Context()))
		if _, err := d.Find(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
	})
}

// A process that died between a CREATE TABLE and the note that the step is done must not
// leave a database that nobody can migrate.
func TestMigrateAfterCrash(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("DELETE FROM goose_db_version WHERE version_id > 0")
		if err := d.CheckSchema(t.Context()); !errors.Is(err, db.ErrSchemaOld) {
			t.Errorf("CheckSchema: %v", err)
		}
		check(t, d.Migrate(t.Context()))
		check(t, d.CheckSchema(t.Context()))
	})
}

func TestNewerSchemaIsLeftAlone(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		d.exec("DROP TABLE object_times")
		d.exec("DELETE FROM goose_db_version WHERE version_id = 4")
		for _, err := range []error{d.CheckSchema(t.Context()), d.Migrate(t.Context())} {
			if !errors.Is(err, db.ErrSchemaNew) {
				t.Errorf("%v, want ErrSchemaNew", err)
			}
		}
		if _, err := d.sql.ExecContext(t.Context(), "SELECT 1 FROM object_times"); err == nil {
			t.Error("the table was made")
		}
	})
}

func TestEmptyDatabaseIsOld(t *testing.T) {
	for name, dsn := range map[string]string{"sqlite": sqliteDSN(t), "mariadb": spdtest.MariaDB(t).DSN} {
		t.Run(name, func(t *testing.T) {
			if err := open(t, dsn).CheckSchema(t.Context()); !errors.Is(err, db.ErrSchemaOld) {
				t.Errorf("CheckSchema: %v", err)
			}
		})
	}
}
