package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/spdscheme/spdserver/auth"
)

// maxGroups is how many groups an account may be in: its own, the parent of that, and so on.
const maxGroups = 8

// The tables of accountRow.
const (
	usersTable  = "users"
	groupsTable = "groups"
)

// accountRow is a row of users or of groups as text.
type accountRow struct {
	table  string
	name   string
	up     sql.NullString // the group that the row inherits from
	status string
	values []sql.NullString // in the order of columns
}

// accountRows are the rows of accounts, and of all groups that they inherit from.
type accountRows struct {
	users  []accountRow
	groups map[string]accountRow
}

// String names the row in errors.
func (r accountRow) String() string {
	if r.table == groupsTable {
		return "group " + r.name
	}
	return r.name
}

// faulty is the error of an impossible value.
func (r accountRow) faulty(column string, err error) error {
	return faulty(r.table, column, r.String(), err)
}

func faulty(table, column, owner string, err error) error {
	return fmt.Errorf("%w: %s.%s of %s: %w", auth.ErrFaulty, table, column, owner, err)
}

// accountRows reads the rows of accounts and of their groups.
func (d *DB) accountRows(ctx context.Context, names []string) (accountRows, error) {
	query, args := accountQuery(names)
	return d.queryRows(ctx, query, args...)
}

// accountQuery asks for accounts and their groups, all by primary key. A chain of groups is
// followed as far as it may go, so that a cycle ends.
func accountQuery(names []string) (query string, args []any) {
	in := placeholders(len(names))
	query = fmt.Sprintf("WITH RECURSIVE chain (name, depth) AS ("+
		"SELECT group_name, 1 FROM users WHERE username IN %[1]s AND group_name IS NOT NULL"+
		" UNION "+
		"SELECT g.parent, c.depth + 1 FROM chain c JOIN `groups` g ON g.name = c.name"+
		" WHERE g.parent IS NOT NULL AND c.depth <= %[2]d) "+
		"%[3]s WHERE username IN %[1]s UNION ALL %[4]s WHERE name IN (SELECT name FROM chain)",
		in, maxGroups, selectUsers(), selectGroups())
	for range 2 {
		for _, name := range names {
			args = append(args, name)
		}
	}
	return query, args
}

// queryRows runs a query of selectUsers and selectGroups.
func (d *DB) queryRows(ctx context.Context, query string, args ...any) (accountRows, error) {
	rows := accountRows{groups: make(map[string]accountRow)}
	err := d.eachRow(ctx, func(r accountRow) {
		if r.table == groupsTable {
			rows.groups[r.name] = r
		} else {
			rows.users = append(rows.users, r)
		}
	}, query, args...)
	return rows, err
}

// eachRow is queryRows for rows that are too many to be kept.
func (d *DB) eachRow(ctx context.Context, row func(accountRow), query string, args ...any) error {
	n := len(columns())
	return d.query(ctx, func(scan func(...any) error) error {
		r := accountRow{values: make([]sql.NullString, n)}
		targets := []any{&r.table, &r.name, &r.up, &r.status}
		for i := range r.values {
			targets = append(targets, &r.values[i])
		}
		if err := scan(targets...); err != nil {
			return err
		}
		row(r)
		return nil
	}, query, args...)
}

func selectUsers() string {
	return "SELECT 'users', username, group_name, status" + eachName(func(c column) string { return c.name }) + " FROM users"
}

func selectGroups() string {
	return "SELECT 'groups', name, parent, status" + eachName(func(c column) string {
		if c.absent {
			return "NULL"
		}
		return c.name
	}) + " FROM `groups`"
}

func eachName(name func(column) string) string {
	var list strings.Builder
	for _, c := range columns() {
		list.WriteString(", " + name(c))
	}
	return list.String()
}
