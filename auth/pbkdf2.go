package auth

import (
	"crypto/pbkdf2"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

const (
	pbkdf2MaxRounds = 2_000_000 // more than Django asks for; about 1 s
	pbkdf2MaxSalt   = 128       // bytes
)

// pbkdf2Hash is PBKDF2 with HMAC (RFC 8018, section 5.2), as long as the hash function's
// sum.
type pbkdf2Hash struct {
	newHash   func() hash.Hash
	rounds    int
	salt, sum []byte
}

// pbkdf2Text reads the salt and the sum of one way to write them.
type pbkdf2Text func(salt, sum string) (saltBytes, sumBytes []byte, err error)

// passlibBase64 is base64 without padding, and with "." for "+" (Python's passlib).
func passlibBase64(salt, sum string) (saltBytes, sumBytes []byte, err error) {
	usual := strings.NewReplacer(".", "+")
	if saltBytes, err = base64.RawStdEncoding.DecodeString(usual.Replace(salt)); err != nil {
		return nil, nil, err
	}
	sumBytes, err = base64.RawStdEncoding.DecodeString(usual.Replace(sum))
	return saltBytes, sumBytes, err
}

// djangoText has the salt as it is and the sum in usual base64.
func djangoText(salt, sum string) (saltBytes, sumBytes []byte, err error) {
	sumBytes, err = base64.StdEncoding.DecodeString(sum)
	return []byte(salt), sumBytes, err
}

// readPBKDF2 reads "prefix$rounds$salt$sum"; the prefix may begin with "$".
func readPBKDF2(newHash func() hash.Hash, text pbkdf2Text) keepReader {
	return func(stored string) (kept, error) {
		fields := strings.Split(strings.TrimPrefix(stored, "$"), "$")
		if len(fields) != 4 {
			return nil, damaged("PBKDF2")
		}
		p := pbkdf2Hash{newHash: newHash}
		var err error
		if p.rounds, err = rounds(fields[1], 1, pbkdf2MaxRounds, "PBKDF2"); err != nil {
			return nil, err
		}
		p.salt, p.sum, err = text(fields[2], fields[3])
		if err != nil || !within(len(p.salt), 0, pbkdf2MaxSalt) || len(p.sum) != newHash().Size() {
			return nil, damaged("PBKDF2")
		}
		return p, nil
	}
}

// readLDAPPBKDF2 reads "{NAME}rounds$salt$sum", as OpenLDAP's pw-pbkdf2 and passlib write it.
func readLDAPPBKDF2(newHash func() hash.Hash) keepReader {
	read := readPBKDF2(newHash, passlibBase64)
	return func(stored string) (kept, error) {
		_, rest, _ := strings.Cut(stored, "}")
		return read("$ldap$" + rest)
	}
}

func (p pbkdf2Hash) matches(pass string) bool {
	got, err := pbkdf2.Key(p.newHash, pass, p.salt, p.rounds, len(p.sum))
	return err == nil && equal(got, p.sum)
}

func (p pbkdf2Hash) cost(int) cost {
	return cost{class: fmt.Sprintf("pbkdf2 %d bytes, %d rounds", len(p.sum), p.rounds)}
}

func (pbkdf2Hash) weak() bool { return true }
