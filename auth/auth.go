// Package auth decides who may enter and with what rights.
//
// It knows accounts and password schemes, nothing of FTP, S3 or SQL: package db
// implements Users, package server asks Login.
package auth

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// The errors of Login. The text of ErrDenied is all that a client ever learns: an
// unknown user, a wrong password, a suspended or expired account and a foreign address
// are not told apart, in text or in time.
var (
	// ErrDenied: no such user, wrong password, or an account that may not log in.
	ErrDenied = errors.New("login incorrect")
	// ErrUnavailable: the accounts cannot be read now; trying again later may help.
	ErrUnavailable = errors.New("accounts unavailable")
	// ErrNotFound is for Users: no account of that name.
	ErrNotFound = errors.New("no such account")
	// ErrFaulty is for Users: the account is there, but its rows hold an impossible value. To
	// a client that is ErrDenied.
	ErrFaulty = errors.New("account cannot be used")
	// ErrExists is for Users: an account of that name exists.
	ErrExists = errors.New("account exists")
)

// Status of an account.
type Status string

// The states an account can be in.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
)

// User is an account as the rest of SPD sees it: a person who may do certain things in
// one place of the store. Zero limits mean none.
type User struct {
	Name         string
	Bucket       string
	Prefix       string // "" or ends in "/": every key of the account begins with it
	Permissions  Permissions
	Charset      string // "" means detect
	CharsetSeen  string // what an earlier session turned out to speak; "": not known
	QuotaBytes   int64  // bytes stored at most
	QuotaFiles   int64  // files stored at most
	MaxSessions  int    // sessions at a time
	UploadRate   int64  // bytes a second
	DownloadRate int64  // bytes a second

	MaxFileSize  int64      // bytes of one file at most
	AllowedNames []string   // patterns of files that may be stored; empty: all. See AllowsName
	DeniedNames  []string   // patterns of files that may not; they win
	Paths        []PathRule // other permissions in parts of the tree. See At
	Mounts       []Mount    // sorted by path, no two of the same
	AllowedHours Hours      // when sessions may be
	TLSRequired  bool       // no login without TLS
	ClientCN     string     // common name that the client's certificate must have; "": none needed

	Proof Proof // of a session: what it was let in with
}

// Account is a row of the table users: a User with what decides whether he may enter.
type Account struct {
	User
	Password         string // hash with its scheme, or {plain}...
	ReadOnlyPassword string // second password that gives a read-only session; "" means none
	Status           Status
	AllowedCIDRs     []netip.Prefix // empty means everywhere
	ExpiresAt        time.Time      // zero means never
	// From PasswordExpiresAt on the passwords let nobody in; sessions go on. Zero means never.
	PasswordExpiresAt time.Time
	Group             string // "" means none
	Note              string // for administrators
	CreatedAt         time.Time
	UpdatedAt         time.Time
	LastLoginAt       time.Time
}

// Users is where accounts are kept. All methods may be called concurrently; any error
// but ErrNotFound, ErrFaulty and ErrExists counts as ErrUnavailable.
type Users interface {
	// Find returns the account of that exact name with what it inherits from its groups, or
	// ErrNotFound. An account whose rows hold an impossible value is an ErrFaulty that names
	// table and column.
	Find(ctx context.Context, name string) (*Account, error)
	// FindAll does the same for many names at once. Names of no account are not in the map.
	FindAll(ctx context.Context, names []string) (map[string]Found, error)
	// ReplacePassword stores hash in place of old, if old is still what is there; column
	// is the one that held old.
	ReplacePassword(ctx context.Context, name string, column PasswordColumn, old, hash string) error
	// LoggedIn notes the time of a login.
	LoggedIn(ctx context.Context, name string, at time.Time) error
}

// Found is an account, or why it cannot be used: an ErrFaulty.
type Found struct {
	Account *Account
	Err     error
}

// PasswordColumn names one of an account's passwords.
type PasswordColumn string

// The passwords of an account.
const (
	MainPassword PasswordColumn = "password"
	ReadOnlyPass PasswordColumn = "ro_password"
)
