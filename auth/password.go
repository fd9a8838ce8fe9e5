package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The bounds of what a client may send and an account may have.
const (
	MaxNameLength     = 255  // bytes
	MaxPasswordLength = 1024 // bytes
)

// DefaultScheme is what new passwords are stored with: argon2id with 19 MiB and 2 passes
// (OWASP Password Storage Cheat Sheet). It takes less than half the time of bcrypt with
// cost 10, which counts when hundreds of clients come back at once, is harder to attack
// with special hardware, and knows no limit of 72 bytes.
const DefaultScheme = "argon2id"

// The scheme plain is a password that an administrator wrote by SQL, to be replaced by a
// hash at the first login.
const (
	plainScheme = "plain"
	plainPrefix = "{plain}"
)

// ErrBadPassword: the password cannot be stored with the scheme asked for.
var ErrBadPassword = errors.New("password not possible")

// scheme is a way to store passwords. Another one is another entry of schemes.
type scheme struct {
	name     string
	prefixes []string // of stored values
	// cheap: comparing is no hash operation, so it needs no slot and is not remembered.
	cheap bool
	// check tells what is wrong with stored: damaged, or asking for too much.
	check func(stored string) error
	// verify compares; its errors are those of check.
	verify func(stored, pass string) (bool, error)
	// hash makes a value to store; nil if the scheme is only read, for imported accounts.
	hash func(pass string) (string, error)
	// weak tells that stored deserves to be replaced by a hash of DefaultScheme.
	weak func(stored string) bool
}

func schemes() []scheme {
	return []scheme{
		{
			name: "argon2id", prefixes: []string{"$argon2id$"},
			check: checkArgon2id, verify: verifyArgon2id, hash: hashArgon2id, weak: weakArgon2id,
		},
		{
			name: "bcrypt", prefixes: []string{"$2a$", "$2b$", "$2y$"},
			check: checkBcrypt, verify: verifyBcrypt, hash: hashBcrypt, weak: weakBcrypt,
		},
		{
			name: plainScheme, prefixes: []string{plainPrefix}, cheap: true,
			check: checkPlain, verify: verifyPlain, weak: func(string) bool { return true },
		},
	}
}

// schemeOf finds the scheme of a stored password. The error names what it found, never
// the password.
func schemeOf(stored string) (scheme, error) {
	for _, s := range schemes() {
		for _, prefix := range s.prefixes {
			if strings.HasPrefix(stored, prefix) {
				return s, nil
			}
		}
	}
	if label := schemeLabel(stored); label != "" {
		return scheme{}, fmt.Errorf("unknown password scheme %s", label)
	}
	return scheme{}, errors.New("password without a scheme: write {plain} before it, or a hash")
}

// schemeLabel is the "$6$" or "{SSHA}" that stored begins with, or "".
func schemeLabel(stored string) string {
	return regexp.MustCompile(`^(\$[A-Za-z0-9-]{1,12}\$|\{[A-Za-z0-9.-]{1,16}\})`).FindString(stored)
}

// HashPassword returns pass as it is stored with a scheme: "argon2id" or "bcrypt". A
// password that the scheme would cut short is ErrBadPassword.
func HashPassword(pass, schemeName string) (string, error) {
	if err := CheckPassword(pass); err != nil {
		return "", err
	}
	var known []string
	for _, s := range schemes() {
		if s.hash == nil {
			continue
		}
		if s.name == schemeName {
			return s.hash(pass)
		}
		known = append(known, s.name)
	}
	return "", fmt.Errorf("cannot hash with password scheme %q: use %s", schemeName, strings.Join(known, " or "))
}

// CheckStored tells whether stored is a password that Login can verify: a known scheme,
// well formed, and not asking for more memory or time than we give.
func CheckStored(stored string) error {
	s, err := schemeOf(stored)
	if err != nil {
		return err
	}
	return s.check(stored)
}

// CheckPassword tells whether pass may be anybody's password: not empty, not longer than
// MaxPasswordLength and without NUL, which other programs take for its end.
func CheckPassword(pass string) error {
	switch {
	case pass == "":
		return fmt.Errorf("%w: it is empty", ErrBadPassword)
	case len(pass) > MaxPasswordLength:
		return fmt.Errorf("%w: longer than %d bytes", ErrBadPassword, MaxPasswordLength)
	case strings.ContainsRune(pass, 0):
		return fmt.Errorf("%w: it holds a NUL byte", ErrBadPassword)
	}
	return nil
}

func checkPlain(stored string) error {
	return CheckPassword(strings.TrimPrefix(stored, plainPrefix))
}

// verifyPlain compares digests, so that the time tells nothing of the length.
func verifyPlain(stored, pass string) (bool, error) {
	want := sha256.Sum256([]byte(strings.TrimPrefix(stored, plainPrefix)))
	got := sha256.Sum256([]byte(pass))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1, nil
}
