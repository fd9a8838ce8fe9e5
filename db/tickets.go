package db

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ticketKeyDays is how long a key is kept: TLS session tickets are good for seven days at
// most (RFC 8446, 4.6.1).
const ticketKeyDays = 7

// TicketKeys returns the keys of TLS session tickets that all nodes share, the newest
// first. The first node to ask on a day (UTC) makes that day's key.
func (d *DB) TicketKeys(ctx context.Context, now time.Time) ([][32]byte, error) {
	today := now.UTC().Format(time.DateOnly)
	oldest := now.UTC().AddDate(0, 0, -ticketKeyDays).Format(time.DateOnly)
	keys, newest, err := d.ticketKeys(ctx, oldest)
	if err != nil || newest >= today {
		return keys, err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	_, err = d.exec(ctx, "INSERT INTO ticket_keys (day, secret) VALUES (?, ?)", today, hex.EncodeToString(secret[:]))
	if err != nil && !d.dialect.exists(err) { // another node was faster
		return nil, fmt.Errorf("make a ticket key: %w", err)
	}
	if _, err := d.exec(ctx, "DELETE FROM ticket_keys WHERE day < ?", oldest); err != nil {
		return nil, fmt.Errorf("drop old ticket keys: %w", err)
	}
	keys, _, err = d.ticketKeys(ctx, oldest)
	return keys, err
}

var errTicketKey = errors.New("a secret in ticket_keys is not 32 bytes in hex")

// ticketKeys reads the keys of the days from oldest on.
func (d *DB) ticketKeys(ctx context.Context, oldest string) (keys [][32]byte, newest string, err error) {
	err = d.query(ctx, func(scan func(...any) error) error {
		var day, secret string
		if err := scan(&day, &secret); err != nil {
			return err
		}
		key, err := hex.DecodeString(secret)
		if err != nil || len(key) != 32 {
			return errTicketKey // and no word of what it is
		}
		keys, newest = append(keys, [32]byte(key)), max(newest, day)
		return nil
	}, "SELECT day, secret FROM ticket_keys WHERE day >= ? ORDER BY day DESC", oldest)
	if err != nil {
		return nil, "", fmt.Errorf("read ticket keys: %w", err)
	}
	return keys, newest, nil
}
