package guard

import (
	"context"
	"net/netip"
	"time"
)

// Journal is what the nodes know together. All methods may be called concurrently. Times
// are those of the journal, as Bans has learnt them from Active: the clock of a node may
// be wrong, or be set.
type Journal interface {
	// Charge adds n to the failures that the subjects have at a time, and returns how many
	// each of them has since then, in their order.
	Charge(ctx context.Context, at, since time.Time, n int, subjects ...Subject) ([]Count, error)
	// Ban begins a ban, unless one of the subject is in force at b.Since: then it is false,
	// and the ban in force is returned. The result says how long it is: first, and twice as
	// long for each strike before, but no longer than longest. The subject's failures are
	// forgotten.
	Ban(ctx context.Context, b Ban, first, longest time.Duration) (Ban, bool, error)
	// Active returns up to limit rows of bans that are in force; those that people have made
	// come first, then the latest.
	Active(ctx context.Context, limit int) (State, error)
	// Changes returns up to limit rows that were changed at a time or later, whether their
	// bans are in force or not. It need not see a change whose transaction took seconds.
	Changes(ctx context.Context, since time.Time, limit int) (State, error)
	// Settle notes that accounts have logged in well from networks.
	Settle(ctx context.Context, at time.Time, places ...Place) error
	// Settled tells whether an account has logged in well from a network since a time.
	Settled(ctx context.Context, place Place, since time.Time) (bool, error)
	// Forget deletes failures, bans that are over, and places from before three times.
	Forget(ctx context.Context, failures, bans, places time.Time) error
	// Lead tells whether this node does a job that only one may do, until a time.
	Lead(ctx context.Context, job, node string, now, until time.Time) (bool, error)
}

// State is what a Journal knows of bans at one moment.
type State struct {
	Now     time.Time
	InForce int // rows whose bans are in force
	Rows    []Row
}

// Row is a ban as a Journal holds it.
type Row struct {
	Ban
	Err error // why nobody can understand it; it bans nobody then
}

// Count is what a Journal knows of a subject.
type Count struct {
	Failures int
	Banned   bool // a ban of it is in force
}

// Place is an account and a network that it has logged in from.
type Place struct {
	Account string
	Network netip.Prefix
}
