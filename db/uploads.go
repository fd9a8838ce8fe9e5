package db

import (
	"context"
	"fmt"
	"time"

	"github.com/spdscheme/spdserver/upload"
)

// Begin implements upload.Journal. A record that is there already is replaced, so a Begin
// whose answer was lost can be repeated.
func (d *DB) Begin(ctx context.Context, r upload.Record) error {
	_, err := d.exec(ctx, `INSERT INTO uploads (bucket, object_key, upload_id, owner, node, part_size, started)
		VALUES (?, ?, ?, ?, ?, ?, ?)`+
		d.dialect.upsert([]string{"bucket", "object_key", "upload_id"}, []string{"owner", "node", "part_size", "started"}),
		r.Bucket, r.Key, r.ID, r.Owner, r.Node, r.PartSize, micros(r.Started))
	if err != nil {
		return fmt.Errorf("record upload: %w", err)
	}
	return nil
}

// End implements upload.Journal.
func (d *DB) End(ctx context.Context, bucket, key, id string) error {
	_, err := d.exec(ctx, "DELETE FROM uploads WHERE bucket = ? AND object_key = ? AND upload_id = ?", bucket, key, id)
	if err != nil {
		return fmt.Errorf("remove record of upload: %w", err)
	}
	return nil
}

// Unfinished implements upload.Journal.
func (d *DB) Unfinished(ctx context.Context, before time.Time) ([]upload.Record, error) {
	var records []upload.Record
	err := d.query(ctx, func(scan func(...any) error) error {
		var r upload.Record
		var started string
		err := scan(&r.Bucket, &r.Key, &r.ID, &r.Owner, &r.Node, &r.PartSize, &started)
		if err != nil {
			return err
		}
		if r.Started, err = parseTime(started); err != nil {
			return fmt.Errorf("uploads.started: %w", err)
		}
		records = append(records, r)
		return nil
	}, `SELECT bucket, object_key, upload_id, owner, node, part_size, started FROM uploads
		WHERE started < ? ORDER BY started, bucket, object_key, upload_id`, micros(before))
	if err != nil {
		return nil, fmt.Errorf("list unfinished uploads: %w", err)
	}
	return records, nil
}
