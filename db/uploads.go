package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/spdscheme/spdserver/upload"
)

const uploadColumns = "bucket, object_key, upload_id, owner, node, holder, part_size, started, lease"

// Begin implements upload.Journal. A record that is there already is replaced, so a Begin
// whose answer was lost can be repeated.
func (d *DB) Begin(ctx context.Context, r upload.Record) error {
	_, err := d.exec(ctx, "INSERT INTO uploads ("+uploadColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, "+d.at(r.Lease)+")"+
		d.dialect.upsert([]string{"bucket", "object_key", "upload_id"},
			[]string{"owner", "node", "holder", "part_size", "started", "lease"}),
		r.Bucket, r.Key, r.ID, r.Owner, r.Node, r.Holder, r.PartSize, micros(r.Started))
	if err != nil {
		return fmt.Errorf("record upload: %w", err)
	}
	return nil
}

// ofUpload selects one record.
const ofUpload = " WHERE bucket = ? AND object_key = ? AND upload_id = ?"

// Take implements upload.Journal.
func (d *DB) Take(ctx context.Context, r upload.Record) (busy time.Time, err error) {
	var found int64
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var holder, lease, now string
		busy, found = time.Time{}, 0
		err := tx.QueryRowContext(ctx, "SELECT holder, lease, "+d.dialect.now(0)+" FROM uploads"+ofUpload+" /*! FOR UPDATE */",
			r.Bucket, r.Key, r.ID).Scan(&holder, &lease, &now)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil && holder != "" && holder != r.Holder {
			busy, err = localTime(lease, now)
		}
		if err != nil {
			return err
		}
		found, err = execIn(ctx, tx, "UPDATE uploads SET node = ?, holder = ?, lease = "+d.at(r.Lease)+ofUpload,
			r.Node, r.Holder, r.Bucket, r.Key, r.ID)
		return err
	})
	return busy, held("take upload over", found, err)
}

// Hold implements upload.Journal.
func (d *DB) Hold(ctx context.Context, r upload.Record) error {
	n, err := d.exec(ctx, "UPDATE uploads SET lease = "+d.at(r.Lease)+ofUpload+" AND holder = ?",
		r.Bucket, r.Key, r.ID, r.Holder)
	return held("hold upload", n, err)
}

// held tells whether the record that was to be changed was there.
func held(what string, found int64, err error) error {
	if err == nil && found == 0 {
		err = upload.ErrTaken
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Release implements upload.Journal.
func (d *DB) Release(ctx context.Context, r upload.Record) error {
	_, err := d.exec(ctx, "UPDATE uploads SET holder = '', lease = "+d.at(r.Lease)+ofUpload+" AND holder = ?",
		r.Bucket, r.Key, r.ID, r.Holder)
	if err != nil {
		return fmt.Errorf("release upload: %w", err)
	}
	return nil
}

// End implements upload.Journal.
func (d *DB) End(ctx context.Context, bucket, key, id string) error {
	if _, err := d.exec(ctx, "DELETE FROM uploads"+ofUpload, bucket, key, id); err != nil {
		return fmt.Errorf("remove record of upload: %w", err)
	}
	return nil
}

// Of implements upload.Journal.
func (d *DB) Of(ctx context.Context, bucket, owner string) ([]upload.Record, error) {
	return d.uploads(ctx, "owner = ? AND (? = '' OR bucket = ?) ORDER BY started DESC, bucket, object_key, upload_id",
		owner, bucket, bucket)
}

// Expired implements upload.Journal.
func (d *DB) Expired(ctx context.Context, before time.Time) ([]upload.Record, error) {
	return d.uploads(ctx, "lease < "+d.at(before)+" ORDER BY lease, bucket, object_key, upload_id")
}

// Known implements upload.Journal.
func (d *DB) Known(ctx context.Context, bucket, key, id string) (bool, error) {
	records, err := d.uploads(ctx, "bucket = ? AND object_key = ? AND upload_id = ?", bucket, key, id)
	return len(records) > 0, err
}

func (d *DB) uploads(ctx context.Context, where string, args ...any) ([]upload.Record, error) {
	var records []upload.Record
	err := d.query(ctx, func(scan func(...any) error) error {
		var r upload.Record
		var started, lease, now string
		err := scan(&r.Bucket, &r.Key, &r.ID, &r.Owner, &r.Node, &r.Holder, &r.PartSize, &started, &lease, &now)
		if err != nil {
			return err
		}
		if r.Started, err = parseTime(started); err != nil {
			return fmt.Errorf("uploads.started: %w", err)
		}
		if r.Lease, err = localTime(lease, now); err != nil {
			return fmt.Errorf("uploads.lease: %w", err)
		}
		records = append(records, r)
		return nil
	}, "SELECT "+uploadColumns+", "+d.dialect.now(0)+" FROM uploads WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	return records, nil
}
