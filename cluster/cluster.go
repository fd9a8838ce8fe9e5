// Package cluster makes the nodes of one database know of each other: which are alive, what
// sessions they have, and what an administrator wants of them.
//
// A Member is a node's part in it. Every two seconds it tells the Registry how the node is,
// and hears what has changed: sessions to end, accounts that are now others, an order to
// drain. Package db implements Registry.
package cluster

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

// The times of a node's life. By the database's clock, so that those of the nodes may jump.
const (
	// BeatEvery is how often a node says that it is alive.
	BeatEvery = 2 * time.Second
	// DeadAfter is how long it counts as alive after it has said so.
	DeadAfter = 10 * time.Second
)

// Why a session is not admitted.
var (
	// ErrManyOfUser: the account has as many sessions as it may have, on all nodes together.
	ErrManyOfUser = errors.New("too many sessions of the account")
	// ErrManyFromAddress: the same of the client's address.
	ErrManyFromAddress = errors.New("too many sessions from the address")
)

// Node is one run of a node, as all nodes can see it.
type Node struct {
	ID           string // of this run: a node that is restarted has another one
	Name         string
	Address      string // where clients connect to
	Version      string
	PassiveFirst int // ports of passive data connections;
	PassiveLast  int // 0: any free one
	Sessions     int
	Transfers    int
	Draining     bool

	StartedAt, SeenAt time.Time // by the database's clock
	Alive             bool      // seen less than DeadAfter ago
}

// Session is one client's session.
type Session struct {
	ID     string
	Node   string // name of its node
	User   string
	Remote netip.AddrPort
	TLS    bool
	Since  time.Time // of the login
	Verb   string    // of the last command that moved or changed a file
	Path   string    // UTF-8, as the user sees it
	Bytes  int64     // moved over data connections
}

// Limits are how many sessions there may be on all nodes together. 0: any number.
type Limits struct {
	OfUser      int
	FromAddress int
}

// None tells whether nothing is limited.
func (l Limits) None() bool { return l == Limits{} }

// Beat is what a node says of itself.
type Beat struct {
	Node  Node
	Write []Session // rows to write: new ones, and those that have changed
	Known []string  // ids of sessions whose rows must be there
	Ended []string  // ids of sessions whose rows are to go
}

// Answer is what a node hears.
type Answer struct {
	// Lapsed: the node had counted as dead, or was not known. None of its sessions' rows can
	// be relied on, and none was written: all must be written again.
	Lapsed   bool
	Draining bool     // somebody has told the node to drain
	Missing  []string // of Known: somebody has deleted their rows, to end the sessions
	Twin     bool     // another node of that name is alive
}

// Registry is where nodes and sessions are noted. All methods may be called concurrently.
type Registry interface {
	// Beat notes that a node is alive, and how it is. It has happened as a whole or not at all.
	Beat(ctx context.Context, b Beat) (Answer, error)
	// Admit notes a session of the node n, unless that would exceed the limits; sessions of
	// dead nodes do not count. However many nodes ask at once, the limits hold. Errors are
	// ErrManyOfUser, ErrManyFromAddress, and what keeps the Registry from knowing.
	Admit(ctx context.Context, n Node, s Session, l Limits) error
	// Remove forgets sessions of a node.
	Remove(ctx context.Context, nodeID string, ids []string) error
	// Leave forgets a node and its sessions.
	Leave(ctx context.Context, nodeID string) error
	// Prune forgets the sessions of dead nodes, and nodes that have been dead for long.
	Prune(ctx context.Context) error
}

// Accounts is where accounts are read; auth.Users has it.
type Accounts interface {
	FindAll(ctx context.Context, names []string) (map[string]auth.Found, error)
}

// Local is this node's server. All methods may be called concurrently.
type Local interface {
	// State is how many sessions and transfers there are, and whether the node drains.
	State() (sessions, transfers int, draining bool)
	// Sessions are those of users that are logged in.
	Sessions() []Session
	// Refresh tells how an account is now: nil and an error if it cannot be used, nil and nil
	// if it is gone.
	Refresh(name string, a *auth.Account, err error)
	// Kick ends a session, as an administrator has asked for.
	Kick(id string)
	// Drain ends the node as soon as its transfers are done. It may be called again.
	Drain()
}
