package db

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/cluster"
)

const (
	// sessionsBatch is how many rows one statement writes or deletes.
	sessionsBatch = 200
	// loginTurns is how many rows there are to take turns by.
	loginTurns = 64
)

// sessionColumns in the order of insertSessions and of Sessions.
const sessionColumns = "id, node, username, address, port, tls, since, verb, path, bytes"

// syncSessions writes and deletes rows of a node's sessions, and returns those that somebody
// else has deleted. The rows are locked, so that none vanishes between the look and the
// write, which would bring it back.
func (d *DB) syncSessions(ctx context.Context, tx *sql.Tx, b cluster.Beat) (missing []string, err error) {
	there, err := lockSessions(ctx, tx, b.Node.ID)
	if err != nil {
		return nil, err
	}
	gone := make(map[string]bool)
	for _, id := range b.Known {
		if !there[id] {
			missing = append(missing, id)
			gone[id] = true
		}
	}
	write := slices.DeleteFunc(slices.Clone(b.Write), func(s cluster.Session) bool { return gone[s.ID] })
	if err := d.insertSessions(ctx, tx, b.Node.ID, write); err != nil {
		return nil, err
	}
	return missing, deleteSessions(ctx, tx, b.Node.ID, b.Ended)
}

// lockSessions reads which rows of a node there are. SQLite has locked all tables already.
func lockSessions(ctx context.Context, tx *sql.Tx, nodeID string) (there map[string]bool, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM sessions WHERE node_id = ? /*! FOR UPDATE */", nodeID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its errors are those of Err
	there = make(map[string]bool)
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		there[id] = true
	}
	return there, rows.Err()
}

func (d *DB) insertSessions(ctx context.Context, tx *sql.Tx, nodeID string, sessions []cluster.Session) error {
	for batch := range slices.Chunk(sessions, sessionsBatch) {
		rows := make([]string, len(batch))
		var args []any
		for i, s := range batch {
			rows[i] = "(?, ?, ?, ?, ?, ?, ?, " + d.dialect.now(min(0, -time.Since(s.Since))) + ", ?, ?, ?)"
			args = append(args, nodeID, fit(s.ID, 64), fit(s.Node, 190), fit(s.User, 255), s.Remote.Addr().String(), s.Remote.Port(),
				flag(s.TLS), fit(s.Verb, 16), fit(s.Path, 2048), s.Bytes)
		}
		_, err := execIn(ctx, tx, "INSERT INTO sessions (node_id, "+sessionColumns+") VALUES "+strings.Join(rows, ", ")+
			d.dialect.upsert([]string{"node_id", "id"}, []string{"username", "since", "tls", "verb", "path", "bytes"}), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func deleteSessions(ctx context.Context, tx *sql.Tx, nodeID string, ids []string) error {
	for batch := range slices.Chunk(ids, sessionsBatch) {
		args := []any{nodeID}
		for _, id := range batch {
			args = append(args, id)
		}
		_, err := execIn(ctx, tx, "DELETE FROM sessions WHERE node_id = ? AND id IN "+placeholders(len(batch)), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove implements cluster.Registry.
func (d *DB) Remove(ctx context.Context, nodeID string, ids []string) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return deleteSessions(ctx, tx, nodeID, ids) })
	if err != nil {
		return fmt.Errorf("remove sessions: %w", err)
	}
	return nil
}

// Admit implements cluster.Registry. Logins of one account, or from one address, take turns
// by a row that each of them locks, so that none counts while another is about to insert.
func (d *DB) Admit(ctx context.Context, n cluster.Node, s cluster.Session, l cluster.Limits) error {
	s.Node = n.Name
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := d.takeTurns(ctx, tx, s, l); err != nil {
			return err
		}
		if err := d.within(ctx, tx, n.ID, s, l.OfUser, "username", s.User, cluster.ErrManyOfUser); err != nil {
			return err
		}
		if err := d.within(ctx, tx, n.ID, s, l.FromAddress, "address", s.Remote.Addr().String(), cluster.ErrManyFromAddress); err != nil {
			return err
		}
		return d.insertSessions(ctx, tx, n.ID, []cluster.Session{s})
	})
	if err != nil {
		return fmt.Errorf("admit session: %w", err)
	}
	return nil
}

// within counts the other sessions of nodes that are alive. The asking one is.
func (d *DB) within(ctx context.Context, tx *sql.Tx, nodeID string, s cluster.Session, limit int, column, value string, tooMany error) error {
	if limit <= 0 {
		return nil
	}
	var count int
	err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM sessions s JOIN nodes n ON n.id = s.node_id WHERE s."+column+" = ?"+
		" AND (n.lease >= "+d.dialect.now(0)+" OR n.id = ?) AND NOT (s.node_id = ? AND s.id = ?)", value, nodeID, nodeID, s.ID).Scan(&count)
	if err == nil && count >= limit {
		err = tooMany
	}
	return err
}

