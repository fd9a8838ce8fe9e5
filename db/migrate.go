package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/spdscheme/spdserver/migrations"
)

const (
	migrateTimeout = 30 * time.Minute // for all steps, and for others' steps before
	versionTable   = goose.DefaultTablename
)

// Migrate brings the schema up to what this program knows. Any number of processes may
// call it at once: one does the work, the others wait for it. A schema that is newer than
// the program is an error, and left alone.
func (d *DB) Migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	if err := d.migrate(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// migrate works on connections of its own, as a step may take longer than any other
// statement.
func (d *DB) migrate(ctx context.Context) (err error) {
	handle, err := d.source.open(migrateTimeout, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	unlock, err := d.source.lock(ctx, handle)
	if err != nil {
		return fmt.Errorf("lock the schema: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	provider, err := newProvider(d.dialect.goose, handle)
	if err != nil {
		return err
	}
	if err := d.CheckSchema(ctx); !errors.Is(err, ErrSchemaOld) {
		return err
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		d.log.InfoContext(ctx, "schema migrated", "step", r.Source.Version, "took", r.Duration)
	}
	return err
}

// ErrSchemaOld: the database lacks steps that this program needs; Migrate does them.
var ErrSchemaOld = errors.New("the database schema is older than this program: run spdserver migrate")

// ErrSchemaNew: the database was migrated by a newer program.
var ErrSchemaNew = errors.New("the database schema is newer than this program: use a newer spdserver")

// CheckSchema tells whether the schema is the one this program was made for: nil,
// ErrSchemaOld or ErrSchemaNew. It changes nothing.
func (d *DB) CheckSchema(ctx context.Context) error {
	var have sql.NullInt64
	err := d.query(ctx, func(scan func(...any) error) error { return scan(&have) },
		"SELECT MAX(version_id) FROM "+versionTable)
	if err != nil && !d.dialect.noTable(err) {
		return fmt.Errorf("read schema version: %w", err)
	}
	want, err := newestStep(d.dialect.goose)
	switch {
	case err != nil:
		return err
	case have.Int64 < want:
		return fmt.Errorf("%w (version %d, not %d)", ErrSchemaOld, have.Int64, want)
	case have.Int64 > want:
		return fmt.Errorf("%w (version %d, not %d)", ErrSchemaNew, have.Int64, want)
	}
	return nil
}

func newProvider(dialect goose.Dialect, handle *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(dialect, handle, migrations.FS,
		goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(goSteps(dialect)...))
}

// newestStep is the number of the last file in migrations, or of the last of goSteps.
func newestStep(dialect goose.Dialect) (newest int64, err error) {
	files, err := migrations.FS.ReadDir(".")
	for _, file := range files {
		n, numberErr := goose.NumericComponent(file.Name())
		err = errors.Join(err, numberErr)
		newest = max(newest, n)
	}
	for _, step := range goSteps(dialect) {
		newest = max(newest, step.Version)
	}
	return newest, err
}
