package upload

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrTaken: another session has taken the upload over, or thrown it away.
	ErrTaken = errors.New("upload taken over by another session")
	// ErrLost: the store does not have the upload any more, or not all of its parts.
	ErrLost = errors.New("upload lost by the store")
)

// Record is a multipart upload that is neither completed nor aborted, as every node can
// see it. The store's list of parts is the truth about what has been received.
type Record struct {
	Bucket   string
	Key      string
	ID       string // the store's upload id
	Owner    string // account name; "" of a segment
	Node     string // the node of the session that holds it
	Holder   string // the session that adds parts; "" when it was interrupted in order
	PartSize int64  // bytes of its first parts
	Started  time.Time
	Lease    time.Time // until when the holder counts as alive, unless it renews
}

// Live tells whether somebody is adding parts, as far as can be known.
func (r Record) Live(now time.Time) bool { return r.Holder != "" && now.Before(r.Lease) }

// same tells whether two records are of the same upload.
func (r Record) same(other Record) bool {
	return r.Bucket == other.Bucket && r.Key == other.Key && r.ID == other.ID
}

// Journal remembers uploads in progress where every node can read them, so that they can
// be resumed elsewhere, and no parts are orphaned by a node that dies. Package db
// implements it. All methods may be called concurrently. Times are given and returned by
// the clock of this node, and kept by that of the journal: the clocks of nodes may differ.
type Journal interface {
	// Begin adds a record. It is called before the first part is stored.
	Begin(ctx context.Context, r Record) error
	// Take makes r.Holder on r.Node the one that adds parts, until r.Lease, whoever it was
	// before. That one may not have heard of it before busy: the end of its lease, or zero if
	// nobody held the upload. Record gone: ErrTaken.
	Take(ctx context.Context, r Record) (busy time.Time, err error)
	// Hold extends r.Holder's lease to r.Lease. Held by another, or gone: ErrTaken.
	Hold(ctx context.Context, r Record) error
	// Release notes that r.Holder adds no more parts. Held by another, or gone: no error.
	Release(ctx context.Context, r Record) error
	// End removes the record of an upload that was completed or aborted. Absent: no error.
	End(ctx context.Context, bucket, key, id string) error
	// Of lists an owner's records in a bucket, or in any if that is "", the latest first.
	Of(ctx context.Context, bucket, owner string) ([]Record, error)
	// Expired lists the records whose lease ended before a time, oldest first.
	Expired(ctx context.Context, before time.Time) ([]Record, error)
	// Known tells whether there is a record of this upload.
	Known(ctx context.Context, bucket, key, id string) (bool, error)
	// Lead makes node the leader for a job until a time, unless another node is; only the
	// leader does the job.
	Lead(ctx context.Context, job, node string, now, until time.Time) (bool, error)
}
