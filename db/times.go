package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/store"
)

// timesBatch is how many times are stored by one statement.
const timesBatch = 500

// SetTimes implements store.Times. Times are kept by the microsecond.
func (d *DB) SetTimes(ctx context.Context, bucket string, times ...store.KeptTime) error {
	// In one order, so that two nodes do not wait for each other's rows. Of two times of
	// one key the later one stays.
	times = slices.Clone(times)
	slices.SortStableFunc(times, func(a, b store.KeptTime) int { return strings.Compare(a.Key, b.Key) })
	for batch := range slices.Chunk(times, timesBatch) {
		rows := make([]string, len(batch))
		values := make([]any, 0, 6*len(batch))
		for i, k := range batch {
			directory, name := splitKey(k.Key)
			rows[i] = placeholders(6)
			values = append(values, bucket, directory, name, k.ETag, micros(k.Stored), micros(k.ModTime))
		}
		_, err := d.exec(ctx, "INSERT INTO object_times (bucket, directory, name, etag, stored, mod_time) VALUES "+
			strings.Join(rows, ", ")+
			d.dialect.upsert([]string{"bucket", "directory", "name"}, []string{"etag", "stored", "mod_time"}), values...)
		if err != nil {
			return fmt.Errorf("keep %d times: %w", len(batch), err)
		}
	}
	return nil
}

// TimeOf implements store.Times.
func (d *DB) TimeOf(ctx context.Context, bucket, key string) (k store.KeptTime, ok bool, err error) {
	directory, name := splitKey(key)
	found, err := d.times(ctx, "bucket = ? AND directory = ? AND name = ?", bucket, directory, name)
	if err != nil || len(found) == 0 {
		return store.KeptTime{}, false, err
	}
	return found[0], true, nil
}

// TimesIn implements store.Times.
func (d *DB) TimesIn(ctx context.Context, bucket, dir string) (map[string]store.KeptTime, error) {
	found, err := d.times(ctx, "bucket = ? AND directory = ?", bucket, dir)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]store.KeptTime, len(found))
	for _, k := range found {
		byKey[k.Key] = k
	}
	return byKey, nil
}

// TimesFrom implements store.Times. The primary key is in this order, so the database
// reads no more than it returns.
func (d *DB) TimesFrom(ctx context.Context, bucket, dir, from string, limit int) ([]store.KeptTime, error) {
	return d.times(ctx, "bucket = ? AND directory = ? AND name >= ? ORDER BY name LIMIT ?",
		bucket, dir, strings.TrimPrefix(from, dir), limit)
}

func (d *DB) times(ctx context.Context, where string, args ...any) ([]store.KeptTime, error) {
	var found []store.KeptTime
	err := d.query(ctx, func(scan func(...any) error) error {
		var k store.KeptTime
		var directory, name, stored, modTime string
		err := scan(&directory, &name, &k.ETag, &stored, &modTime)
		if err != nil {
			return err
		}
		if k.Stored, err = parseTime(stored); err != nil {
			return fmt.Errorf("object_times.stored: %w", err)
		}
		if k.ModTime, err = parseTime(modTime); err != nil {
			return fmt.Errorf("object_times.mod_time: %w", err)
		}
		k.Key = directory + name
		found = append(found, k)
		return nil
	}, "SELECT directory, name, etag, stored, mod_time FROM object_times WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read kept times: %w", err)
	}
	return found, nil
}

// DropTimes implements store.Times.
func (d *DB) DropTimes(ctx context.Context, bucket, key string) error {
	directory, name := splitKey(key)
	_, err := d.exec(ctx, "DELETE FROM object_times WHERE bucket = ? AND directory = ? AND name = ?", bucket, directory, name)
	if err == nil && strings.HasSuffix(key, "/") {
		// All that begins with "dir/" sorts before "dir0": 0 is the byte after /.
		end := strings.TrimSuffix(key, "/") + "0"
		_, err = d.exec(ctx, "DELETE FROM object_times WHERE bucket = ? AND directory >= ? AND directory < ?", bucket, key, end)
	}
	if err != nil {
		return fmt.Errorf("drop kept times: %w", err)
	}
	return nil
}

// splitKey parts a key behind the directory it is an entry of: "a/b" into "a/" and "b",
// "a/b/" into "a/" and "b/".
func splitKey(key string) (directory, name string) {
	i := strings.LastIndex(strings.TrimSuffix(key, "/"), "/") + 1
	return key[:i], key[i:]
}
