package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/encoding"
)

// userFlags are the flags that describe an account, as they were typed. Those of a group are
// the same but for passwords.
type userFlags struct {
	scheme                               func() string // of new passwords
	password, roPassword                 string
	passwordStdin                        bool
	passwordExpires                      string
	group                                string
	bucket, prefix, permissions, status  string
	quotaBytes, uploadRate, downloadRate config.Size
	maxFileSize                          config.Size
	quotaFiles                           int64
	maxSessions                          int
	allowedNames, deniedNames            string
	allowedCIDRs, allowedHours           string
	tlsRequired                          bool
	clientCN, charset, expires, note     string
	inherit                              []string
}

func (f *userFlags) registerPasswords(flags *pflag.FlagSet) {
	flags.StringVar(&f.password, "password", "", "password; other users of this machine may see it: prefer --password-stdin")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from the first line of standard input")
	flags.StringVar(&f.roPassword, "ro-password", "", `second password, for read-only sessions; "" removes it`)
	flags.StringVar(&f.passwordExpires, "password-expires", "",
		`date (begins 00:00 UTC) or RFC 3339 time from which the passwords let nobody in; "never" or "" is never`)
}

// register adds the flags of an account. What is not given to a new one is its group's to
// say.
func (f *userFlags) register(flags *pflag.FlagSet, adding bool) {
	onAdd := func(text string) string {
		if adding {
			return text
		}
		return ""
	}
	f.registerPasswords(flags)
	flags.StringVar(&f.group, "group", "", `group to inherit from; "" is none`)
	flags.StringVar(&f.bucket, "bucket", "", "bucket of the files"+onAdd(" (default: the group's, or s3.bucket of the configuration)"))
	flags.StringVar(&f.prefix, "prefix", "", `folder in the bucket that the account sees as /; "" is the whole bucket`+onAdd(" (default: the group's, or NAME/)"))
	f.registerLimits(flags)
	if !adding {
		f.registerInherit(flags)
	}
}

// registerGroup adds the flags of a group.
func (f *userFlags) registerGroup(flags *pflag.FlagSet, adding bool) {
	flags.StringVar(&f.group, "parent", "", `group to inherit from; "" is none`)
	flags.StringVar(&f.bucket, "bucket", "", "bucket of the files")
	flags.StringVar(&f.prefix, "prefix", "", `folder in the bucket that the accounts see as /, with %u for the account's name: home/%u; "" is the whole bucket`)
	f.registerLimits(flags)
	if !adding {
		f.registerInherit(flags)
	}
}

func (f *userFlags) registerInherit(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.inherit, "inherit", nil, "columns that are the group's to say from now on: "+strings.Join(db.Inheritable(), ","))
}

func (f *userFlags) registerLimits(flags *pflag.FlagSet) {
	flags.StringVar(&f.permissions, "permissions", "",
		"rw, ro, upload-only, none, or a list of list, download, upload, overwrite, append, delete, rename, mkdir, rmdir, times (default: the group's, or rw)")
	flags.StringVar(&f.status, "status", "", "active or suspended")
	flags.TextVar(&f.quotaBytes, "quota-bytes", config.Size(0), "bytes stored at most, such as 10GiB; 0 is no limit")
	flags.Int64Var(&f.quotaFiles, "quota-files", 0, "files stored at most; 0 is no limit")
	flags.TextVar(&f.maxFileSize, "max-file-size", config.Size(0), "bytes of one file at most, such as 1GiB; 0 is no limit")
	flags.IntVar(&f.maxSessions, "max-sessions", 0, "sessions at a time; 0 is no limit")
	flags.TextVar(&f.uploadRate, "upload-rate", config.Size(0), "bytes a second, such as 10MiB; 0 is no limit")
	flags.TextVar(&f.downloadRate, "download-rate", config.Size(0), "bytes a second, such as 10MiB; 0 is no limit")
	flags.StringVar(&f.allowedNames, "allowed-names", "", `patterns of files that may be stored, such as "*.pdf,*.xml"; "" is all`)
	flags.StringVar(&f.deniedNames, "denied-names", "", `patterns of files that may not be stored, such as "*.exe,.*"`)
	flags.StringVar(&f.allowedCIDRs, "allowed-cidrs", "", `networks to log in from, such as 10.0.0.0/8,2001:db8::1; "" is everywhere`)
	flags.StringVar(&f.allowedHours, "allowed-hours", "", `when sessions may be, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00 Europe/Berlin"; "" is always`)
	flags.BoolVar(&f.tlsRequired, "tls-required", false, "no login without TLS")
	flags.StringVar(&f.clientCN, "client-cn", "", `common name that the client's certificate must have; "" needs none`)
	flags.StringVar(&f.charset, "charset", "", `charset of the client's file names, such as GB18030; "" finds out`)
	flags.StringVar(&f.expires, "expires", "", `date (begins 00:00 UTC) or RFC 3339 time of the end; "never" or "" is never`)
	flags.StringVar(&f.note, "note", "", "a word to other administrators")
}