// takeTurns locks the rows of the account and of the address, in one order, so that no two
// logins wait for each other.
func (d *DB) takeTurns(ctx context.Context, tx *sql.Tx, s cluster.Session, l cluster.Limits) error {
	var slots []uint32
	if l.OfUser > 0 {
		slots = append(slots, turnOf("user", s.User))
	}
	if l.FromAddress > 0 {
		slots = append(slots, turnOf("address", s.Remote.Addr().String()))
	}
	slices.Sort(slots)
	for _, slot := range slices.Compact(slots) {
		if err := d.takeTurn(ctx, tx, slot); err != nil {
			return err
		}
	}
	return nil
}

// takeTurn locks a row until the transaction ends. It changes the row, so that servers that
// have no locks in common, such as those of a Galera cluster, find the conflict.
func (d *DB) takeTurn(ctx context.Context, tx *sql.Tx, slot uint32) error {
	for range 2 { // the second time, the row is there
		n, err := execIn(ctx, tx, "UPDATE login_turns SET turn = turn + 1 WHERE slot = ?", slot)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO login_turns (slot, turn) VALUES (?, 1)", slot)
		if err == nil || !d.dialect.exists(err) {
			return err
		}
	}
	return nil
}

func turnOf(kind, name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(kind + " " + name)) // a hash never fails
	return h.Sum32() % loginTurns
}

// Sessions lists the sessions of all nodes that are alive, the oldest first.
func (d *DB) Sessions(ctx context.Context) ([]cluster.Session, error) {
	var sessions []cluster.Session
	err := d.query(ctx, func(scan func(...any) error) error {
		var s cluster.Session
		var address, since string
		var port uint16
		if err := scan(&s.ID, &s.Node, &s.User, &address, &port, &s.TLS, &since, &s.Verb, &s.Path, &s.Bytes); err != nil {
			return err
		}
		ip, err := netip.ParseAddr(address)
		if err != nil {
			return fmt.Errorf("sessions.address: %w", err)
		}
		s.Remote = netip.AddrPortFrom(ip, port)
		if s.Since, err = parseTime(since); err != nil {
			return fmt.Errorf("sessions.since: %w", err)
		}
		sessions = append(sessions, s)
		return nil
	}, "SELECT "+sessionColumns+" FROM v_sessions ORDER BY since, id")
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return sessions, nil
}

// Kick deletes the rows of a session or, if id is "", of all sessions of an account, which
// ends them within seconds. It returns how many there were.
func (d *DB) Kick(ctx context.Context, id, user string) (int64, error) {
	column, value := "id", id
	if id == "" {
		column, value = "username", user
	}
	n, err := d.exec(ctx, "DELETE FROM sessions WHERE "+column+" = ?", value)
	if err != nil {
		return 0, fmt.Errorf("kick: %w", err)
	}
	return n, nil
}
