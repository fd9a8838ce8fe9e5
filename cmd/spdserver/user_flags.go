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

// userFlags are the flags that describe an account, as they were typed.
type userFlags struct {
	scheme                               func() string // of new passwords
	password, roPassword                 string
	passwordStdin                        bool
	bucket, prefix, permissions, status  string
	quotaBytes, uploadRate, downloadRate config.Size
	quotaFiles                           int64
	maxSessions                          int
	allowedCIDRs, charset, expires       string
}

func (f *userFlags) registerPasswords(flags *pflag.FlagSet) {
	flags.StringVar(&f.password, "password", "", "password; other users of this machine may see it: prefer --password-stdin")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from the first line of standard input")
	flags.StringVar(&f.roPassword, "ro-password", "", `second password, for read-only sessions; "" removes it`)
}

func (f *userFlags) register(flags *pflag.FlagSet, adding bool) {
	onAdd := func(text string) string { // defaults that only a new account has
		if adding {
			return text
		}
		return ""
	}
	f.registerPasswords(flags)
	flags.StringVar(&f.bucket, "bucket", "", "bucket of the files"+onAdd(" (default: s3.bucket of the configuration)"))
	flags.StringVar(&f.prefix, "prefix", "", `folder in the bucket that the account sees as /; "" is the whole bucket`+onAdd(" (default NAME/)"))
	flags.StringVar(&f.permissions, "permissions", onAdd("rw"),
		"rw, ro, upload-only, or a list of list, download, upload, overwrite, append, delete, rename, mkdir, rmdir, times")
	flags.StringVar(&f.status, "status", onAdd(string(auth.Active)), "active or suspended")
	flags.TextVar(&f.quotaBytes, "quota-bytes", config.Size(0), "bytes stored at most, such as 10GiB; 0 is no limit")
	flags.Int64Var(&f.quotaFiles, "quota-files", 0, "files stored at most; 0 is no limit")
	flags.IntVar(&f.maxSessions, "max-sessions", 0, "sessions at a time; 0 is no limit")
	flags.TextVar(&f.uploadRate, "upload-rate", config.Size(0), "bytes a second, such as 10MiB; 0 is no limit")
	flags.TextVar(&f.downloadRate, "download-rate", config.Size(0), "bytes a second, such as 10MiB; 0 is no limit")
	flags.StringVar(&f.allowedCIDRs, "allowed-cidrs", "", `networks to log in from, such as 10.0.0.0/8,2001:db8::1; "" is everywhere`)
	flags.StringVar(&f.charset, "charset", "", `charset of the client's file names, such as GB18030; "" finds out`)
	flags.StringVar(&f.expires, "expires", "", `date (begins 00:00 UTC) or RFC 3339 time of the end; "never" or "" is never`)
}

// account is the account that the flags describe, without its passwords.
func (f *userFlags) account(name string) (auth.Account, error) {
	a := auth.Account{User: auth.User{
		Name: name, Bucket: f.bucket, Prefix: f.prefix, Charset: f.charset,
		QuotaBytes: int64(f.quotaBytes), QuotaFiles: f.quotaFiles, MaxSessions: f.maxSessions,
		UploadRate: int64(f.uploadRate), DownloadRate: int64(f.downloadRate),
	}}
	return a, f.parse(&a)
}

// newAccount is the account that the flags and their defaults describe, without its
// passwords.
func (f *userFlags) newAccount(flags *pflag.FlagSet, name string, defaultBucket func() string) (auth.Account, error) {
	if err := auth.CheckName(name); err != nil {
		return auth.Account{}, usageError{err}
	}
	a, err := f.account(name)
	if !flags.Changed("prefix") {
		a.Prefix = name + "/"
	}
	if a.Bucket == "" {
		a.Bucket = defaultBucket()
	}
	if err == nil && a.Bucket == "" {
		err = usageError{errors.New("no bucket: give --bucket, or set s3.bucket in the configuration")}
	}
	return a, err
}

// parse sets the fields whose flags are words; each error names its flag.
func (f *userFlags) parse(a *auth.Account) (err error) {
	fail := func(flag string, err error) error {
		if err == nil {
			return nil
		}
		return usageError{fmt.Errorf("--%s: %w", flag, err)}
	}
	var problems []error
	if f.permissions != "" {
		a.Permissions, err = auth.ParsePermissions(f.permissions)
		problems = append(problems, fail("permissions", err))
	}
	if f.status != "" {
		a.Status, err = auth.ParseStatus(f.status)
		problems = append(problems, fail("status", err))
	}
	a.Prefix, err = auth.ParsePrefix(a.Prefix)
	problems = append(problems, fail("prefix", err))
	a.AllowedCIDRs, err = auth.ParseCIDRs(f.allowedCIDRs)
	problems = append(problems, fail("allowed-cidrs", err))
	a.ExpiresAt, err = parseExpiry(f.expires)
	problems = append(problems, fail("expires", err))
	if f.charset != "" {
		_, err = encoding.Lookup(f.charset)
		problems = append(problems, fail("charset", err))
	}
	return errors.Join(problems...)
}

// change points at the fields of a whose flags were given.
func (f *userFlags) change(flags *pflag.FlagSet, a *auth.Account) db.Change {
	return db.Change{
		Password:         given(f.mainGiven(flags), &a.Password),
		ReadOnlyPassword: given(flags.Changed("ro-password"), &a.ReadOnlyPassword),
		Bucket:           given(flags.Changed("bucket"), &a.Bucket),
		Prefix:           given(flags.Changed("prefix"), &a.Prefix),
		Permissions:      given(flags.Changed("permissions"), &a.Permissions),
		Status:           given(flags.Changed("status"), &a.Status),
		QuotaBytes:       given(flags.Changed("quota-bytes"), &a.QuotaBytes),
		QuotaFiles:       given(flags.Changed("quota-files"), &a.QuotaFiles),
		MaxSessions:      given(flags.Changed("max-sessions"), &a.MaxSessions),
		UploadRate:       given(flags.Changed("upload-rate"), &a.UploadRate),
		DownloadRate:     given(flags.Changed("download-rate"), &a.DownloadRate),
		AllowedCIDRs:     given(flags.Changed("allowed-cidrs"), &a.AllowedCIDRs),
		Charset:          given(flags.Changed("charset"), &a.Charset),
		ExpiresAt:        given(flags.Changed("expires"), &a.ExpiresAt),
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
