// Package quota counts what accounts have stored, to the file, for all nodes together.
//
// A count is charged before a file is published, in one statement that checks the limit, so
// that nodes cannot exceed it together. What is freed is taken off after it is gone. So a
// count may be too high while something is under way, never too low. Who changes an object
// has a Turn, so that it is counted once whoever else wants to change it. Before it charges, a
// node notes how much it may have under way (a Reservation). A node that dies leaves that
// note behind; when its lease has run out, the count is made again from the store.
package quota

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

var (
	// ErrExceeded: the quota does not allow it.
	ErrExceeded = errors.New("quota exceeded")
	// ErrNotCounted: nobody has counted yet what is stored.
	ErrNotCounted = errors.New("not counted yet")
	// ErrNoAccount: there is no such account to count for.
	ErrNoAccount = errors.New("no such account")
)

// Name says what is counted together: the files of an account, or those of a place that is
// mounted with a quota of its own. One of the two is "".
type Name struct {
	User  string
	Place string // bucket, "/" and prefix
}

// Amount is how much is stored, or may be: as a limit, 0 is none.
type Amount struct {
	Bytes, Files int64
}

func (a Amount) plus(b Amount) Amount  { return Amount{a.Bytes + b.Bytes, a.Files + b.Files} }
func (a Amount) minus(b Amount) Amount { return a.plus(b.times(-1)) }

func (a Amount) times(n int64) Amount { return Amount{n * a.Bytes, n * a.Files} }

// gain is the part that adds; what is left takes off.
func (a Amount) gain() Amount { return Amount{max(a.Bytes, 0), max(a.Files, 0)} }

// size is how much changes, either way.
func (a Amount) size() Amount { return Amount{max(a.Bytes, -a.Bytes), max(a.Files, -a.Files)} }

// within tells whether nothing of a is more than in b.
func (a Amount) within(b Amount) bool { return a.Bytes <= b.Bytes && a.Files <= b.Files }

// Reservation is what a node may have charged, or is about to take off, for files that are
// not yet published, or not yet deleted. After Lease the node counts as dead, and the count
// as doubtful. Without a Node it only says that the count is to be made again then.
type Reservation struct {
	Name
	Node  string
	Most  Amount
	Lease time.Time
}

// Charged is what a count has grown by in all its time, and how often it has changed.
type Charged struct {
	Amount
	Changes int64
}

// Counts keeps counts where every node can read them. Package db implements it. All methods
// may be called concurrently.
type Counts interface {
	// Charge adds to a count; either number may be negative. If one of them is positive and
	// the sum would be above the limit, nothing is added: ErrExceeded. ErrNotCounted.
	Charge(ctx context.Context, n Name, add, limit Amount) error
	// Used returns a count. ErrNotCounted.
	Used(ctx context.Context, n Name) (Amount, error)
	// BeginCount returns what a count has been charged so far. counted is false the first
	// time. No such account: ErrNoAccount.
	BeginCount(ctx context.Context, n Name) (sofar Charged, counted bool, err error)
	// EndCount sets a count to found and what it has been charged since. The first time
	// (first), it does nothing if somebody else was faster. exact is false if the count has
	// changed since.
	EndCount(ctx context.Context, n Name, found Amount, since Charged, first bool) (exact bool, err error)

	// Reserve notes a reservation, in place of that of the same name and node.
	Reserve(ctx context.Context, r Reservation) error
	// Unreserve forgets it. If until is not zero, only one whose lease ended before.
	Unreserve(ctx context.Context, n Name, node string, until time.Time) error
	// Renew extends the leases of a node's reservations.
	Renew(ctx context.Context, node string, lease time.Time) error
	// Reserved lists the reservations of a count.
	Reserved(ctx context.Context, n Name) ([]Reservation, error)
	// Expired lists the reservations whose lease ended before a time.
	Expired(ctx context.Context, before time.Time) ([]Reservation, error)
	// TakeTurn makes node the only one that changes an object (bucket, "/" and key), until its
	// lease ends; taken is false if another one has that. quiet: nobody has had it for TurnsKept.
	TakeTurn(ctx context.Context, object, node string, lease time.Time) (taken, quiet bool, err error)
	// EndTurn gives it back. held is false if the lease had ended, and another node had come.
	EndTurn(ctx context.Context, object, node string) (held bool, err error)
	// RenewTurns extends the leases of a node's turns.
	RenewTurns(ctx context.Context, node string, objects []string, lease time.Time) error
	// PruneTurns forgets those that ended before a time.
	PruneTurns(ctx context.Context, before time.Time) error

	// Lead makes node the leader for a job until a time, unless another node is.
	Lead(ctx context.Context, job, node string, now, until time.Time) (bool, error)
}

// Place is a part of the store that is counted.
type Place struct {
	Bucket, Prefix string
	Except         []Place // parts of it that have a quota of their own
}

func (p Place) name() string { return p.Bucket + "/" + p.Prefix }

// holds tells whether an object lies in the place.
func (p Place) holds(bucket, key string) bool {
	return p.Bucket == bucket && strings.HasPrefix(key, p.Prefix) && !slices.ContainsFunc(p.Except, func(not Place) bool {
		return not.holds(bucket, key)
	})
}

// NameOf is the count of a mount, and its limit.
func NameOf(u *auth.User, m *auth.Mount) (Name, Amount) {
	if m != nil && m.Quota == auth.OwnQuota {
		return Name{Place: Place{Bucket: m.Bucket, Prefix: m.Prefix}.name()}, Amount{m.QuotaBytes, m.QuotaFiles}
	}
	return Name{User: u.Name}, Amount{u.QuotaBytes, u.QuotaFiles}
}

// PlacesOf lists what counts for an account: its own files, and the mounts that share its
// quota and are not read-only. What is reached in two ways counts once.
func PlacesOf(u *auth.User) []Place {
	all := []Place{{Bucket: u.Bucket, Prefix: u.Prefix}}
	var except []Place
	for _, m := range u.Mounts {
		place := Place{Bucket: m.Bucket, Prefix: m.Prefix}
		switch {
		case m.Quota == auth.OwnQuota:
			except = append(except, place)
		case !m.ReadOnly:
			all = append(all, place)
		}
	}
	var places []Place
	for i, p := range all {
		if !slices.ContainsFunc(all, func(other Place) bool { return other.name() != p.name() && other.holds(p.Bucket, p.Prefix) }) &&
			!slices.ContainsFunc(all[:i], func(other Place) bool { return other.name() == p.name() }) {
			p.Except = except
			places = append(places, p)
		}
	}
	return places
}

// PlaceOf is the place of a count that is no account's.
func PlaceOf(n Name) Place {
	bucket, prefix, _ := strings.Cut(n.Place, "/")
	return Place{Bucket: bucket, Prefix: prefix}
}
