package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/config"
)

// userJSON is an account as --json prints it: the columns of the table users, without the
// passwords. Limits of 0 are none; times are null if there is none.
type userJSON struct {
	Username     string     `json:"username"`
	Password     string     `json:"password"`    // "set" or "not set"
	ROPassword   string     `json:"ro_password"` // "set" or "not set"
	Bucket       string     `json:"bucket"`
	Prefix       string     `json:"prefix"`
	Permissions  string     `json:"permissions"`
	Status       string     `json:"status"`
	QuotaBytes   int64      `json:"quota_bytes"`
	QuotaFiles   int64      `json:"quota_files"`
	MaxSessions  int        `json:"max_sessions"`
	UploadRate   int64      `json:"upload_rate"`
	DownloadRate int64      `json:"download_rate"`
	AllowedCIDRs []string   `json:"allowed_cidrs"`
	Charset      string     `json:"charset"`
	CharsetSeen  string     `json:"charset_seen"`
	ExpiresAt    *time.Time `json:"expires_at"`
	CreatedAt    *time.Time `json:"created_at"`
	UpdatedAt    *time.Time `json:"updated_at"`
	LastLoginAt  *time.Time `json:"last_login_at"`
}

func toJSON(a *auth.Account) userJSON {
	cidrs := make([]string, len(a.AllowedCIDRs))
	for i, p := range a.AllowedCIDRs {
		cidrs[i] = p.String()
	}
	return userJSON{
		Username: a.Name, Password: isSet(a.Password), ROPassword: isSet(a.ReadOnlyPassword),
		Bucket: a.Bucket, Prefix: a.Prefix, Permissions: a.Permissions.String(), Status: string(a.Status),
		QuotaBytes: a.QuotaBytes, QuotaFiles: a.QuotaFiles, MaxSessions: a.MaxSessions,
		UploadRate: a.UploadRate, DownloadRate: a.DownloadRate, AllowedCIDRs: cidrs, Charset: a.Charset, CharsetSeen: a.CharsetSeen,
		ExpiresAt: timeOrNull(a.ExpiresAt), CreatedAt: timeOrNull(a.CreatedAt),
		UpdatedAt: timeOrNull(a.UpdatedAt), LastLoginAt: timeOrNull(a.LastLoginAt),
	}
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func isSet(password string) string {
	if password == "" {
		return "not set"
	}
	return "set"
}

func printUsersJSON(cmd *cobra.Command, users []auth.Account) error {
	out := make([]userJSON, len(users))
	for i := range users {
		out[i] = toJSON(&users[i])
	}
	return printJSON(cmd, out)
}

func printJSON(cmd *cobra.Command, value any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

func printUsers(cmd *cobra.Command, users []auth.Account) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		row("NAME", "BUCKET", "PREFIX", "PERMISSIONS", "STATUS", "QUOTA", "EXPIRES", "LAST LOGIN")
		for _, a := range users {
			row(a.Name, a.Bucket, a.Prefix, a.Permissions.String(), string(a.Status),
				bytesOr(a.QuotaBytes, "", "-"), timeOr(a.ExpiresAt, "-"), timeOr(a.LastLoginAt, "-"))
		}
	})
}

func printUser(cmd *cobra.Command, a *auth.Account) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		row("username", a.Name)
		row("password", isSet(a.Password))
		row("ro_password", isSet(a.ReadOnlyPassword))
		row("bucket", a.Bucket)
		row("prefix", a.Prefix)
		row("permissions", a.Permissions.String())
		row("status", string(a.Status))
		row("quota_bytes", bytesOr(a.QuotaBytes, "", "none"))
		row("quota_files", numberOr(a.QuotaFiles, "none"))
		row("max_sessions", numberOr(int64(a.MaxSessions), "none"))
		row("upload_rate", bytesOr(a.UploadRate, "/s", "none"))
		row("download_rate", bytesOr(a.DownloadRate, "/s", "none"))
		row("allowed_cidrs", textOr(auth.FormatCIDRs(a.AllowedCIDRs), "everywhere"))
		row("charset", textOr(a.Charset, "found out"))
		row("charset_seen", textOr(a.CharsetSeen, "none yet"))
		row("expires_at", timeOr(a.ExpiresAt, "never"))
		row("created_at", timeOr(a.CreatedAt, "unknown"))
		row("updated_at", timeOr(a.UpdatedAt, "unknown"))
		row("last_login_at", timeOr(a.LastLoginAt, "never"))
	})
}

// printTable aligns columns; every cell is made harmless for a terminal.
func printTable(out io.Writer, fill func(row func(...string))) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fill(func(cells ...string) {
		for i, cell := range cells {
			cells[i] = printable(cell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // errors come from Flush
	})
	return w.Flush()
}

// printable quotes what could move a terminal's cursor: names written by SQL may hold
// anything.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func bytesOr(n int64, unit, none string) string {
	if n == 0 {
		return none
	}
	return config.Size(n).String() + unit
}

func numberOr(n int64, none string) string {
	if n == 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

func textOr(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

func timeOr(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// printf writes to the command's standard output, where nobody reads errors.
func printf(cmd *cobra.Command, format string, args ...any) {
	_, _ = fmt.Fprintf(cmd.OutOrStdout(), format, args...)
}
