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
// passwords and with what is inherited. Limits of 0 are none; times are null if there is none.
type userJSON struct {
	Username          string     `json:"username"`
	Password          string     `json:"password"`    // "set" or "not set"
	ROPassword        string     `json:"ro_password"` // "set" or "not set"
	PasswordExpiresAt *time.Time `json:"password_expires_at"`
	Group             string     `json:"group_name"`
	Bucket            string     `json:"bucket"`
	Prefix            string     `json:"prefix"`
	Permissions       string     `json:"permissions"`
	Status            string     `json:"status"`
	QuotaBytes        int64      `json:"quota_bytes"`
	QuotaFiles        int64      `json:"quota_files"`
	MaxFileSize       int64      `json:"max_file_size"`
	MaxSessions       int        `json:"max_sessions"`
	UploadRate        int64      `json:"upload_rate"`
	DownloadRate      int64      `json:"download_rate"`
	AllowedNames      []string   `json:"allowed_names"`
	DeniedNames       []string   `json:"denied_names"`
	AllowedCIDRs      []string   `json:"allowed_cidrs"`
	AllowedHours      string     `json:"allowed_hours"`
	TLSRequired       bool       `json:"tls_required"`
	ClientCN          string     `json:"client_cn"`
	Charset           string     `json:"charset"`
	CharsetSeen       string     `json:"charset_seen"`
	ExpiresAt         *time.Time `json:"expires_at"`
	Note              string     `json:"note"`
	CreatedAt         *time.Time `json:"created_at"`
	UpdatedAt         *time.Time `json:"updated_at"`
	LastLoginAt       *time.Time `json:"last_login_at"`
	*partsJSON                   // of show only
}

// partsJSON is what show knows besides.
type partsJSON struct {
	Paths   []pathJSON        `json:"user_paths"`
	Mounts  []mountJSON       `json:"mounts"`
	Origins map[string]string `json:"from_groups"` // the group's name, by column that is inherited
}

type pathJSON struct {
	Pattern     string `json:"pattern"`
	Permissions string `json:"permissions,omitempty"`
	Hidden      bool   `json:"hidden"`
}

type mountJSON struct {
	Path       string `json:"path"`
	Bucket     string `json:"bucket"`
	Prefix     string `json:"prefix"`
	ReadOnly   bool   `json:"read_only"`
	Quota      string `json:"quota"`
	QuotaBytes int64  `json:"quota_bytes"`
	QuotaFiles int64  `json:"quota_files"`
}

func toJSON(a *auth.Account) userJSON {
	cidrs := make([]string, len(a.AllowedCIDRs))
	for i, p := range a.AllowedCIDRs {
		cidrs[i] = p.String()
	}
	return userJSON{
		Username: a.Name, Password: isSet(a.Password), ROPassword: isSet(a.ReadOnlyPassword),
		PasswordExpiresAt: timeOrNull(a.PasswordExpiresAt), Group: a.Group,
		Bucket: a.Bucket, Prefix: a.Prefix, Permissions: a.Permissions.String(), Status: string(a.Status),
		QuotaBytes: a.QuotaBytes, QuotaFiles: a.QuotaFiles, MaxFileSize: a.MaxFileSize, MaxSessions: a.MaxSessions,
		UploadRate: a.UploadRate, DownloadRate: a.DownloadRate,
		AllowedNames: listOrEmpty(a.AllowedNames), DeniedNames: listOrEmpty(a.DeniedNames),
		AllowedCIDRs: cidrs, AllowedHours: a.AllowedHours.String(), TLSRequired: a.TLSRequired, ClientCN: a.ClientCN,
		Charset: a.Charset, CharsetSeen: a.CharsetSeen, ExpiresAt: timeOrNull(a.ExpiresAt), Note: a.Note,
		CreatedAt: timeOrNull(a.CreatedAt), UpdatedAt: timeOrNull(a.UpdatedAt), LastLoginAt: timeOrNull(a.LastLoginAt),
	}
}

