package db

import (
	"context"
	"fmt"
	"time"
)

// Lead implements upload.Journal. The first node to come gets the lease, keeps it as long
// as it renews it, and loses it to the next one when it no longer does.
func (d *DB) Lead(ctx context.Context, job, node string, now, until time.Time) (bool, error) {
	for range 2 { // the second time, the row is there
		n, err := d.exec(ctx, "UPDATE leases SET node = ?, lease = ? WHERE job = ? AND (node = ? OR lease < ?)",
			node, micros(until), job, node, micros(now))
		if err != nil {
			return false, fmt.Errorf("take the lease of %s: %w", job, err)
		}
		if n > 0 {
			return true, nil
		}
		_, err = d.exec(ctx, "INSERT INTO leases (job, node, lease) VALUES (?, ?, ?)", job, node, micros(until))
		switch {
		case err == nil:
			return true, nil
		case !d.dialect.exists(err):
			return false, fmt.Errorf("take the lease of %s: %w", job, err)
		}
	}
	return false, nil
}
