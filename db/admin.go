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

// Change is what AddUser and UpdateUser, AddGroup and UpdateGroup write: the fields that are
// not nil. A pointer to a zero value clears. A group has no passwords and times of its own.
type Change struct {
	Password          *string // hash with its scheme
	ReadOnlyPassword  *string // hash with its scheme, or ""
	PasswordExpiresAt *time.Time
	Group             *string // of a group: its parent; "": none
	Bucket            *string
	Prefix            *string
	Permissions       *auth.Permissions
	Status            *auth.Status
	QuotaBytes        *int64
	QuotaFiles        *int64
	MaxFileSize       *int64
	MaxSessions       *int
	UploadRate        *int64
	DownloadRate      *int64
	AllowedNames      *[]string
	DeniedNames       *[]string
	AllowedCIDRs      *[]netip.Prefix
	AllowedHours      *auth.Hours
	TLSRequired       *bool
	ClientCN          *string
	Charset           *string
	ExpiresAt         *time.Time
	Note              *string
	// Inherit names columns that become NULL: what they are is for the group to say.
	Inherit []string
}

// IsEmpty tells that nothing is to be changed.
func (c Change) IsEmpty() bool {
	return len(c.apply(new(auth.Account))) == 0 && len(c.Inherit) == 0
}

// CreateUser adds an account with these very values: nothing is left for a group to say but
// times that are zero. The passwords are hashes with their scheme (auth.HashPassword). Paths
// and Mounts are not stored. A name that is taken is auth.ErrExists.
func (d *DB) CreateUser(ctx context.Context, a auth.Account) error {
	return d.AddUser(ctx, a.Name, Change{
		Password: &a.Password, ReadOnlyPassword: &a.ReadOnlyPassword, PasswordExpiresAt: &a.PasswordExpiresAt,
		Group: &a.Group, Bucket: &a.Bucket, Prefix: &a.Prefix, Permissions: &a.Permissions, Status: &a.Status,
		QuotaBytes: &a.QuotaBytes, QuotaFiles: &a.QuotaFiles, MaxFileSize: &a.MaxFileSize, MaxSessions: &a.MaxSessions,
		UploadRate: &a.UploadRate, DownloadRate: &a.DownloadRate, AllowedNames: &a.AllowedNames, DeniedNames: &a.DeniedNames,
		AllowedCIDRs: &a.AllowedCIDRs, AllowedHours: &a.AllowedHours, TLSRequired: &a.TLSRequired, ClientCN: &a.ClientCN,
		Charset: &a.Charset, ExpiresAt: &a.ExpiresAt, Note: &a.Note,
	})
}

// AddUser adds an account. What is not given is inherited from its group, or has its default.
// Password must be given. A name that is taken is auth.ErrExists.
func (d *DB) AddUser(ctx context.Context, name string, c Change) error {
	if c.Password == nil {
		c.Password = new(string) // to be refused
	}
	return d.insert(ctx, usersTable, name, c)
}

// UpdateUser changes the given fields of an account and nothing else, so that it can mend
// an account that Find refuses. No such account: auth.ErrNotFound.
func (d *DB) UpdateUser(ctx context.Context, name string, c Change) error {
	return d.update(ctx, usersTable, name, c)
}

func (d *DB) insert(ctx context.Context, table, name string, c Change) error {
	what := "create " + of(table, name)
	if err := auth.CheckName(name); err != nil {
		return wrap(what, err)
	}
	names, values, err := c.values(table, name)
	if err != nil {
		return wrap(what, err)
	}
	names, values = append(names, keyOf(table)), append(values, name)
	_, err = d.exec(ctx, "INSERT INTO `"+table+"` ("+strings.Join(names, ", ")+") VALUES "+placeholders(len(values)), values...)
	if err != nil && d.dialect.exists(err) {
		err = auth.ErrExists
	}
	return wrap(what, d.explained(err))
}

func (d *DB) update(ctx context.Context, table, name string, c Change) error {
	what := "update " + of(table, name)
	names, values, err := c.values(table, name)
	if err != nil {
		return wrap(what, err)
	}
	assignments := []string{"updated_at = CURRENT_TIMESTAMP"}
	for _, column := range names {
		assignments = append(assignments, column+" = ?")
	}
	n, err := d.exec(ctx, "UPDATE `"+table+"` SET "+strings.Join(assignments, ", ")+" WHERE "+keyOf(table)+" = ?", append(values, name)...)
	if err == nil && n == 0 {
		err = auth.ErrNotFound
	}
	return wrap(what, d.explained(err))
}

// ErrNoGroup: an account or a group is to be put into a group that does not exist.
var ErrNoGroup = errors.New("no such group")

func (d *DB) explained(err error) error {
	if err != nil && d.dialect.noParent(err) {
		return ErrNoGroup
	}
	return err
}

func of(table, name string) string {
	if table == groupsTable {
		return "group " + name
	}
	return "user " + name
}