// account is the account that the flags describe, without its passwords.
func (f *userFlags) account(flags *pflag.FlagSet, name string) (auth.Account, error) {
	a := auth.Account{
		User: auth.User{
			Name: name, Bucket: f.bucket, Charset: f.charset,
			QuotaBytes: int64(f.quotaBytes), QuotaFiles: f.quotaFiles, MaxFileSize: int64(f.maxFileSize),
			MaxSessions: f.maxSessions, UploadRate: int64(f.uploadRate), DownloadRate: int64(f.downloadRate),
			TLSRequired: f.tlsRequired, ClientCN: f.clientCN,
		},
		Group: f.group, Note: f.note,
	}
	return a, f.parse(flags, &a)
}

// newAccount is the change that makes the account that the flags describe, without its
// passwords. inherited has what its group says.
func (f *userFlags) newAccount(flags *pflag.FlagSet, a *auth.Account, inherited map[string]string, defaultBucket string) (db.Change, error) {
	change := f.change(flags, a)
	if _, ok := inherited["prefix"]; !ok && change.Prefix == nil {
		a.Prefix = a.Name + "/"
		change.Prefix = &a.Prefix
	}
	if _, ok := inherited["bucket"]; !ok && a.Bucket == "" {
		if defaultBucket == "" {
			return change, usageError{errors.New("no bucket: give --bucket, or set s3.bucket in the configuration")}
		}
		change.Bucket = &defaultBucket
	}
	return change, nil
}

// parse sets the fields whose flags are words and were given; each error names its flag.
func (f *userFlags) parse(flags *pflag.FlagSet, a *auth.Account) error {
	return errors.Join(
		parseFlag(flags, "prefix", f.prefix, auth.ParsePrefix, &a.Prefix),
		parseFlag(flags, "permissions", f.permissions, auth.ParsePermissions, &a.Permissions),
		parseFlag(flags, "status", f.status, auth.ParseStatus, &a.Status),
		parseFlag(flags, "allowed-names", f.allowedNames, auth.ParseNamePatterns, &a.AllowedNames),
		parseFlag(flags, "denied-names", f.deniedNames, auth.ParseNamePatterns, &a.DeniedNames),
		parseFlag(flags, "allowed-cidrs", f.allowedCIDRs, auth.ParseCIDRs, &a.AllowedCIDRs),
		parseFlag(flags, "allowed-hours", f.allowedHours, auth.ParseHours, &a.AllowedHours),
		parseFlag(flags, "charset", f.charset, knownCharset, &a.Charset),
		parseFlag(flags, "expires", f.expires, parseExpiry, &a.ExpiresAt),
		parseFlag(flags, "password-expires", f.passwordExpires, parseExpiry, &a.PasswordExpiresAt))
}

func parseFlag[T any](flags *pflag.FlagSet, name, text string, parse func(string) (T, error), field *T) (err error) {
	if !flags.Changed(name) {
		return nil
	}
	if *field, err = parse(text); err != nil {
		return usageError{fmt.Errorf("--%s: %w", name, err)}
	}
	return nil
}

func knownCharset(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	_, err := encoding.Lookup(s)
	return s, err
}

