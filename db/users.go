package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/auth"
)

// Find implements auth.Users.
func (d *DB) Find(ctx context.Context, name string) (*auth.Account, error) {
	found, err := d.FindAll(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	account, ok := found[name]
	if !ok {
		return nil, auth.ErrNotFound
	}
	return account.Account, account.Err
}

// FindAll implements auth.Users. It asks two questions, however many names there are; a
// thousand or so go into one statement.
func (d *DB) FindAll(ctx context.Context, names []string) (map[string]auth.Found, error) {
	found := make(map[string]auth.Found, len(names))
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !utf8.ValidString(name) || strings.ContainsRune(name, 0) // MySQL would call the query faulty
	})
	if len(names) == 0 {
		return found, nil
	}
	rows, parts, err := d.read(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, row := range rows.users {
		if slices.Contains(names, row.name) { // whatever the table's collation is
			account, _, err := rows.resolve(row, parts)
			found[row.name] = auth.Found{Account: account, Err: err}
		}
	}
	return found, nil
}

// Explain is Find, and tells of each column which group its value comes from: "" if it is the
// account's own, or the default as it is NULL everywhere.
func (d *DB) Explain(ctx context.Context, name string) (*auth.Account, map[string]string, error) {
	rows, parts, err := d.read(ctx, []string{name})
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(rows.users, func(r accountRow) bool { return r.name == name })
	if i < 0 {
		return nil, nil, auth.ErrNotFound
	}
	return rows.resolve(rows.users[i], parts)
}

// read asks both questions even if the first finds nobody, so that the time an answer takes
// does not tell.
func (d *DB) read(ctx context.Context, names []string) (accountRows, parts, error) {
	rows, err := d.accountRows(ctx, names)
	if err != nil {
		return accountRows{}, nil, wrap("find user", err)
	}
	found, err := d.parts(ctx, names, rows.groups)
	return rows, found, wrap("find user", err)
}

// wrap says what was being done.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// ReplacePassword implements auth.Users.
func (d *DB) ReplacePassword(ctx context.Context, name string, column auth.PasswordColumn, old, hash string) error {
	if column != auth.MainPassword && column != auth.ReadOnlyPass {
		return fmt.Errorf("replace password: no column %q", column)
	}
	query := fmt.Sprintf("UPDATE users SET %s = ? WHERE username = ? AND %[1]s = ?", column)
	if _, err := d.exec(ctx, query, hash, name, old); err != nil {
		return fmt.Errorf("replace password: %w", err)
	}
	return nil
}

// LoggedIn implements auth.Users.
func (d *DB) LoggedIn(ctx context.Context, name string, at time.Time) error {
	_, err := d.exec(ctx, "UPDATE users SET last_login_at = ?, updated_at = updated_at WHERE username = ?", timeValue(at), name)
	if err != nil {
		return fmt.Errorf("note login: %w", err)
	}
	return nil
}

// SetCharsetSeen notes which charset an account's session turned out to speak.
func (d *DB) SetCharsetSeen(ctx context.Context, name, charset string) error {
	_, err := d.exec(ctx, "UPDATE users SET charset_seen = ?, updated_at = updated_at WHERE username = ?", charset, name)
	if err != nil {
		return fmt.Errorf("note charset: %w", err)
	}
	return nil
}
