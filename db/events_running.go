package db

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/spdscheme/spdserver/audit"
)

// partProgress parts events from those that only tell how far a transfer has come: of each
// transfer the last, and none if it has ended.
func partProgress(all []audit.Event) (events, running []audit.Event) {
	latest := make(map[string]audit.Event)
	for _, e := range all {
		if e.Running {
			latest[e.Transfer] = e
			continue
		}
		delete(latest, e.Transfer)
		events = append(events, e)
	}
	// In one order, so that nodes wait for each other rather than lock each other out.
	running = slices.SortedFunc(maps.Values(latest), func(a, b audit.Event) int { return cmp.Compare(a.Transfer, b.Transfer) })
	return events, running
}

// countTraffic counts what has been moved: by transfers that have ended for good, by those
// that go on in rows of their own, which the end takes back.
func (s *Events) countTraffic(ctx context.Context, tx *sql.Tx, events, running []audit.Event) error {
	if err := s.addTraffic(ctx, tx, trafficOf(events)); err != nil {
		return err
	}
	var ended []any
	for _, e := range events {
		if e.Transfer != "" {
			ended = append(ended, e.Transfer)
		}
	}
	if len(ended) > 0 {
		_, err := tx.ExecContext(ctx, "DELETE FROM traffic_running WHERE id IN "+placeholders(len(ended)), ended...) //nolint:gosec // question marks only
		if err != nil {
			return err
		}
	}
	return s.setRunning(ctx, tx, running)
}

func (s *Events) setRunning(ctx context.Context, tx *sql.Tx, running []audit.Event) error {
	if len(running) == 0 {
		return nil
	}
	var args []any
	for _, e := range running {
		args = append(args, e.Transfer, fit(e.User, 190), e.Time.UTC().Format(time.DateOnly), directionOf(e.Action), e.Bytes, micros(e.Time))
	}
	statement := "INSERT INTO traffic_running (id, username, day, direction, bytes, updated_at) VALUES " + //nolint:gosec // question marks and names of columns only
		repeated(placeholders(6), ", ", len(running)) + s.db.dialect.upsert([]string{"id"}, []string{"day", "bytes", "updated_at"})
	_, err := tx.ExecContext(ctx, statement, args...)
	return err
}

// settleTraffic moves what transfers of nodes that have died had moved, before a time, to
// the traffic of their accounts.
func (d *DB) settleTraffic(ctx context.Context, before time.Time) error {
	var left []traffic
	var ids []string
	err := d.query(ctx, func(scan func(...any) error) error {
		var id string
		var t traffic
		err := scan(&id, &t.user, &t.day, &t.direction, &t.bytes)
		ids, left = append(ids, id), append(left, t)
		return err
	}, "SELECT id, username, day, direction, bytes FROM traffic_running WHERE updated_at < ? ORDER BY id LIMIT 1000", micros(before))
	if err != nil {
		return err
	}
	for i, t := range left {
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, "DELETE FROM traffic_running WHERE id = ?", ids[i])
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); n == 0 || err != nil {
				return err
			}
			return d.Events().addTraffic(ctx, tx, []traffic{t})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
