package db

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spdscheme/spdserver/auth"
)

// resolve makes an account of its row, its groups and its parts, if they were read. origins
// tells of each column which group its value comes from, as Explain does. An impossible value is
// an auth.ErrFaulty.
func (rows accountRows) resolve(row accountRow, p parts) (a *auth.Account, origins map[string]string, err error) {
	chain, err := rows.chain(row)
	if err != nil {
		return nil, nil, err
	}
	a = &auth.Account{User: auth.User{Name: row.name}, Status: auth.Active}
	origins = make(map[string]string)
	for _, r := range chain {
		status, err := auth.ParseStatus(r.status)
		if err != nil {
			return nil, nil, r.faulty("status", err)
		}
		if status != auth.Active && a.Status == auth.Active {
			a.Status, origins["status"] = status, r.group()
		}
	}
	for i, c := range columns() {
		if origins[c.name], err = c.inherit(a, chain, i); err != nil {
			return nil, nil, err
		}
	}
	if err := p.addTo(a, chain); err != nil {
		return nil, nil, err
	}
	return a, origins, nil
}

// chain is the account's row, that of its group, of the group's parent, and so on.
func (rows accountRows) chain(row accountRow) ([]accountRow, error) {
	chain := []accountRow{row}
	seen := map[string]bool{}
	for row.up.Valid {
		column := "parent"
		if row.table == usersTable {
			column = "group_name"
		}
		next, ok := rows.groups[row.up.String]
		switch {
		case seen[row.up.String]:
			return nil, row.faulty(column, fmt.Errorf("the groups go round in a circle: %s", path(chain[1:])))
		case len(chain) > maxGroups:
			return nil, row.faulty(column, fmt.Errorf("more than %d groups: %s", maxGroups, path(chain[1:])))
		case !ok:
			return nil, row.faulty(column, fmt.Errorf("no group %q", row.up.String))
		}
		seen[next.name] = true
		chain = append(chain, next)
		row = next
	}
	return chain, nil
}

// path names groups, each followed by the one that it inherits from.
func path(chain []accountRow) string {
	var names []string
	for _, r := range chain {
		names = append(names, fmt.Sprintf("%q", r.name))
	}
	return strings.Join(append(names, fmt.Sprintf("%q", chain[len(chain)-1].up.String)), " in ")
}

// inherit sets the field from the first row of the chain that has a value, and returns the
// group's name, or "" if it is the account's own or the default. index is the column's.
func (c column) inherit(a *auth.Account, chain []accountRow, index int) (from string, err error) {
	if c.own {
		chain = chain[:1]
	}
	for _, r := range chain {
		value := r.values[index]
		if !value.Valid {
			continue
		}
		text := value.String
		if c.name == "prefix" {
			text, err = expand(r, text, a.Name)
		}
		if err == nil {
			err = c.read(a, text)
		}
		if err != nil {
			return "", r.faulty(c.name, err)
		}
		return r.group(), nil
	}
	if c.name == "bucket" {
		return "", chain[0].faulty(c.name, errors.New("it is NULL, and no group has one"))
	}
	return "", c.read(a, c.none)
}

// group is the group's name, or "" of an account.
func (r accountRow) group() string {
	if r.table == groupsTable {
		return r.name
	}
	return ""
}

// expand puts the account's name in place of %u in a group's prefix. A name that would be
// more or less than one folder is refused: groups share a bucket, and by such names one
// account could reach the files of another.
func expand(r accountRow, prefix, name string) (string, error) {
	if r.table != groupsTable || !strings.Contains(prefix, "%u") {
		return prefix, nil
	}
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return "", fmt.Errorf("%q cannot stand for %%u, as it is no name of a folder", name)
	}
	return strings.ReplaceAll(prefix, "%u", name), nil
}
