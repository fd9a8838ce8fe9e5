package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/spdscheme/spdserver/cluster"
)

var _ cluster.Registry = (*DB)(nil)

// forgetNodesAfter is how long a node that has died without leaving is listed.
const forgetNodesAfter = 24 * time.Hour

// Beat implements cluster.Registry, in one transaction.
func (d *DB) Beat(ctx context.Context, b cluster.Beat) (a cluster.Answer, err error) {
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		a = cluster.Answer{}
		known, err := d.renewNode(ctx, tx, b.Node)
		if err != nil {
			return err
		}
		if !known {
			a.Lapsed = true
			return d.insertNode(ctx, tx, b.Node)
		}
		if a.Draining, a.Twin, err = d.orders(ctx, tx, b.Node); err != nil {
			return err
		}
		a.Missing, err = d.syncSessions(ctx, tx, b)
		return err
	})
	if err != nil {
		return cluster.Answer{}, fmt.Errorf("heartbeat: %w", err)
	}
	return a, nil
}

// renewNode extends the lease of a node; false if it has ended, or there is none. A node
// that drains cannot be told not to.
func (d *DB) renewNode(ctx context.Context, tx *sql.Tx, n cluster.Node) (known bool, err error) {
	rows, err := execIn(ctx, tx, "UPDATE nodes SET seen_at = "+d.dialect.now(0)+", lease = "+d.dialect.now(cluster.DeadAfter)+
		", sessions = ?, transfers = ?, address = ?, draining = CASE WHEN ? = 1 THEN 1 ELSE draining END WHERE id = ? AND lease >= "+d.dialect.now(0),
		n.Sessions, n.Transfers, fit(n.Address, 255), flag(n.Draining), n.ID)
	return rows > 0, err
}

// insertNode makes the row of a node, in place of what is there of it. Its sessions' rows
// go: it will write them again.
func (d *DB) insertNode(ctx context.Context, tx *sql.Tx, n cluster.Node) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE node_id = ?", n.ID); err != nil {
		return err
	}
	// One that lapsed began earlier, and may have been told to drain.
	_, err := execIn(ctx, tx, "INSERT INTO nodes (id, name, address, version, passive_first, passive_last, started_at, seen_at, lease, sessions, transfers, draining)"+
		" VALUES (?, ?, ?, ?, ?, ?, "+d.dialect.now(0)+", "+d.dialect.now(0)+", "+d.dialect.now(cluster.DeadAfter)+", ?, ?, ?)"+
		d.dialect.upsert([]string{"id"}, []string{"seen_at", "lease", "sessions", "transfers"}),
		n.ID, fit(n.Name, 190), fit(n.Address, 255), fit(n.Version, 64), n.PassiveFirst, n.PassiveLast, n.Sessions, n.Transfers, flag(n.Draining))
	return err
}

// orders reads what others want of a node, and whether one of them has its name.
func (d *DB) orders(ctx context.Context, tx *sql.Tx, n cluster.Node) (draining, twin bool, err error) {
	var twins int
	err = tx.QueryRowContext(ctx, "SELECT draining, (SELECT COUNT(*) FROM nodes other WHERE other.name = nodes.name AND other.id <> nodes.id"+
		" AND other.lease >= "+d.dialect.now(0)+") FROM nodes WHERE id = ?", n.ID).Scan(&draining, &twins)
	return draining, twins > 0, err
}

// Leave implements cluster.Registry.
func (d *DB) Leave(ctx context.Context, nodeID string) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE node_id = ?", nodeID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM nodes WHERE id = ?", nodeID)
		return err
	})
	if err != nil {
		return fmt.Errorf("take the node off the list: %w", err)
	}
	return nil
}

// Prune implements cluster.Registry. Any number of nodes may do it at once. It asks first,
// so that what is usual, nothing to do, locks nothing.
func (d *DB) Prune(ctx context.Context) error {
	var dead []string
	err := d.query(ctx, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		dead = append(dead, id)
		return err
	}, "SELECT DISTINCT s.node_id FROM sessions s LEFT JOIN nodes n ON n.id = s.node_id WHERE n.id IS NULL OR n.lease < "+d.dialect.now(0))
	for _, id := range dead {
		if err != nil {
			break
		}
		err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.buryNode(ctx, tx, id) })
	}
	if err == nil {
		_, err = d.exec(ctx, "DELETE FROM nodes WHERE lease < "+d.dialect.now(-forgetNodesAfter))
	}
	if err != nil {
		return fmt.Errorf("remove what dead nodes have left: %w", err)
	}
	return nil
}

// buryNode removes the sessions of a node, unless it has come back to life. Then it writes
// them again, as it had lapsed: its lease is looked at under lock.
func (d *DB) buryNode(ctx context.Context, tx *sql.Tx, id string) error {
	buried, err := execIn(ctx, tx, "UPDATE nodes SET sessions = 0, transfers = 0 WHERE id = ? AND lease < "+d.dialect.now(0), id)
	if err != nil {
		return err
	}
	if buried == 0 {
		var there int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM nodes WHERE id = ?", id).Scan(&there); err != nil || there > 0 {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM sessions WHERE node_id = ?", id)
	return err
}

// Nodes lists all nodes that are alive, and those that died without leaving not long ago.
func (d *DB) Nodes(ctx context.Context) ([]cluster.Node, error) {
	var nodes []cluster.Node
	err := d.query(ctx, func(scan func(...any) error) error {
		var n cluster.Node
		var started, seen string
		err := scan(&n.ID, &n.Name, &n.Address, &n.Version, &n.PassiveFirst, &n.PassiveLast, &started, &seen,
			&n.Sessions, &n.Transfers, &n.Draining, &n.Alive)
		if err != nil {
			return err
		}
		if n.StartedAt, err = parseTime(started); err != nil {
			return fmt.Errorf("nodes.started_at: %w", err)
		}
		if n.SeenAt, err = parseTime(seen); err != nil {
			return fmt.Errorf("nodes.seen_at: %w", err)
		}
		nodes = append(nodes, n)
		return nil
	}, "SELECT id, name, address, version, passive_first, passive_last, started_at, seen_at, sessions, transfers, draining, lease >= "+
		d.dialect.now(0)+" FROM nodes ORDER BY name, started_at")
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	return nodes, nil
}

// Drain tells the nodes of a name that are alive to end, "" all of them, and returns which.
func (d *DB) Drain(ctx context.Context, name string) ([]cluster.Node, error) {
	nodes, err := d.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	var told []cluster.Node
	for _, n := range nodes {
		if !n.Alive || name != "" && n.Name != name {
			continue
		}
		if _, err := d.exec(ctx, "UPDATE nodes SET draining = 1 WHERE id = ?", n.ID); err != nil {
			return told, fmt.Errorf("drain %s: %w", n.Name, err)
		}
		told = append(told, n)
	}
	return told, nil
}

// execIn runs a statement of a transaction and returns how many rows it found.
func execIn(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// flag is a bool as the columns hold it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
