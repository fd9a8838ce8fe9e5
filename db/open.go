// Package db keeps accounts and the state shared by all nodes in MySQL, MariaDB or SQLite.
//
// A DB implements auth.Users, upload.Journal and store.Times. The schema is in
// package migrations. The dialects differ in dialect.go and nowhere else.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

// Options are what Open can do without.
type Options struct {
	Logger   *slog.Logger  // nil: silent
	MaxConns int           // connections to MySQL at most; 0: 16. SQLite has one
	Timeout  time.Duration // of one statement; 0: 10 s
}

// DB is a database. Its methods may be called concurrently. Every statement has a
// deadline of its own; errors are wrapped with what was being done and never hold the
// database's password.
type DB struct {
	sql     *sql.DB
	dialect dialect
	log     *slog.Logger
	timeout time.Duration
	source  source
}

var (
	_ auth.Users     = (*DB)(nil)
	_ upload.Journal = (*DB)(nil)
	_ store.Times    = (*DB)(nil)
)

// source is a database as a DSN names it.
type source interface {
	// open returns a handle whose single reads and writes take at most timeout.
	open(timeout time.Duration, maxConns int) (*sql.DB, error)
	// lock holds all other processes off the schema until unlock is called; ctx bounds
	// the wait. db is a handle of this source.
	lock(ctx context.Context, db *sql.DB) (unlock func() error, err error)
	dialect() dialect
}

// Open returns the database that dsn names:
//
//	mysql://user:password@host:3306/name?params    params as of github.com/go-sql-driver/mysql
//	sqlite:///absolute/path or sqlite://relative/path
//
// Special characters in the password may be percent-encoded. A MySQL server is not asked
// yet: see Ping and Wait. The caller closes the DB.
func Open(ctx context.Context, dsn string, o Options) (*DB, error) {
	src, err := parseDSN(dsn, o.Logger)
	if err != nil {
		return nil, err
	}
	d := &DB{dialect: src.dialect(), source: src, log: o.Logger, timeout: o.Timeout}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.timeout <= 0 {
		d.timeout = 10 * time.Second
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 16
	}
	if d.sql, err = src.open(d.timeout, o.MaxConns); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if _, ok := src.(sqlite); !ok {
		return d, nil
	}
	if err := d.Ping(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func parseDSN(dsn string, log *slog.Logger) (source, error) {
	scheme, rest, _ := strings.Cut(dsn, "://")
	switch scheme {
	case "mysql":
		return parseMySQL(rest, log)
	case "sqlite":
		return parseSQLite(rest)
	}
	return nil, errors.New("database dsn: use mysql://user:password@host:3306/name or sqlite:///path")
}

// Close closes all connections.
func (d *DB) Close() error { return d.sql.Close() }

// Ping tells whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := d.sql.PingContext(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Wait pings until the database answers or ctx ends. Every few seconds it logs that it is
// still waiting, and why. What waiting does not cure, such as a wrong password, is returned
// at once.
func (d *DB) Wait(ctx context.Context) error {
	pause := 250 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := d.Ping(ctx)
		if err == nil || d.dialect.refused(err) {
			return err
		}
		d.log.WarnContext(ctx, "waiting for database", "attempt", attempt, "err", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for database: %w", errors.Join(ctx.Err(), err))
		case <-time.After(pause):
		}
		pause = min(2*pause, 4*time.Second)
	}
}
