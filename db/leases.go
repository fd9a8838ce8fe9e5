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
		n, err := d.exec(ctx, "UPDATE leases SET node = ?, lease = "+d.at(until)+" WHERE job = ? AND (node = ? OR lease < "+d.at(now)+")",
			node, job, node)
		if err != nil {
			return false, fmt.Errorf("take the lease of %s: %w", job, err)
		}
		if n > 0 {
			return true, nil
		}
		_, err = d.exec(ctx, "INSERT INTO leases (job, node, lease) VALUES (?, ?, "+d.at(until)+")", job, node)
		switch {
		case err == nil:
			return true, nil
		case !d.dialect.exists(err):
			return false, fmt.Errorf("take the lease of %s: %w", job, err)
		}
	}
	return false, nil
}

// at is a time of this node's clock by that of the database, so that nodes need not agree
// on what time it is.
func (d *DB) at(t time.Time) string { return d.dialect.now(time.Until(t)) }

// localTime is a time of the database, which says that it is now, by this node's clock.
func localTime(text, now string) (time.Time, error) {
	t, err := parseTime(text)
	if err != nil {
		return time.Time{}, err
	}
	there, err := parseTime(now)
	if err != nil {
		return time.Time{}, err
	}
	return time.Now().Add(t.Sub(there)), nil
}
