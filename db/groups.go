package db

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/auth"
)

// Group is a row of the table groups.
type Group struct {
	Name   string
	Parent string // "" means none
	Status auth.Status
	Values map[string]string // as they are stored, by column; those that are NULL are not there
}

// ErrGroupInUse: accounts or groups inherit from the group that was to be deleted.
var ErrGroupInUse = errors.New("accounts or other groups are in the group")

// AddGroup adds a group. What is not given is inherited from its parent. A name that is
// taken is auth.ErrExists.
func (d *DB) AddGroup(ctx context.Context, name string, c Change) error {
	return d.insert(ctx, groupsTable, name, c)
}

// UpdateGroup changes the given fields of a group and nothing else. No such group:
// auth.ErrNotFound.
func (d *DB) UpdateGroup(ctx context.Context, name string, c Change) error {
	return d.update(ctx, groupsTable, name, c)
}

// DeleteGroup removes a group, which must have no accounts and no groups below it, with its
// path rules and mounts. Otherwise it is ErrGroupInUse. No such group: auth.ErrNotFound.
func (d *DB) DeleteGroup(ctx context.Context, name string) error {
	n, err := d.exec(ctx, "DELETE FROM `groups` WHERE name = ?", name)
	if err == nil && n == 0 {
		err = auth.ErrNotFound
	}
	if err != nil && d.dialect.inUse(err) {
		err = ErrGroupInUse
	}
	return wrap("delete group "+name, err)
}

// ListGroups returns all groups by name.
func (d *DB) ListGroups(ctx context.Context) ([]Group, error) {
	rows, err := d.queryRows(ctx, selectGroups())
	if err != nil {
		return nil, wrap("list groups", err)
	}
	groups := make([]Group, 0, len(rows.groups))
	for _, row := range rows.groups {
		g := Group{Name: row.name, Parent: row.up.String, Status: auth.Status(row.status), Values: make(map[string]string)}
		for i, c := range columns() {
			if value := row.values[i]; value.Valid {
				g.Values[c.name] = value.String
			}
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}

// Inherited returns what an account takes from a group and from those above it, by column:
// as it is stored, those that are NULL everywhere left out. No such group: ErrNoGroup.
func (d *DB) Inherited(ctx context.Context, group string) (map[string]string, error) {
	rows, err := d.queryRows(ctx, selectGroups())
	if err != nil {
		return nil, wrap("read groups", err)
	}
	row, ok := rows.groups[group]
	if !ok {
		return nil, wrap("read group "+group, ErrNoGroup)
	}
	chain, err := rows.chain(row)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for i, c := range columns() {
		for _, r := range chain {
			if value := r.values[i]; value.Valid && !c.own {
				values[c.name] = value.String
				break
			}
		}
	}
	return values, nil
}
