package db

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

// userColumn ties a column of the table users to a field of auth.Account.
type userColumn struct {
	name string
	// read sets the field from the column's text; NULL is "". An impossible value is an
	// error.
	read func(a *auth.Account, text string) error
	// write returns the field as it is stored.
	write func(a *auth.Account) any
}

// userColumns lists all columns, username first.
func userColumns() []userColumn {
	return []userColumn{
		textColumn("username", func(a *auth.Account) *string { return &a.Name }),
		textColumn("password", func(a *auth.Account) *string { return &a.Password }),
		textColumn("ro_password", func(a *auth.Account) *string { return &a.ReadOnlyPassword }),
		parsedColumn("bucket", parseBucket, strings.Clone, func(a *auth.Account) *string { return &a.Bucket }),
		parsedColumn("prefix", auth.ParsePrefix, strings.Clone, func(a *auth.Account) *string { return &a.Prefix }),
		parsedColumn("permissions", auth.ParsePermissions, auth.Permissions.String,
			func(a *auth.Account) *auth.Permissions { return &a.Permissions }),
		parsedColumn("status", auth.ParseStatus, func(s auth.Status) string { return string(s) },
			func(a *auth.Account) *auth.Status { return &a.Status }),
		limitColumn("quota_bytes", func(a *auth.Account) *int64 { return &a.QuotaBytes }),
		limitColumn("quota_files", func(a *auth.Account) *int64 { return &a.QuotaFiles }),
		limitColumn("max_sessions", func(a *auth.Account) *int { return &a.MaxSessions }),
		limitColumn("upload_rate", func(a *auth.Account) *int64 { return &a.UploadRate }),
		limitColumn("download_rate", func(a *auth.Account) *int64 { return &a.DownloadRate }),
		{
			name: "allowed_cidrs",
			read: func(a *auth.Account, text string) (err error) {
				a.AllowedCIDRs, err = auth.ParseCIDRs(text)
				return err
			},
			write: func(a *auth.Account) any { return auth.FormatCIDRs(a.AllowedCIDRs) },
		},
		parsedColumn("charset", parseCharset, strings.Clone, func(a *auth.Account) *string { return &a.Charset }),
		textColumn("charset_seen", func(a *auth.Account) *string { return &a.CharsetSeen }),
		timeColumn("expires_at", func(a *auth.Account) *time.Time { return &a.ExpiresAt }),
		timeColumn("created_at", func(a *auth.Account) *time.Time { return &a.CreatedAt }),
		timeColumn("updated_at", func(a *auth.Account) *time.Time { return &a.UpdatedAt }),
		timeColumn("last_login_at", func(a *auth.Account) *time.Time { return &a.LastLoginAt }),
	}
}

// readInto reads a value and names table, column and user if it is impossible.
func (c userColumn) readInto(a *auth.Account, text string) error {
	if err := c.read(a, text); err != nil {
		return fmt.Errorf("users.%s of %s: %w", c.name, a.Name, err)
	}
	return nil
}

func textColumn(name string, field func(*auth.Account) *string) userColumn {
	asIs := func(s string) (string, error) { return s, nil }
	return parsedColumn(name, asIs, strings.Clone, field)
}

func parsedColumn[T any](name string, parse func(string) (T, error), format func(T) string,
	field func(*auth.Account) *T,
) userColumn {
	return userColumn{
		name: name,
		read: func(a *auth.Account, text string) (err error) {
			*field(a), err = parse(text)
			return err
		},
		write: func(a *auth.Account) any { return format(*field(a)) },
	}
}

func limitColumn[T int | int64](name string, field func(*auth.Account) *T) userColumn {
	return userColumn{
		name: name,
		read: func(a *auth.Account, text string) error {
			if text == "" {
				text = "0"
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 || int64(T(n)) != n {
				return fmt.Errorf("%q is no limit: use a whole number, or 0 for none", text)
			}
			*field(a) = T(n)
			return nil
		},
		write: func(a *auth.Account) any { return int64(*field(a)) },
	}
}

func timeColumn(name string, field func(*auth.Account) *time.Time) userColumn {
	return userColumn{
		name: name,
		read: func(a *auth.Account, text string) (err error) {
			if text == "" {
				*field(a) = time.Time{}
				return nil
			}
			*field(a), err = parseTime(text)
			return err
		},
		write: func(a *auth.Account) any { return timeValue(*field(a)) },
	}
}

// timeValue is a time as the table users stores it: UTC, by the second, NULL for zero.
func timeValue(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(secondsLayout)
}

func parseBucket(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "/ ") {
		return "", fmt.Errorf("%q is no bucket", s)
	}
	return s, nil
}

// parseCharset only keeps out what cannot be a name: which charsets there are is not for
// the database to know.
func parseCharset(s string) (string, error) {
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("no name of a charset")
	}
	return s, nil
}