// change points at the fields of a whose flags were given.
func (f *userFlags) change(flags *pflag.FlagSet, a *auth.Account) db.Change {
	return db.Change{
		Password:          given(f.mainGiven(flags), &a.Password),
		ReadOnlyPassword:  given(flags.Changed("ro-password"), &a.ReadOnlyPassword),
		PasswordExpiresAt: given(flags.Changed("password-expires"), &a.PasswordExpiresAt),
		Group:             given(flags.Changed("group") || flags.Changed("parent"), &a.Group),
		Bucket:            given(flags.Changed("bucket"), &a.Bucket),
		Prefix:            given(flags.Changed("prefix"), &a.Prefix),
		Permissions:       given(flags.Changed("permissions"), &a.Permissions),
		Status:            given(flags.Changed("status"), &a.Status),
		QuotaBytes:        given(flags.Changed("quota-bytes"), &a.QuotaBytes),
		QuotaFiles:        given(flags.Changed("quota-files"), &a.QuotaFiles),
		MaxFileSize:       given(flags.Changed("max-file-size"), &a.MaxFileSize),
		MaxSessions:       given(flags.Changed("max-sessions"), &a.MaxSessions),
		UploadRate:        given(flags.Changed("upload-rate"), &a.UploadRate),
		DownloadRate:      given(flags.Changed("download-rate"), &a.DownloadRate),
		AllowedNames:      given(flags.Changed("allowed-names"), &a.AllowedNames),
		DeniedNames:       given(flags.Changed("denied-names"), &a.DeniedNames),
		AllowedCIDRs:      given(flags.Changed("allowed-cidrs"), &a.AllowedCIDRs),
		AllowedHours:      given(flags.Changed("allowed-hours"), &a.AllowedHours),
		TLSRequired:       given(flags.Changed("tls-required"), &a.TLSRequired),
		ClientCN:          given(flags.Changed("client-cn"), &a.ClientCN),
		Charset:           given(flags.Changed("charset"), &a.Charset),
		ExpiresAt:         given(flags.Changed("expires"), &a.ExpiresAt),
		Note:              given(flags.Changed("note"), &a.Note),
		Inherit:           f.inherit,
	}
}

func given[T any](changed bool, field *T) *T {
	if changed {
		return field
	}
	return nil
}

// mainGiven tells whether a flag gives the main password.
func (f *userFlags) mainGiven(flags *pflag.FlagSet) bool {
	return flags.Changed("password") || f.passwordStdin
}

// setPasswords hashes the passwords that were given into a. If the main one is needed and
// was not given, it is asked for on the terminal.
func (f *userFlags) setPasswords(cmd *cobra.Command, a *auth.Account, needed bool) error {
	pass, err := f.mainPassword(cmd, needed)
	if err != nil {
		return err
	}
	if needed || f.mainGiven(cmd.Flags()) {
		if a.Password, err = auth.HashPassword(pass, f.scheme()); err != nil {
			return fmt.Errorf("password: %w", err)
		}
	}
	if f.roPassword == "" {
		return nil
	}
	if f.roPassword == pass {
		return errors.New("--ro-password: it is the same as the password, so it would not be read-only")
	}
	if a.ReadOnlyPassword, err = auth.HashPassword(f.roPassword, f.scheme()); err != nil {
		return fmt.Errorf("--ro-password: %w", err)
	}
	return nil
}

func (f *userFlags) mainPassword(cmd *cobra.Command, needed bool) (string, error) {
	switch {
	case f.passwordStdin && cmd.Flags().Changed("password"):
		return "", usageError{errors.New("give --password or --password-stdin, not both")}
	case cmd.Flags().Changed("password"):
		return f.password, nil
	case f.passwordStdin:
		return readLine(cmd.InOrStdin())
	case needed:
		return askPassword(cmd)
	}
	return "", nil
}

// readLine reads the first line, which need not end.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 2*auth.MaxPasswordLength)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askPassword asks twice on the terminal, without echo.
func askPassword(cmd *cobra.Command) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", usageError{errors.New("no password: use --password-stdin, --password or a terminal")}
	}
	var answers [2]string
	for i, question := range []string{"Password: ", "Again: "} {
		cmd.PrintErr(question)
		answer, err := readSecret(cmd.Context(), int(in.Fd()))
		cmd.PrintErrln()
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		answers[i] = answer
	}
	if answers[0] != answers[1] {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return answers[0], nil
}

// readSecret reads a line without echo. If ctx ends first (^C), the terminal is put right
// again; the read cannot be called back and ends with the program.
func readSecret(ctx context.Context, terminal int) (string, error) {
	state, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return string(a.text), a.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(terminal, state))
	}
}

// parseExpiry reads "2030-12-31", an RFC 3339 time, or "never" and "": the zero time.
func parseExpiry(s string) (time.Time, error) {
	if s == "" || s == "never" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date: use 2030-12-31, 2030-12-31T18:00:00Z or never", s)
}
