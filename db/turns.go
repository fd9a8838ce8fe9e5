package db

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// TakeTurn implements quota.Counts: one statement, unless somebody has had the object of late.
func (d Counts) TakeTurn(ctx context.Context, object, node string, lease time.Time) (taken, quiet bool, err error) {
	_, err = d.exec(ctx, "INSERT INTO object_turns (object, node, lease) VALUES (?, ?, "+d.at(lease)+")", object, node)
	if err == nil {
		return true, true, nil
	}
	if !d.dialect.exists(err) {
		return false, false, fmt.Errorf("take a turn: %w", err)
	}
	n, err := d.exec(ctx, "UPDATE object_turns SET node = ?, lease = "+d.at(lease)+
		" WHERE object = ? AND (node = '' OR lease < "+d.at(time.Now())+")", node, object)
	if err != nil {
		return false, false, fmt.Errorf("take a turn: %w", err)
	}
	return n > 0, false, nil
}

// EndTurn implements quota.Counts.
func (d Counts) EndTurn(ctx context.Context, object, node string) (held bool, err error) {
	n, err := d.exec(ctx, "UPDATE object_turns SET node = '', lease = "+d.at(time.Now())+" WHERE object = ? AND node = ?", object, node)
	if err != nil {
		return false, fmt.Errorf("end a turn: %w", err)
	}
	return n > 0, nil
}

// RenewTurns implements quota.Counts.
func (d Counts) RenewTurns(ctx context.Context, node string, objects []string, lease time.Time) error {
	for some := range slices.Chunk(objects, turnsBatch) {
		args := []any{node}
		for _, object := range some {
			args = append(args, object)
		}
		_, err := d.exec(ctx, "UPDATE object_turns SET lease = "+d.at(lease)+" WHERE node = ? AND object IN "+placeholders(len(some)), args...)
		if err != nil {
			return fmt.Errorf("renew turns: %w", err)
		}
	}
	return nil
}

// turnsBatch is how many turns one statement renews.
const turnsBatch = 500

// PruneTurns implements quota.Counts.
func (d Counts) PruneTurns(ctx context.Context, before time.Time) error {
	if _, err := d.exec(ctx, "DELETE FROM object_turns WHERE lease < "+d.at(before)); err != nil {
		return fmt.Errorf("forget turns: %w", err)
	}
	return nil
}
