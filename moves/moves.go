// Package moves sees to it that the rename of a directory ends, whatever becomes of the
// node that does it.
//
// A store has no rename: each object is copied and then deleted. A Manager notes a rename in
// the Journal before its first copy. When a node dies in the middle, a Finisher on another
// one finds the note and does what is left.
package moves

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrTaken: another node has taken the rename over.
var ErrTaken = errors.New("rename taken over by another node")

// ErrLapsed: this node may count as dead, and another one may take the rename over.
var ErrLapsed = errors.New("the database has not heard of this node for too long")

// Move is the rename of a directory, as every node can see it.
type Move struct {
	ID         string
	Owner      string // account name
	FromBucket string
	From       string // what the keys of the sources begin with; ends in "/"
	ToBucket   string
	To         string // what those of the copies begin with; ends in "/"
	Back       bool   // the copies are being removed again
	Node       string // id of the run of the node that does it; "": nobody
	Started    time.Time
}

// Journal remembers renames. Package db implements it. All methods may be called
// concurrently.
type Journal interface {
	// BeginMove notes a rename that m.Node does.
	BeginMove(ctx context.Context, m Move) error
	// TurnMove notes that m is being undone. Not m.Node's any more: ErrTaken.
	TurnMove(ctx context.Context, m Move) error
	// KeepMove tells whether m still is m.Node's: nil or ErrTaken.
	KeepMove(ctx context.Context, m Move) error
	// LeaveMove leaves m to whoever comes. Not m.Node's any more: no error.
	LeaveMove(ctx context.Context, m Move) error
	// EndMove forgets m. Not m.Node's any more: no error.
	EndMove(ctx context.Context, m Move) error
	// LeftMoves lists the renames of nodes that are dead, and of nobody.
	LeftMoves(ctx context.Context) ([]Move, error)
	// TakeMove gives m to a node, if m.Node has it still and is dead, else ErrTaken.
	TakeMove(ctx context.Context, m Move, node string) error
}

// Options of a Manager.
type Options struct {
	Journal Journal
	Node    string // id of this run of the node
	// Held tells whether this node has counted as alive without a break since a time.
	Held func(since time.Time) bool
	Log  *slog.Logger
}

// Manager begins renames. It may be used concurrently.
type Manager struct {
	Options

	mu    sync.Mutex
	ended []ending // those whose end could not be noted
}

// ending is a rename that is over, or left to a Finisher.
type ending struct {
	move Move
	done bool
}

// NewManager returns a Manager.
func NewManager(o Options) *Manager { return &Manager{Options: o} }

// Rename is one that goes on. A nil *Rename is one that nobody notes.
type Rename struct {
	manager *Manager
	move    Move
	since   time.Time
}

// Begin notes a rename. A nil Manager notes nothing.
func (m *Manager) Begin(ctx context.Context, move Move) (*Rename, error) {
	if m == nil {
		return nil, nil
	}
	move.ID, move.Node = rand.Text(), m.Node
	r := &Rename{manager: m, move: move, since: time.Now()}
	if err := m.Journal.BeginMove(ctx, move); err != nil {
		return nil, fmt.Errorf("note rename: %w", err)
	}
	return r, nil
}

// Held is asked before each request to the store: ErrLapsed if it must not be made.
func (r *Rename) Held() error {
	if r == nil || r.manager.Held(r.since) {
		return nil
	}
	return ErrLapsed
}

// Keep is asked before the sources are deleted: an error if that is not this node's to do.
func (r *Rename) Keep(ctx context.Context) error {
	if r == nil {
		return nil
	}
	if err := r.manager.Journal.KeepMove(ctx, r.move); err != nil {
		return err
	}
	return r.Held()
}

// Turn is asked before the copies are removed again: an error if they must stay. It works
// also after ctx has ended.
func (r *Rename) Turn(ctx context.Context) error {
	if r == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := r.manager.Journal.TurnMove(ctx, r.move); err != nil {
		return err
	}
	return r.Held()
}

// End notes that the rename is over. After an error it is left to a Finisher. It works also
// after ctx has ended.
func (r *Rename) End(ctx context.Context, err error) {
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	m, e := r.manager, ending{r.move, err == nil}
	if err := m.note(ctx, e); err != nil {
		m.Log.Warn("end of a rename not noted; it is tried again", "from", r.move.From, "to", r.move.To, "err", err)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ended = append(m.ended, e)
	}
}

func (m *Manager) note(ctx context.Context, e ending) error {
	if e.done {
		return m.Journal.EndMove(ctx, e.move)
	}
	return m.Journal.LeaveMove(ctx, e.move)
}

// endAgain notes the ends that could not be noted before.
func (m *Manager) endAgain(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.ended) > 0 {
		if err := m.note(ctx, m.ended[0]); err != nil {
			return err
		}
		m.ended = m.ended[1:]
	}
	return nil
}

// endTimeout bounds the note that a rename is over.
const endTimeout = 5 * time.Second
