package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/auth"
)

// Find implements auth.Users.
func (d *DB) Find(ctx context.Context, name string) (*auth.Account, error) {
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return nil, auth.ErrNotFound // MySQL would call the query faulty
	}
	var found *auth.Account
	err := d.query(ctx, func(scan func(...any) error) error {
		a, err := scanAccount(scan)
		if a != nil && a.Name == name { // whatever the table's collation is
			found = a
			return err
		}
		return nil
	}, selectUsers()+" WHERE username = ?", name)
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	if found == nil {
		return nil, auth.ErrNotFound
	}
	return found, nil
}

// FindAll implements auth.Users.
func (d *DB) FindAll(ctx context.Context, names []string) (map[string]auth.Found, error) {
	found := make(map[string]auth.Found, len(names))
	for _, name := range names {
		a, err := d.Find(ctx, name)
		switch {
		case errors.Is(err, auth.ErrFaulty):
			found[name] = auth.Found{Err: err}
		case err == nil:
			found[name] = auth.Found{Account: a}
		case !errors.Is(err, auth.ErrNotFound):
			return nil, err
		}
	}
	return found, nil
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
	_, err := d.exec(ctx, "UPDATE users SET last_login_at = ? WHERE username = ?", timeValue(at), name)
	if err != nil {
		return fmt.Errorf("note login: %w", err)
	}
	return nil
}

// SetCharsetSeen notes which charset an account's session turned out to speak.
func (d *DB) SetCharsetSeen(ctx context.Context, name, charset string) error {
	_, err := d.exec(ctx, "UPDATE users SET charset_seen = ? WHERE username = ?", charset, name)
	if err != nil {
		return fmt.Errorf("note charset: %w", err)
	}
	return nil
}

func selectUsers() string {
	var names []string
	for _, c := range userColumns() {
		names = append(names, c.name)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM users"
}

// scanAccount reads a row of selectUsers. If only its values are at fault, the account is
// returned as far as it could be read, beside the error.
func scanAccount(scan func(...any) error) (*auth.Account, error) {
	columns := userColumns()
	values := make([]sql.NullString, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := scan(targets...); err != nil {
		return nil, err
	}
	a := new(auth.Account)
	for i, c := range columns { // username is the first
		if err := c.readInto(a, values[i].String); err != nil {
			return a, err
		}
	}
	return a, nil
}
