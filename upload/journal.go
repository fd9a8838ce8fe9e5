package upload

import (
	"context"
	"time"
)

// Record is a multipart upload in progress, as every node can see it.
type Record struct {
	Bucket   string
	Key      string
	ID       string // the store's upload id
	Owner    string // account name
	Node     string // the node that began it
	PartSize int64  // bytes of its first parts
	Started  time.Time
}

// Journal remembers uploads in progress where every node can read them, so that no parts
// are orphaned by a node that dies. Package db implements it. All methods may be called
// concurrently.
type Journal interface {
	// Begin adds a record. It is called before the first part is stored.
	Begin(ctx context.Context, r Record) error
	// End removes the record of an upload that was completed or aborted. Absent: no error.
	End(ctx context.Context, bucket, key, id string) error
	// Unfinished lists the records that began before a time, oldest first.
	Unfinished(ctx context.Context, before time.Time) ([]Record, error)
}
