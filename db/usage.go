package db

import (
	"context"
	"fmt"
	"time"

	"github.com/spdscheme/spdserver/quota"
)

// Counts are the tables usage_counts, place_counts and reservations.
type Counts struct{ *DB }

var _ quota.Counts = Counts{}

// Counts returns what counts for quotas.
func (d *DB) Counts() Counts { return Counts{d} }

// countOf is where a count is: the table, the condition that selects its row, and the
// condition's argument.
func countOf(n quota.Name) (table, where string, key any) {
	if n.User != "" {
		return "usage_counts", " WHERE username = ?", n.User
	}
	return "place_counts", " WHERE place = ?", n.Place
}

// Charge implements quota.Counts. The limit is checked by the statement that adds, so that
// nodes cannot exceed it together.
func (d Counts) Charge(ctx context.Context, n quota.Name, add, limit quota.Amount) error {
	for range 2 { // a count that others have made between the two questions is asked again
		charged, err := d.charge(ctx, n, add, limit)
		if charged || err != nil {
			return err
		}
		used, err := d.Used(ctx, n)
		if err != nil {
			return err
		}
		if exceeds(used.Bytes, add.Bytes, limit.Bytes) || exceeds(used.Files, add.Files, limit.Files) {
			return quota.ErrExceeded
		}
	}
	return quota.ErrExceeded
}

// exceeds tells whether a charge would be above the limit; 0: there is none.
func exceeds(used, add, limit int64) bool { return add > 0 && limit > 0 && used+add > limit }

// charge is false if the quota does not allow it, or nobody has counted yet.
func (d Counts) charge(ctx context.Context, n quota.Name, add, limit quota.Amount) (bool, error) {
	table, where, key := countOf(n)
	changed, err := d.exec(ctx, "UPDATE "+table+` SET bytes = bytes + ?, files = files + ?,
		added_bytes = added_bytes + ?, added_files = added_files + ?, changes = changes + 1`+where+` AND known = 1
		AND (? <= 0 OR ? <= 0 OR bytes + ? <= ?) AND (? <= 0 OR ? <= 0 OR files + ? <= ?)`,
		add.Bytes, add.Files, max(add.Bytes, 0), max(add.Files, 0), key,
		add.Bytes, limit.Bytes, add.Bytes, limit.Bytes, add.Files, limit.Files, add.Files, limit.Files)
	if err != nil {
		return false, fmt.Errorf("charge usage: %w", err)
	}
	return changed > 0, nil
}

// Used implements quota.Counts.
func (d Counts) Used(ctx context.Context, n quota.Name) (used quota.Amount, err error) {
	found := false
	table, where, key := countOf(n)
	err = d.query(ctx, func(scan func(...any) error) error {
		found = true
		return scan(&used.Bytes, &used.Files)
	}, "SELECT bytes, files FROM "+table+where+" AND known = 1", key)
	if err != nil {
		return used, fmt.Errorf("read usage: %w", err)
	}
	if !found {
		return used, fmt.Errorf("read usage: %w", quota.ErrNotCounted)
	}
	return used, nil
}

// BeginCount implements quota.Counts.
func (d Counts) BeginCount(ctx context.Context, n quota.Name) (sofar quota.Charged, counted bool, err error) {
	sofar, counted, found, err := d.charged(ctx, n)
	if err != nil || found {
		return sofar, counted, err
	}
	table, _, key := countOf(n)
	column := "username"
	if n.User == "" {
		column = "place"
	}
	_, err = d.exec(ctx, "INSERT INTO "+table+" ("+column+", known) VALUES (?, 0)", key)
	switch {
	case err != nil && d.dialect.noParent(err):
		return sofar, false, fmt.Errorf("begin count: %w", quota.ErrNoAccount)
	case err != nil && !d.dialect.exists(err): // another has begun at the same time
		return sofar, false, fmt.Errorf("begin count: %w", err)
	}
	sofar, counted, _, err = d.charged(ctx, n)
	return sofar, counted, err
}

