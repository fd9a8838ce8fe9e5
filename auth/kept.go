package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// kept is a stored password that was read and asks for no more than we give.
type kept interface {
	// matches compares; the time it takes tells nothing of where the two differ.
	matches(pass string) bool
	// cost is what matches takes for a password of that many bytes.
	cost(length int) cost
	// weak tells that it deserves to be replaced by a new hash.
	weak() bool
}

// cost is what comparing a password takes. The zero value is next to nothing: no hash
// operation, so it needs no slot.
type cost struct {
	class   string // hashes of one class take one time
	threads int    // running at once; 0 is 1
	memory  int64  // KiB
}

// keepReader reads a stored password of one scheme. Its errors say nothing of salt and
// sum.
type keepReader func(stored string) (kept, error)

// readStored finds the scheme of a stored password and reads it.
func readStored(stored string) (kept, error) {
	s, err := schemeOf(stored)
	if err != nil {
		return nil, err
	}
	return s.read(withoutCrypt(stored))
}

// schemeOf finds the scheme of a stored password. The error names what it found, never
// the password.
func schemeOf(stored string) (scheme, error) {
	for _, s := range schemes() {
		for _, prefix := range s.prefixes {
			if strings.HasPrefix(withoutCrypt(stored), prefix) || s.anyCase && hasPrefixFold(stored, prefix) {
				return s, nil
			}
		}
	}
	if label := schemeLabel(stored); label != "" {
		return scheme{}, fmt.Errorf("unknown password scheme %s", label)
	}
	return scheme{}, errors.New("password without a scheme: write {plain} before it, or a hash")
}

// schemeLabel is the "$7$" or "{MD4}" that stored begins with, or "".
func schemeLabel(stored string) string {
	return regexp.MustCompile(`^(\$[A-Za-z0-9-]{1,12}\$|\{[A-Za-z0-9.-]{1,16}\})`).FindString(stored)
}

// withoutCrypt takes off the {CRYPT} that LDAP servers write before a hash of crypt(3).
func withoutCrypt(stored string) string {
	const prefix = "{CRYPT}"
	if hasPrefixFold(stored, prefix) && strings.HasPrefix(stored[len(prefix):], "$") {
		return stored[len(prefix):]
	}
	return stored
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// rounds reads a count of repetitions from least to most.
func rounds(text string, least, most int, what string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > uint64(most): //nolint:gosec // most is positive
		return 0, fmt.Errorf("%s asks for more than %d rounds", what, most)
	case err != nil || n < uint64(least): //nolint:gosec // least is positive
		return 0, damaged(what)
	}
	return int(n), nil
}

func damaged(what string) error { return fmt.Errorf("damaged %s hash", what) }

func within(n, least, most int) bool { return least <= n && n <= most }

func equal[T string | []byte](a, b T) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
