package db

import (
	"context"
	"fmt"

	"github.com/spdscheme/spdserver/auth"
)

// Charge implements auth.Usage. The quota is checked by the statement that adds, so that
// nodes cannot exceed it together.
func (d *DB) Charge(ctx context.Context, name string, bytes, files int64) error {
	n, err := d.exec(ctx, `UPDATE usage_counts SET bytes = bytes + ?, files = files + ? WHERE username = ?
		AND (? <= 0 OR NOT EXISTS (SELECT 1 FROM users u WHERE u.username = ?
			AND u.quota_bytes > 0 AND usage_counts.bytes + ? > u.quota_bytes))
		AND (? <= 0 OR NOT EXISTS (SELECT 1 FROM users u WHERE u.username = ?
			AND u.quota_files > 0 AND usage_counts.files + ? > u.quota_files))`,
		bytes, files, name, bytes, name, bytes, files, name, files)
	if err != nil {
		return fmt.Errorf("charge usage: %w", err)
	}
	if n > 0 {
		return nil
	}
	if _, _, err := d.Used(ctx, name); err != nil {
		return err
	}
	return auth.ErrQuota
}

// Used implements auth.Usage.
func (d *DB) Used(ctx context.Context, name string) (bytes, files int64, err error) {
	found := false
	err = d.query(ctx, func(scan func(...any) error) error {
		found = true
		return scan(&bytes, &files)
	}, "SELECT bytes, files FROM usage_counts WHERE username = ?", name)
	if err != nil {
		return 0, 0, fmt.Errorf("read usage: %w", err)
	}
	if !found {
		return 0, 0, fmt.Errorf("usage: %w", auth.ErrNotFound)
	}
	return bytes, files, nil
}

// SetUsed implements auth.Usage. No such account: auth.ErrNotFound.
func (d *DB) SetUsed(ctx context.Context, name string, bytes, files int64) error {
	_, err := d.exec(ctx, "INSERT INTO usage_counts (username, bytes, files, counted_at) VALUES (?, ?, ?, CURRENT_TIMESTAMP)"+
		d.dialect.upsert([]string{"username"}, []string{"bytes", "files", "counted_at"}), name, bytes, files)
	if err != nil && d.dialect.noParent(err) {
		return fmt.Errorf("set usage: %w", auth.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("set usage: %w", err)
	}
	return nil
}