func (d Counts) charged(ctx context.Context, n quota.Name) (c quota.Charged, counted, found bool, err error) {
	table, where, key := countOf(n)
	err = d.query(ctx, func(scan func(...any) error) error {
		found = true
		return scan(&c.Bytes, &c.Files, &c.Changes, &counted)
	}, "SELECT added_bytes, added_files, changes, known = 1 FROM "+table+where, key)
	if err != nil {
		err = fmt.Errorf("read count: %w", err)
	}
	return c, counted, found, err
}

// EndCount implements quota.Counts.
func (d Counts) EndCount(ctx context.Context, n quota.Name, found quota.Amount, since quota.Charged, first bool) (exact bool, err error) {
	table, where, key := countOf(n)
	if first {
		where += " AND known = 0"
	}
	_, err = d.exec(ctx, "UPDATE "+table+` SET bytes = ? + added_bytes - ?, files = ? + added_files - ?,
		known = 1, counted_at = CURRENT_TIMESTAMP`+where, found.Bytes, since.Bytes, found.Files, since.Files, key)
	if err != nil {
		return false, fmt.Errorf("end count: %w", err)
	}
	now, _, _, err := d.charged(ctx, n)
	return now == since, err
}

// Reserve implements quota.Counts.
func (d Counts) Reserve(ctx context.Context, r quota.Reservation) error {
	_, err := d.exec(ctx, "INSERT INTO reservations (username, place, node, bytes, files, lease) VALUES (?, ?, ?, ?, ?, "+d.at(r.Lease)+")"+
		d.dialect.upsert([]string{"username", "place", "node"}, []string{"bytes", "files", "lease"}),
		r.User, r.Place, r.Node, r.Most.Bytes, r.Most.Files)
	if err != nil {
		return fmt.Errorf("reserve: %w", err)
	}
	return nil
}

// Unreserve implements quota.Counts.
func (d Counts) Unreserve(ctx context.Context, n quota.Name, node string, until time.Time) error {
	statement := "DELETE FROM reservations WHERE username = ? AND place = ? AND node = ?"
	args := []any{n.User, n.Place, node}
	if !until.IsZero() {
		statement += " AND lease < " + d.at(until)
	}
	if _, err := d.exec(ctx, statement, args...); err != nil {
		return fmt.Errorf("end reservation: %w", err)
	}
	return nil
}

// Renew implements quota.Counts.
func (d Counts) Renew(ctx context.Context, node string, lease time.Time) error {
	if _, err := d.exec(ctx, "UPDATE reservations SET lease = "+d.at(lease)+" WHERE node = ?", node); err != nil {
		return fmt.Errorf("renew reservations: %w", err)
	}
	return nil
}

// Reserved implements quota.Counts.
func (d Counts) Reserved(ctx context.Context, n quota.Name) ([]quota.Reservation, error) {
	return d.reservations(ctx, "username = ? AND place = ?", n.User, n.Place)
}

// Expired implements quota.Counts.
func (d Counts) Expired(ctx context.Context, before time.Time) ([]quota.Reservation, error) {
	return d.reservations(ctx, "lease < "+d.at(before)+" ORDER BY lease")
}

func (d Counts) reservations(ctx context.Context, where string, args ...any) ([]quota.Reservation, error) {
	var found []quota.Reservation
	err := d.query(ctx, func(scan func(...any) error) error {
		var r quota.Reservation
		var lease, now string
		if err := scan(&r.User, &r.Place, &r.Node, &r.Most.Bytes, &r.Most.Files, &lease, &now); err != nil {
			return err
		}
		var err error
		if r.Lease, err = localTime(lease, now); err != nil {
			return fmt.Errorf("reservations.lease: %w", err)
		}
		found = append(found, r)
		return nil
	}, "SELECT username, place, node, bytes, files, lease, "+d.dialect.now(0)+" FROM reservations WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list reservations: %w", err)
	}
	return found, nil
}
