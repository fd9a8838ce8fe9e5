package auth

import (
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

const (
	bcryptCost      = 10 // of new hashes; about 50 ms
	bcryptMaxCost   = 15 // about 2 s; a row that asks for more is refused
	bcryptMaxLength = 72 // bytes; bcrypt does not see what follows
)

func hashBcrypt(pass string) (string, error) {
	if len(pass) > bcryptMaxLength {
		return "", fmt.Errorf("%w: longer than the %d bytes of bcrypt", ErrBadPassword, bcryptMaxLength)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(pass), bcryptCost)
	return string(hash), err
}

// bcryptHash is a hash in the format of crypt(3), $2b$10$...
type bcryptHash struct {
	stored string
	rounds int // the cost: two to its power
}

func readBcrypt(stored string) (kept, error) {
	cost, err := bcrypt.Cost([]byte(stored))
	switch {
	case err != nil || len(stored) != 60:
		return nil, damaged("bcrypt")
	case cost > bcryptMaxCost:
		return nil, fmt.Errorf("bcrypt cost %d is over %d", cost, bcryptMaxCost)
	}
	return bcryptHash{stored, cost}, nil
}

// matches refuses a password over 72 bytes, of which the hash could only hold the
// beginning; it compares all the same, for the time.
func (b bcryptHash) matches(pass string) bool {
	err := bcrypt.CompareHashAndPassword([]byte(b.stored), []byte(pass))
	return err == nil && len(pass) <= bcryptMaxLength
}

func (b bcryptHash) cost(int) cost { return cost{class: fmt.Sprintf("bcrypt %d", b.rounds)} }

func (b bcryptHash) weak() bool { return b.rounds < bcryptCost }
