package db

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// statementTries is how often a statement is sent that the database gave up in favour of
// another (a deadlock).
const statementTries = 5

// exec runs a statement and returns how many rows it found.
func (d *DB) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	for try := 1; ; try++ {
		result, err := d.sql.ExecContext(ctx, query, args...)
		if err == nil {
			return result.RowsAffected()
		}
		if try == statementTries || !d.dialect.again(err) {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(time.Duration(try) * rand.N(20*time.Millisecond)): //nolint:gosec // no secret
		}
	}
}

// query calls row for every row of the answer, with a function that scans it. row must
// not use the database.
func (d *DB) query(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	rows, err := d.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// The formats that times are written in, always in UTC. SQLite compares them as text.
const (
	secondsLayout = "2006-01-02 15:04:05"        // DATETIME
	microsLayout  = "2006-01-02 15:04:05.000000" // DATETIME(6)
)

func micros(t time.Time) string { return t.UTC().Format(microsLayout) }

// parseTime reads what the drivers make of a DATETIME, and what people write into SQLite.
// Without a time zone it is UTC.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly, "2006-01-02 15:04:05.999999999Z07:00",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time like 2026-12-31 23:59:59", s)
}
