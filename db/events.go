package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/audit"
)

// eventGather is how long an event may wait for others: a busy node makes one transaction
// a second of them, and a crash loses no more than that.
const eventGather = time.Second

// Events is the table events as a sink of the audit trail.
type Events struct{ db *DB }

var (
	_ audit.Gatherer = (*Events)(nil)
	_ audit.Follower = (*Events)(nil)
)

// Events returns a sink. It does not close the DB.
func (d *DB) Events() *Events { return &Events{d} }

// String returns "sql".
func (*Events) String() string { return "sql" }

// Gather implements audit.Gatherer.
func (*Events) Gather() time.Duration { return eventGather }

// Close does nothing.
func (*Events) Close() error { return nil }

// errWritten: the events are there already.
var errWritten = errors.New("written before")

// FollowsTransfers implements audit.Follower.
func (*Events) FollowsTransfers() {}

// Write writes all events, and the traffic they make, in one transaction, so that they
// are there together, and once.
func (s *Events) Write(ctx context.Context, all []audit.Event) (int, error) {
	events, running := partProgress(all)
	err := s.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := insertEvents(ctx, tx, events)
		switch {
		case s.db.dialect.exists(err): // the first attempt succeeded, but its answer was lost
			return errWritten
		case err != nil:
			return err
		}
		return s.countTraffic(ctx, tx, events, running)
	})
	if err != nil && !errors.Is(err, errWritten) {
		return 0, fmt.Errorf("write events: %w", err)
	}
	return len(all), nil
}

// transact does what do does, or nothing. do may be called again, if the database gave up
// in favour of another transaction.
func (d *DB) transact(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	for try := 1; ; try++ {
		err := d.attempt(ctx, do)
		if err == nil || try == statementTries || !d.dialect.again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * rand.N(20*time.Millisecond)): //nolint:gosec // no secret
		}
	}
}

func (d *DB) attempt(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		_ = tx.Rollback() // or the database does, when the connection ends
		return err
	}
	return tx.Commit()
}

func insertEvents(ctx context.Context, tx *sql.Tx, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	rows := strings.Repeat(row+", ", len(events)-1) + row
	var args []any
	for _, e := range events {
		secure := 0
		if e.TLS {
			secure = 1
		}
		args = append(args, micros(e.Time), e.ID, fit(e.Node, 255), fit(e.Session, 64), fit(e.User, 255), fit(e.Remote, 64), secure,
			string(e.Action), fit(e.Path, 2048), fit(e.Target, 2048), e.Bytes, e.Duration.Milliseconds(), fit(cmp.Or(e.Err, e.Reason), 255))
	}
	const columns = "time, id, node, session, username, remote, tls, action, path, target, bytes, duration_ms, error"
	_, err := tx.ExecContext(ctx, "INSERT INTO events ("+columns+") VALUES "+rows, args...) //nolint:gosec // rows has question marks only
	return err
}

// fit makes s text that a column of so many characters takes: a client may say anything.
func fit(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit])
	}
	return s
}

// PruneEvents deletes the rows of events from before a time, a few at once, and returns
// how many there were.
func (d *DB) PruneEvents(ctx context.Context, before time.Time) (total int64, err error) {
	const few = 1000
	for {
		var newest sql.NullString
		err := d.query(ctx, func(scan func(...any) error) error { return scan(&newest) },
			"SELECT MAX(time) FROM (SELECT time FROM events WHERE time < ? ORDER BY time LIMIT ?) AS oldest", micros(before), few)
		if err != nil {
			return total, fmt.Errorf("find old events: %w", err)
		}
		if !newest.Valid {
			return total, nil
		}
		until, err := parseTime(newest.String)
		if err != nil {
			return total, fmt.Errorf("events.time: %w", err)
		}
		n, err := d.exec(ctx, "DELETE FROM events WHERE time <= ?", micros(until))
		if err != nil {
			return total, fmt.Errorf("delete old events: %w", err)
		}
		total += n
	}
}