func keyOf(table string) string {
	if table == groupsTable {
		return "name"
	}
	return "username"
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

// ListUsers returns all accounts by name, with what they inherit but without Paths and
// Mounts. Accounts with an impossible value are left out and named in the error, which comes
// beside the others.
func (d *DB) ListUsers(ctx context.Context) ([]auth.Account, error) {
	rows, err := d.queryRows(ctx, selectGroups())
	if err != nil {
		return nil, wrap("list users", err)
	}
	var users []auth.Account
	var bad []error
	err = d.eachRow(ctx, func(row accountRow) {
		a, _, err := rows.resolve(row, nil)
		if err != nil {
			bad = append(bad, err)
			return
		}
		users = append(users, *a)
	}, selectUsers()+" ORDER BY username")
	if err != nil {
		return nil, wrap("list users", err)
	}
	return users, errors.Join(bad...)
}

// apply sets the given fields and returns the names of their columns.
func (c Change) apply(a *auth.Account) (columns []string) {
	set(&columns, "password", &a.Password, c.Password)
	set(&columns, "ro_password", &a.ReadOnlyPassword, c.ReadOnlyPassword)
	set(&columns, "password_expires_at", &a.PasswordExpiresAt, c.PasswordExpiresAt)
	set(&columns, "group_name", &a.Group, c.Group)
	set(&columns, "bucket", &a.Bucket, c.Bucket)
	set(&columns, "prefix", &a.Prefix, c.Prefix)
	set(&columns, "permissions", &a.Permissions, c.Permissions)
	set(&columns, "status", &a.Status, c.Status)
	set(&columns, "quota_bytes", &a.QuotaBytes, c.QuotaBytes)
	set(&columns, "quota_files", &a.QuotaFiles, c.QuotaFiles)
	set(&columns, "max_file_size", &a.MaxFileSize, c.MaxFileSize)
	set(&columns, "max_sessions", &a.MaxSessions, c.MaxSessions)
	set(&columns, "upload_rate", &a.UploadRate, c.UploadRate)
	set(&columns, "download_rate", &a.DownloadRate, c.DownloadRate)
	set(&columns, "allowed_names", &a.AllowedNames, c.AllowedNames)
	set(&columns, "denied_names", &a.DeniedNames, c.DeniedNames)
	set(&columns, "allowed_cidrs", &a.AllowedCIDRs, c.AllowedCIDRs)
	set(&columns, "allowed_hours", &a.AllowedHours, c.AllowedHours)
	set(&columns, "tls_required", &a.TLSRequired, c.TLSRequired)
	set(&columns, "client_cn", &a.ClientCN, c.ClientCN)
	set(&columns, "charset", &a.Charset, c.Charset)
	set(&columns, "expires_at", &a.ExpiresAt, c.ExpiresAt)
	set(&columns, "note", &a.Note, c.Note)
	return columns
}

func set[T any](columns *[]string, name string, field, value *T) {
	if value != nil {
		*field = *value
		*columns = append(*columns, name)
	}
}

// values returns the columns that change and what is stored in them.
func (c Change) values(table, name string) (names []string, values []any, err error) {
	row := accountRow{table: table, name: name}
	a := auth.Account{User: auth.User{Name: name}}
	changed := c.apply(&a)
	for _, column := range append(columns(), statusColumn()) {
		if !slices.Contains(changed, column.name) {
			continue
		}
		value, err := column.checked(&a)
		if err != nil {
			return nil, nil, fmt.Errorf("%s.%s of %s: %w", table, column.name, row, err)
		}
		names, values = append(names, inTable(table, column)), append(values, value)
	}
	for _, column := range c.Inherit {
		if !slices.Contains(Inheritable(), column) {
			return nil, nil, fmt.Errorf("%s.%s of %s: it cannot be inherited: use %s", table, column, row, strings.Join(Inheritable(), ", "))
		}
		names, values = append(names, column), append(values, nil)
	}
	return names, values, nil
}

// inTable is the column's name in a table. What groups do not have, the database refuses.
func inTable(table string, c column) string {
	if table == groupsTable && c.name == "group_name" {
		return "parent"
	}
	return c.name
}

// Inheritable lists the columns whose value may come from a group.
func Inheritable() []string {
	var names []string
	for _, c := range columns() {
		if !c.own {
			names = append(names, c.name)
		}
	}
	return names
}

// checked returns the value to store, or the error that reading it back would be.
func (c column) checked(a *auth.Account) (any, error) {
	if c.name == "password" || c.name == "ro_password" && a.ReadOnlyPassword != "" {
		stored := c.write(a).(string) //nolint:forcetypeassert // both are text columns
		if err := auth.CheckStored(stored); err != nil {
			return nil, err
		}
	}
	normal := *a
	value := c.write(&normal)
	text := ""
	if value != nil {
		text = fmt.Sprint(value)
	}
	if err := c.read(&normal, text); err != nil {
		return nil, err
	}
	return c.write(&normal), nil // a prefix has its "/" now
}

// placeholders is "(?, ?, ?)" for n values.
func placeholders(n int) string {
	return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}
