package auth

import (
	"crypto/md5"  //nolint:gosec // of imported accounts
	"crypto/sha1" //nolint:gosec // of imported accounts
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
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

// plainPrefix stands before a password that an administrator wrote by SQL, to be replaced
// by a hash at the first login.
const plainPrefix = "{plain}"

// ErrBadPassword: the password cannot be stored with the scheme asked for.
var ErrBadPassword = errors.New("password not possible")

// scheme is a way to store passwords. Another one is another entry of schemes.
type scheme struct {
	name     string
	prefixes []string // of stored values
	anyCase  bool     // {ssha} is {SSHA}: names of RFC 2307
	read     keepReader
	// hash makes a value to store; nil if the scheme is only read, for imported accounts.
	hash func(pass string) (string, error)
}

// schemes lists what is known, the likely first.
func schemes() []scheme {
	ldap := func(name string, read keepReader) scheme {
		return scheme{name: name, prefixes: []string{name}, anyCase: true, read: read}
	}
	imported := func(name string, read keepReader, prefixes ...string) scheme {
		return scheme{name: name, prefixes: prefixes, read: read}
	}
	return []scheme{
		{name: "argon2id", prefixes: []string{"$argon2id$"}, read: readArgon2id, hash: hashArgon2id},
		{name: "bcrypt", prefixes: []string{"$2a$", "$2b$", "$2y$"}, read: readBcrypt, hash: hashBcrypt},
		imported("plain", readPlain, plainPrefix),
		imported("sha512-crypt", readSHACrypt(sha512.New, "$6$"), "$6$"),
		imported("sha256-crypt", readSHACrypt(sha256.New, "$5$"), "$5$"),
		imported("md5-crypt", readMD5Crypt, md5CryptPrefix),
		ldap("{SHA}", readDigest(sha1.New, "{SHA}", false)),
		ldap("{SSHA}", readDigest(sha1.New, "{SSHA}", true)),
		ldap("{SHA256}", readDigest(sha256.New, "{SHA256}", false)),
		ldap("{SSHA256}", readDigest(sha256.New, "{SSHA256}", true)),
		ldap("{SHA512}", readDigest(sha512.New, "{SHA512}", false)),
		ldap("{SSHA512}", readDigest(sha512.New, "{SSHA512}", true)),
		ldap("{MD5}", readDigest(md5.New, "{MD5}", false)),
		ldap("{SMD5}", readDigest(md5.New, "{SMD5}", true)),
		imported("pbkdf2-sha1", readPBKDF2(sha1.New, passlibBase64), "$pbkdf2$"),
		imported("pbkdf2-sha256", readPBKDF2(sha256.New, passlibBase64), "$pbkdf2-sha256$"),
		imported("pbkdf2-sha512", readPBKDF2(sha512.New, passlibBase64), "$pbkdf2-sha512$"),
		ldap("{PBKDF2}", readLDAPPBKDF2(sha1.New)),
		ldap("{PBKDF2-SHA256}", readLDAPPBKDF2(sha256.New)),
		ldap("{PBKDF2-SHA512}", readLDAPPBKDF2(sha512.New)),
		imported("Django PBKDF2-SHA1", readPBKDF2(sha1.New, djangoText), "pbkdf2_sha1$"),
		imported("Django PBKDF2-SHA256", readPBKDF2(sha256.New, djangoText), "pbkdf2_sha256$"),
		imported("mysql_native_password", readMySQLNative, "*"),
		imported("caching_sha2_password", readMySQLCaching, mysqlCachingPrefix),
	}
}

// HashPassword returns pass as it is stored with a scheme: "argon2id" or "bcrypt". A
// password that the scheme would cut short is ErrBadPassword.
func HashPassword(pass, schemeName string) (string, error) {
	if err := CheckPassword(pass); err != nil {
		return "", err
	}
	all := schemes()
	i := slices.IndexFunc(all, func(s scheme) bool { return s.name == schemeName && s.hash != nil })
	if i < 0 {
		return "", fmt.Errorf("cannot hash with password scheme %q: use argon2id or bcrypt", schemeName)
	}
	return all[i].hash(pass)
}

// CheckStored tells whether stored is a password that Login can verify: a known scheme,
// well formed, and not asking for more memory or time than we give.
func CheckStored(stored string) error {
	_, err := readStored(stored)
	return err
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

// plain is a password in clear text.
type plain string

func readPlain(stored string) (kept, error) {
	pass := strings.TrimPrefix(stored, plainPrefix)
	return plain(pass), CheckPassword(pass)
}

// matches compares digests, so that the time tells nothing of the length.
func (p plain) matches(pass string) bool {
	want, got := sha256.Sum256([]byte(p)), sha256.Sum256([]byte(pass))
	return equal(want[:], got[:])
}

func (plain) cost(int) cost { return cost{} }
func (plain) weak() bool    { return true }