func withParts(u userJSON, a *auth.Account, origins map[string]string) userJSON {
	parts := partsJSON{Paths: []pathJSON{}, Mounts: []mountJSON{}, Origins: make(map[string]string)}
	for _, r := range a.Paths {
		p := pathJSON{Pattern: r.Pattern, Hidden: r.Hidden}
		if r.Permissions != nil {
			p.Permissions = r.Permissions.String()
		}
		parts.Paths = append(parts.Paths, p)
	}
	for _, m := range a.Mounts {
		parts.Mounts = append(parts.Mounts, mountJSON{m.Path, m.Bucket, m.Prefix, m.ReadOnly, string(m.Quota), m.QuotaBytes, m.QuotaFiles})
	}
	for column, group := range origins {
		if group != "" {
			parts.Origins[column] = group
		}
	}
	u.partsJSON = &parts
	return u
}

func listOrEmpty(list []string) []string {
	if list == nil {
		return []string{} // not null
	}
	return list
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
		row("NAME", "GROUP", "BUCKET", "PREFIX", "PERMISSIONS", "STATUS", "QUOTA", "EXPIRES", "LAST LOGIN")
		for _, a := range users {
			row(a.Name, textOr(a.Group, "-"), a.Bucket, a.Prefix, a.Permissions.String(), string(a.Status),
				bytesOr(a.QuotaBytes, "", "-"), timeOr(a.ExpiresAt, "-"), timeOr(a.LastLoginAt, "-"))
		}
	})
}

// printUser prints a column a line: its name, its value, and the group that it comes from.
func printUser(cmd *cobra.Command, a *auth.Account, origins map[string]string) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		value := func(column, text string) {
			if group := origins[column]; group != "" {
				row(column, text, "from group "+group)
				return
			}
			row(column, text)
		}
		value("username", a.Name)
		value("password", isSet(a.Password))
		value("ro_password", isSet(a.ReadOnlyPassword))
		value("password_expires_at", timeOr(a.PasswordExpiresAt, "never"))
		value("group_name", textOr(a.Group, "none"))
		value("bucket", a.Bucket)
		value("prefix", a.Prefix)
		value("permissions", a.Permissions.String())
		value("status", string(a.Status))
		value("quota_bytes", bytesOr(a.QuotaBytes, "", "none"))
		value("quota_files", numberOr(a.QuotaFiles, "none"))
		value("max_file_size", bytesOr(a.MaxFileSize, "", "none"))
		value("max_sessions", numberOr(int64(a.MaxSessions), "none"))
		value("upload_rate", bytesOr(a.UploadRate, "/s", "none"))
		value("download_rate", bytesOr(a.DownloadRate, "/s", "none"))
		value("allowed_names", textOr(auth.FormatNamePatterns(a.AllowedNames), "all"))
		value("denied_names", textOr(auth.FormatNamePatterns(a.DeniedNames), "none"))
		value("allowed_cidrs", textOr(auth.FormatCIDRs(a.AllowedCIDRs), "everywhere"))
		value("allowed_hours", textOr(a.AllowedHours.String(), "always"))
		value("tls_required", yesOr(a.TLSRequired))
		value("client_cn", textOr(a.ClientCN, "none"))
		value("charset", textOr(a.Charset, "found out"))
		value("charset_seen", textOr(a.CharsetSeen, "none yet"))
		value("expires_at", timeOr(a.ExpiresAt, "never"))
		value("note", textOr(a.Note, "none"))
		value("created_at", timeOr(a.CreatedAt, "unknown"))
		value("updated_at", timeOr(a.UpdatedAt, "unknown"))
		value("last_login_at", timeOr(a.LastLoginAt, "never"))
		printParts(row, a)
	})
}

func printParts(row func(...string), a *auth.Account) {
	for _, r := range a.Paths {
		var words []string
		if r.Permissions != nil {
			words = append(words, r.Permissions.String())
		}
		if r.Hidden {
			words = append(words, "hidden")
		}
		row("user_paths", r.Pattern+": "+textOr(strings.Join(words, ", "), "unchanged"))
	}
	for _, m := range a.Mounts {
		text := fmt.Sprintf("%s: bucket %s, prefix %q", m.Path, m.Bucket, m.Prefix)
		if m.ReadOnly {
			text += ", read-only"
		}
		if m.Quota == auth.OwnQuota {
			text += fmt.Sprintf(", own quota of %s and %s files", bytesOr(m.QuotaBytes, "", "unlimited bytes"), numberOr(m.QuotaFiles, "unlimited"))
		}
		row("mounts", text)
	}
}

func yesOr(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
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
