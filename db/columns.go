package db

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

// column ties a column of the tables users and groups to a field of auth.Account.
type column struct {
	name string
	// own: it is not inherited.
	own bool
	// absent: the table groups does not have it.
	absent bool
	// none stands for a value that is NULL in the account's row and those of its groups.
	none string
	// read sets the field from the column's text. An impossible value is an error.
	read func(a *auth.Account, text string) error
	// write returns the field as it is stored.
	write func(a *auth.Account) any
}

// columns lists all columns but username and status, which are not inherited like the others.
func columns() []column {
	return []column{
		userColumn(textColumn("password", func(a *auth.Account) *string { return &a.Password })),
		userColumn(textColumn("ro_password", func(a *auth.Account) *string { return &a.ReadOnlyPassword })),
		parsedColumn("bucket", parseBucket, strings.Clone, func(a *auth.Account) *string { return &a.Bucket }),
		parsedColumn("prefix", auth.ParsePrefix, strings.Clone, func(a *auth.Account) *string { return &a.Prefix }),
		withDefault("rw", parsedColumn("permissions", auth.ParsePermissions, auth.Permissions.String,
			func(a *auth.Account) *auth.Permissions { return &a.Permissions })),
		limitColumn("quota_bytes", func(a *auth.Account) *int64 { return &a.QuotaBytes }),
		limitColumn("quota_files", func(a *auth.Account) *int64 { return &a.QuotaFiles }),
		limitColumn("max_file_size", func(a *auth.Account) *int64 { return &a.MaxFileSize }),
		limitColumn("max_sessions", func(a *auth.Account) *int { return &a.MaxSessions }),
		limitColumn("upload_rate", func(a *auth.Account) *int64 { return &a.UploadRate }),
		limitColumn("download_rate", func(a *auth.Account) *int64 { return &a.DownloadRate }),
		parsedColumn("allowed_names", auth.ParseNamePatterns, auth.FormatNamePatterns,
			func(a *auth.Account) *[]string { return &a.AllowedNames }),
		parsedColumn("denied_names", auth.ParseNamePatterns, auth.FormatNamePatterns,
			func(a *auth.Account) *[]string { return &a.DeniedNames }),
		parsedColumn("allowed_cidrs", auth.ParseCIDRs, auth.FormatCIDRs,
			func(a *auth.Account) *[]netip.Prefix { return &a.AllowedCIDRs }),
		parsedColumn("allowed_hours", auth.ParseHours, auth.Hours.String,
			func(a *auth.Account) *auth.Hours { return &a.AllowedHours }),
		switchColumn("tls_required", func(a *auth.Account) *bool { return &a.TLSRequired }),
		textColumn("client_cn", func(a *auth.Account) *string { return &a.ClientCN }),
		parsedColumn("charset", parseCharset, strings.Clone, func(a *auth.Account) *string { return &a.Charset }),
		userColumn(textColumn("charset_seen", func(a *auth.Account) *string { return &a.CharsetSeen })),
		timeColumn("expires_at", func(a *auth.Account) *time.Time { return &a.ExpiresAt }),
		userColumn(timeColumn("password_expires_at", func(a *auth.Account) *time.Time { return &a.PasswordExpiresAt })),
		userColumn(groupColumn()),
		ownColumn(textColumn("note", func(a *auth.Account) *string { return &a.Note })),
		ownColumn(timeColumn("created_at", func(a *auth.Account) *time.Time { return &a.CreatedAt })),
		ownColumn(timeColumn("updated_at", func(a *auth.Account) *time.Time { return &a.UpdatedAt })),
		userColumn(timeColumn("last_login_at", func(a *auth.Account) *time.Time { return &a.LastLoginAt })),
	}
}

// statusColumn is apart, as a suspended group suspends all its accounts.
func statusColumn() column {
	return parsedColumn("status", auth.ParseStatus, func(s auth.Status) string { return string(s) },
		func(a *auth.Account) *auth.Status { return &a.Status })
}

// groupColumn stores no group as NULL.
func groupColumn() column {
	c := textColumn("group_name", func(a *auth.Account) *string { return &a.Group })
	c.write = func(a *auth.Account) any {
		if a.Group == "" {
			return nil
		}
		return a.Group
	}
	return c
}

// ownColumn is of each row itself.
func ownColumn(c column) column {
	c.own = true
	return c
}

// userColumn is one that only accounts have.
func userColumn(c column) column {
	c.own, c.absent = true, true
	return c
}

func withDefault(none string, c column) column {
	c.none = none
	return c
}

func textColumn(name string, field func(*auth.Account) *string) column {
	asIs := func(s string) (string, error) { return s, nil }
	return parsedColumn(name, asIs, strings.Clone, field)
}

func parsedColumn[T any](name string, parse func(string) (T, error), format func(T) string,
	field func(*auth.Account) *T,
) column {
	return column{
		name: name,
		read: func(a *auth.Account, text string) (err error) {
			*field(a), err = parse(text)
			return err
		},
		write: func(a *auth.Account) any { return format(*field(a)) },
	}
}

func limitColumn[T int | int64](name string, field func(*auth.Account) *T) column {
	return parsedColumn(name, parseLimit[T], func(n T) string { return strconv.FormatInt(int64(n), 10) }, field)
}

func parseLimit[T int | int64](text string) (T, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || int64(T(n)) != n {
		return 0, fmt.Errorf("%q is no limit: use a whole number, or 0 for none", text)
	}
	return T(n), nil
}

func switchColumn(name string, field func(*auth.Account) *bool) column {
	return parsedColumn(name, parseSwitch, formatSwitch, field)
}

func parseSwitch(text string) (bool, error) {
	switch text {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, fmt.Errorf("%q is neither 0 nor 1", text)
}

func formatSwitch(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

func timeColumn(name string, field func(*auth.Account) *time.Time) column {
	return column{
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
