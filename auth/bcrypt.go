package auth

import (
	"errors"
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

// verifyBcrypt refuses a password over 72 bytes, of which the hash could only hold the
// beginning; it compares all the same, for the time.
func verifyBcrypt(stored, pass string) (bool, error) {
	if err := checkBcrypt(stored); err != nil {
		return false, err
	}
	err := bcrypt.CompareHashAndPassword([]byte(stored), []byte(pass))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil && len(pass) <= bcryptMaxLength, err
}

func checkBcrypt(stored string) error {
	cost, err := bcrypt.Cost([]byte(stored))
	switch {
	case err != nil || len(stored) != 60:
		return errors.New("damaged bcrypt hash")
	case cost > bcryptMaxCost:
		return fmt.Errorf("bcrypt cost %d is over %d", cost, bcryptMaxCost)
	}
	return nil
}

func weakBcrypt(stored string) bool {
	cost, err := bcrypt.Cost([]byte(stored))
	return err == nil && cost < bcryptCost
}
