package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/spdscheme/spdserver/auth"
)

// The tables of part.
const (
	pathsTable  = "user_paths"
	mountsTable = "mounts"
)

// part is a row of user_paths or mounts as text.
type part struct {
	table, owner, path, flag string // flag: hidden, or read_only
	permissions              sql.NullString
	bucket, prefix, quota    sql.NullString
	quotaBytes, quotaFiles   sql.NullString
}

// owner is an account or a group.
type owner struct{ table, name string }

// parts are the path rules and mounts of accounts and of groups. Of one owner there are at
// most one more than any account may have.
type parts map[owner][]part

// parts reads what belongs to accounts and to their groups.
func (d *DB) parts(ctx context.Context, names []string, groups map[string]accountRow) (parts, error) {
	found := make(parts)
	counts := make(map[string]int)
	query, args := partsQuery(names, groups)
	err := d.query(ctx, func(scan func(...any) error) error {
		var of owner
		var p part
		err := scan(&of.table, &p.table, &of.name, &p.path, &p.flag, &p.permissions,
			&p.bucket, &p.prefix, &p.quota, &p.quotaBytes, &p.quotaFiles)
		p.owner = of.String()
		if count := of.table + p.table + of.name; err == nil && counts[count] <= max(auth.MaxMounts, auth.MaxPathRules) {
			counts[count]++
			found[of] = append(found[of], p)
		}
		return err
	}, query, args...)
	return found, err
}

// partsQuery asks for what belongs to accounts and to their groups, all by index.
func partsQuery(names []string, groups map[string]accountRow) (query string, args []any) {
	var accountNames, groupNames []any
	for _, name := range names {
		accountNames = append(accountNames, name)
	}
	for name := range groups {
		groupNames = append(groupNames, name)
	}
	var queries []string
	for _, of := range []struct {
		table, column string
		names         []any
	}{{usersTable, "username", accountNames}, {groupsTable, "group_name", groupNames}} {
		if len(of.names) == 0 {
			continue
		}
		in := of.column + " IN " + placeholders(len(of.names))
		queries = append(queries,
			fmt.Sprintf("SELECT '%s', 'user_paths', %s, pattern, hidden, permissions, NULL, NULL, NULL, NULL, NULL"+
				" FROM user_paths WHERE %s", of.table, of.column, in),
			fmt.Sprintf("SELECT '%s', 'mounts', %s, path, read_only, NULL, bucket, prefix, quota, quota_bytes, quota_files"+
				" FROM mounts WHERE %s", of.table, of.column, in))
		args = append(append(args, of.names...), of.names...)
	}
	return strings.Join(queries, " UNION ALL "), args
}

// String names the owner in errors.
func (o owner) String() string { return accountRow{table: o.table, name: o.name}.String() }

// addTo gives an account the rules and mounts of its own and of its groups. What is nearer
// to the account takes the place of what a group has for the same path.
func (p parts) addTo(a *auth.Account, chain []accountRow) error {
	from := make(map[string]int) // the rows' place in the chain, by table and path
	for i, r := range chain {
		for _, row := range p[owner{r.table, r.name}] {
			path, add, err := row.read(a, r)
			if err != nil {
				return err
			}
			first, taken := from[row.table+path]
			if taken && first == i { // "/a" and "/a/"
				return faulty(row.table, "id", row.owner, fmt.Errorf("two rows for %s", path))
			}
			if !taken {
				from[row.table+path] = i
				add()
			}
		}
	}
	switch {
	case len(a.Paths) > auth.MaxPathRules:
		return faulty(pathsTable, "username", a.Name, fmt.Errorf("more than %d rows", auth.MaxPathRules))
	case len(a.Mounts) > auth.MaxMounts:
		return faulty(mountsTable, "username", a.Name, fmt.Errorf("more than %d rows", auth.MaxMounts))
	}
	if err := auth.SortMounts(a.Mounts); err != nil {
		return faulty(mountsTable, "path", a.Name, err)
	}
	return nil
}

// read returns the row's path, and how to add it to the account. of is the row of its owner.
func (p part) read(a *auth.Account, of accountRow) (path string, add func(), err error) {
	if p.table == pathsTable {
		rule, column, err := p.rule()
		if err != nil {
			return "", nil, faulty(p.table, column, p.owner, err)
		}
		return rule.Pattern, func() { a.Paths = append(a.Paths, rule) }, nil
	}
	mount, column, err := p.mount(a, of)
	if err != nil {
		return "", nil, faulty(p.table, column, p.owner, err)
	}
	return mount.Path, func() { a.Mounts = append(a.Mounts, mount) }, nil
}

// rule reads a row of user_paths. An error comes with the column that is at fault.
func (p part) rule() (r auth.PathRule, column string, err error) {
	if r.Pattern, err = auth.ParsePathPattern(p.path); err != nil {
		return r, "pattern", err
	}
	if r.Hidden, err = parseSwitch(p.flag); err != nil {
		return r, "hidden", err
	}
	if p.permissions.Valid {
		permissions, err := auth.ParsePermissions(p.permissions.String)
		if err != nil {
			return r, "permissions", err
		}
		r.Permissions = &permissions
	}
	return r, "", nil
}

// mount reads a row of mounts. An error comes with the column that is at fault.
func (p part) mount(a *auth.Account, of accountRow) (m auth.Mount, column string, err error) {
	prefix, err := expand(of, p.prefix.String, a.Name)
	if err == nil {
		m.Prefix, err = auth.ParsePrefix(prefix)
	}
	if err != nil {
		return m, "prefix", err
	}
	if m.Path, err = auth.ParseMountPath(p.path); err != nil {
		return m, "path", err
	}
	if m.Bucket = a.Bucket; p.bucket.Valid {
		if m.Bucket, err = parseBucket(p.bucket.String); err != nil {
			return m, "bucket", err
		}
	}
	if m.ReadOnly, err = parseSwitch(p.flag); err != nil {
		return m, "read_only", err
	}
	if m.Quota, err = auth.ParseMountQuota(p.quota.String); err != nil {
		return m, "quota", err
	}
	if m.QuotaBytes, err = parseLimit[int64](p.quotaBytes.String); err != nil {
		return m, "quota_bytes", err
	}
	if m.QuotaFiles, err = parseLimit[int64](p.quotaFiles.String); err != nil {
		return m, "quota_files", err
	}
	if m.Quota == auth.SharedQuota && (m.QuotaBytes > 0 || m.QuotaFiles > 0) {
		return m, "quota", errors.New("it is shared, so quota_bytes and quota_files mean nothing: make it own")
	}
	return m, "", nil
}
