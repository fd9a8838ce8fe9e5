package db

import (
	"context"
	"fmt"

	"github.com/spdscheme/spdserver/moves"
)

var _ moves.Journal = (*DB)(nil)

const moveColumns = "id, owner, from_bucket, from_prefix, to_bucket, to_prefix, back, node_id, started"

// BeginMove implements moves.Journal. m.Started is the time by the database's clock.
func (d *DB) BeginMove(ctx context.Context, m moves.Move) error {
	_, err := d.exec(ctx, "INSERT INTO renames ("+moveColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, "+d.dialect.now(0)+")",
		m.ID, m.Owner, m.FromBucket, m.From, m.ToBucket, m.To, flag(m.Back), m.Node)
	if err != nil {
		return fmt.Errorf("record rename: %w", err)
	}
	return nil
}

// ofMove selects a rename that a node has.
const ofMove = " WHERE id = ? AND node_id = ?"

// TurnMove implements moves.Journal.
func (d *DB) TurnMove(ctx context.Context, m moves.Move) error {
	n, err := d.exec(ctx, "UPDATE renames SET back = 1"+ofMove, m.ID, m.Node)
	return heldMove("turn rename", n, err)
}

// KeepMove implements moves.Journal.
func (d *DB) KeepMove(ctx context.Context, m moves.Move) error {
	n, err := d.exec(ctx, "UPDATE renames SET node_id = node_id"+ofMove, m.ID, m.Node)
	return heldMove("keep rename", n, err)
}

// heldMove tells whether the record that was to be changed was there.
func heldMove(what string, found int64, err error) error {
	if err == nil && found == 0 {
		err = moves.ErrTaken
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// LeaveMove implements moves.Journal.
func (d *DB) LeaveMove(ctx context.Context, m moves.Move) error {
	if _, err := d.exec(ctx, "UPDATE renames SET node_id = ''"+ofMove, m.ID, m.Node); err != nil {
		return fmt.Errorf("leave rename: %w", err)
	}
	return nil
}

// EndMove implements moves.Journal.
func (d *DB) EndMove(ctx context.Context, m moves.Move) error {
	if _, err := d.exec(ctx, "DELETE FROM renames"+ofMove, m.ID, m.Node); err != nil {
		return fmt.Errorf("remove record of rename: %w", err)
	}
	return nil
}

// nobodys is true of a rename whose node is not alive.
func (d *DB) nobodys() string {
	return "NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = renames.node_id AND nodes.lease >= " + d.dialect.now(0) + ")"
}

// LeftMoves implements moves.Journal.
func (d *DB) LeftMoves(ctx context.Context) ([]moves.Move, error) {
	var left []moves.Move
	err := d.query(ctx, func(scan func(...any) error) error {
		var m moves.Move
		var started string
		err := scan(&m.ID, &m.Owner, &m.FromBucket, &m.From, &m.ToBucket, &m.To, &m.Back, &m.Node, &started)
		if err != nil {
			return err
		}
		if m.Started, err = parseTime(started); err != nil {
			return fmt.Errorf("renames.started: %w", err)
		}
		left = append(left, m)
		return nil
	}, "SELECT "+moveColumns+" FROM renames WHERE "+d.nobodys()+" ORDER BY started")
	if err != nil {
		return nil, fmt.Errorf("list renames: %w", err)
	}
	return left, nil
}

// TakeMove implements moves.Journal. That the row names another node is the fence: whoever
// had it finds that before it deletes anything.
func (d *DB) TakeMove(ctx context.Context, m moves.Move, node string) error {
	n, err := d.exec(ctx, "UPDATE renames SET node_id = ?"+ofMove+" AND "+d.nobodys(), node, m.ID, m.Node)
	return heldMove("take rename over", n, err)
}
