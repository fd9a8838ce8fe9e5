package db

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

// UserChange is what UpdateUser changes: the fields that are not nil. A pointer to a zero
// value clears.
type UserChange struct {
	Password         *string // hash with its scheme
	ReadOnlyPassword *string // hash with its scheme, or ""
	Bucket           *string
	Prefix           *string
	Permissions      *auth.Permissions
	Status           *auth.Status
	QuotaBytes       *int64
	QuotaFiles       *int64
	MaxSessions      *int
	UploadRate       *int64
	DownloadRate     *int64
	AllowedCIDRs     *[]netip.Prefix
	Charset          *string
	ExpiresAt        *time.Time
}

// CreateUser adds an account; the database sets its times but ExpiresAt. The passwords are
// hashes with their scheme (auth.HashPassword). A name that is taken is auth.ErrExists.
func (d *DB) CreateUser(ctx context.Context, a auth.Account) error {
	if err := auth.CheckName(a.Name); err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	columns := slices.DeleteFunc(userColumns(), func(c userColumn) bool {
		return slices.Contains([]string{"created_at", "updated_at", "last_login_at"}, c.name)
	})
	var names []string
	var values []any
	for _, c := range columns {
		value, err := c.checked(&a)
		if err != nil {
			return fmt.Errorf("create user: %w", err)
		}
		names, values = append(names, c.name), append(values, value)
	}
	_, err := d.exec(ctx, "INSERT INTO users ("+strings.Join(names, ", ")+") VALUES "+placeholders(len(values)), values...)
	if err != nil && d.dialect.exists(err) {
		return fmt.Errorf("create user %s: %w", a.Name, auth.ErrExists)
	}
	if err != nil {
		return fmt.Errorf("create user %s: %w", a.Name, err)
	}
	return nil
}

// UpdateUser changes the given fields of an account and nothing else, so that it can mend
// an account that Find refuses. No such account: auth.ErrNotFound.
func (d *DB) UpdateUser(ctx context.Context, name string, change UserChange) error {
	a := auth.Account{User: auth.User{Name: name}}
	changed := change.apply(&a)
	assignments := []string{"updated_at = CURRENT_TIMESTAMP"}
	var values []any
	for _, c := range userColumns() {
		if !slices.Contains(changed, c.name) {
			continue
		}
		value, err := c.checked(&a)
		if err != nil {
			return fmt.Errorf("update user: %w", err)
		}
		assignments, values = append(assignments, c.name+" = ?"), append(values, value)
	}
	n, err := d.exec(ctx, "UPDATE users SET "+strings.Join(assignments, ", ")+" WHERE username = ?", append(values, name)...)
	if err == nil && n == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("update user %s: %w", name, err)
	}
	return nil
}

// DeleteUser removes an account and its usage count. No such account: auth.ErrNotFound.
func (d *DB) DeleteUser(ctx context.Context, name string) error {
	n, err := d.exec(ctx, "DELETE FROM users WHERE username = ?", name) // usage_counts cascades
	if err == nil && n == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete user %s: %w", name, err)
	}
	return nil
}

// ListUsers returns all accounts by name. Accounts with an impossible value are left out
// and named in the error, which comes beside the others.
func (d *DB) ListUsers(ctx context.Context) ([]auth.Account, error) {
	var users []auth.Account
	var faulty []error
	err := d.query(ctx, func(scan func(...any) error) error {
		a, err := scanAccount(scan)
		if a == nil {
			return err
		}
		if err != nil {
			faulty = append(faulty, err)
			return nil
		}
		users = append(users, *a)
		return nil
	}, selectUsers()+" ORDER BY username")
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, errors.Join(faulty...)
}

// apply sets the given fields and returns the names of their columns.
func (c UserChange) apply(a *auth.Account) (columns []string) {
	set(&columns, "password", &a.Password, c.Password)
	set(&columns, "ro_password", &a.ReadOnlyPassword, c.ReadOnlyPassword)
	set(&columns, "bucket", &a.Bucket, c.Bucket)
	set(&columns, "prefix", &a.Prefix, c.Prefix)
	set(&columns, "permissions", &a.Permissions, c.Permissions)
	set(&columns, "status", &a.Status, c.Status)
	set(&columns, "quota_bytes", &a.QuotaBytes, c.QuotaBytes)
	set(&columns, "quota_files", &a.QuotaFiles, c.QuotaFiles)
	set(&columns, "max_sessions", &a.MaxSessions, c.MaxSessions)
	set(&columns, "upload_rate", &a.UploadRate, c.UploadRate)
	set(&columns, "download_rate", &a.DownloadRate, c.DownloadRate)
	set(&columns, "allowed_cidrs", &a.AllowedCIDRs, c.AllowedCIDRs)
	set(&columns, "charset", &a.Charset, c.Charset)
	set(&columns, "expires_at", &a.ExpiresAt, c.ExpiresAt)
	return columns
}

func set[T any](columns *[]string, name string, field, value *T) {
	if value != nil {
		*field = *value
		*columns = append(*columns, name)
	}
}

// checked returns the value to store, or the error that reading it back would be.
func (c userColumn) checked(a *auth.Account) (any, error) {
	if c.name == "password" || c.name == "ro_password" && a.ReadOnlyPassword != "" {
		stored := c.write(a).(string) //nolint:forcetypeassert // both are text columns
		if err := auth.CheckStored(stored); err != nil {
			return nil, fmt.Errorf("users.%s of %s: %w", c.name, a.Name, err)
		}
	}
	normal := *a
	value := c.write(&normal)
	text := ""
	if value != nil {
		text = fmt.Sprint(value)
	}
	if err := c.readInto(&normal, text); err != nil {
		return nil, err
	}
	return c.write(&normal), nil // a prefix has its "/" now
}

// placeholders is "(?, ?, ?)" for n values.
func placeholders(n int) string {
	return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}
