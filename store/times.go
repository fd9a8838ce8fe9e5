package store

import (
	"context"
	"time"
)

// KeptTime is a modification time that a client set (MFMT) for an object. S3 cannot
// change LastModified, so it is kept beside the store, tied to the version of the object
// it was set for: once the object is another, the time no longer holds.
type KeptTime struct {
	Key     string
	ETag    string    // of the object when the time was set; "" (directories) matches any
	Stored  time.Time // the object's own ModTime then, compared by the second
	ModTime time.Time // what the client set
}

// Holds tells whether the time was set for this version of the object.
func (k KeptTime) Holds(o Object) bool {
	return k.ETag == "" || k.ETag == o.ETag && k.Stored.Unix() == o.ModTime.Unix()
}

// Times keeps modification times for all nodes. Package db implements it. All methods
// may be called concurrently.
type Times interface {
	// SetTimes keeps these times, replacing those of the same keys.
	SetTimes(ctx context.Context, bucket string, times ...KeptTime) error
	// TimeOf returns the kept time of one key; ok is false if there is none.
	TimeOf(ctx context.Context, bucket, key string) (k KeptTime, ok bool, err error)
	// TimesIn returns the kept times of the entries of one directory, by key. dir is ""
	// or ends in "/"; entries are "dir/name" and "dir/name/", not those further below.
	TimesIn(ctx context.Context, bucket, dir string) (map[string]KeptTime, error)
	// TimesFrom returns kept times of such entries, sorted by the bytes of their keys: those
	// of the key from and behind it, at most limit. from begins with dir.
	TimesFrom(ctx context.Context, bucket, dir, from string, limit int) ([]KeptTime, error)
	// DropTimes forgets the times of key and, if key ends in "/", of all below it.
	DropTimes(ctx context.Context, bucket, key string) error
}
