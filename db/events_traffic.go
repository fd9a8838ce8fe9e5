package db

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/spdscheme/spdserver/audit"
)

// traffic is what an account moved on a day, in a direction.
type traffic struct {
	day, user, direction string
	bytes, files         int64
}

// directionOf is "up", "down", or "" for what is no transfer.
func directionOf(a audit.Action) string {
	switch a {
	case audit.Upload:
		return "up"
	case audit.Download:
		return "down"
	}
	return ""
}

// trafficOf adds up transfers. Bytes count even if the transfer failed, files only if it
// did not. All nodes write rows in the order of the result: they wait for each other
// rather than lock each other out.
func trafficOf(events []audit.Event) []traffic {
	sums := make(map[traffic]traffic)
	for _, e := range events {
		direction := directionOf(e.Action)
		if direction == "" || (e.Bytes == 0 && e.Err != "") {
			continue
		}
		key := traffic{day: e.Time.UTC().Format(time.DateOnly), user: fit(e.User, 190), direction: direction}
		sum, ok := sums[key]
		if !ok {
			sum = key
		}
		sum.bytes += e.Bytes
		if e.Err == "" {
			sum.files++
		}
		sums[key] = sum
	}
	var all []traffic
	for _, sum := range sums {
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b traffic) int {
		return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.day, b.day), cmp.Compare(a.direction, b.direction))
	})
	return all
}

// addTraffic adds to the rows of traffic.
func (s *Events) addTraffic(ctx context.Context, tx *sql.Tx, sums []traffic) error {
	for _, sum := range sums {
		n, err := sum.update(ctx, tx)
		if err == nil && n == 0 {
			err = sum.insert(ctx, tx)
			if s.db.dialect.exists(err) { // another node was faster
				_, err = sum.update(ctx, tx)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t traffic) update(ctx context.Context, tx *sql.Tx) (int64, error) {
	result, err := tx.ExecContext(ctx, "UPDATE traffic SET bytes = bytes + ?, files = files + ? WHERE username = ? AND day = ? AND direction = ?",
		t.bytes, t.files, t.user, t.day, t.direction)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t traffic) insert(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO traffic (username, day, direction, bytes, files) VALUES (?, ?, ?, ?, ?)",
		t.user, t.day, t.direction, t.bytes, t.files)
	return err
}
