package auth

import (
	"crypto/sha1" //nolint:gosec // of imported accounts
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// mysqlNative is what MySQL and MariaDB keep for mysql_native_password: "*" and SHA-1 of
// SHA-1 of the password in hexadecimal digits.
type mysqlNative []byte

func readMySQLNative(stored string) (kept, error) {
	sum, err := hex.DecodeString(stored[1:])
	if err != nil || len(sum) != sha1.Size {
		return nil, damaged("mysql_native_password")
	}
	return mysqlNative(sum), nil
}

func (m mysqlNative) matches(pass string) bool {
	once := sha1.Sum([]byte(pass)) //nolint:gosec // that is the scheme
	twice := sha1.Sum(once[:])     //nolint:gosec // that is the scheme
	return equal(twice[:], []byte(m))
}

func (mysqlNative) cost(int) cost { return cost{} }
func (mysqlNative) weak() bool    { return true }

// What MySQL keeps for caching_sha2_password: $A$, three hexadecimal digits of thousands
// of rounds, $, salt and sum without anything between (sql/auth/sha2_password.cc). It is
// sha256-crypt but for the longer salt, which may hold any byte but NUL and "$".
const (
	mysqlCachingPrefix = "$A$"
	mysqlRoundsUnit    = 1000
	mysqlSaltLength    = 20 // bytes
)

func readMySQLCaching(stored string) (kept, error) {
	const saltAt = len("$A$005$")
	c := shaCrypt{name: "caching_sha2_password", newHash: sha256.New}
	if len(stored) != saltAt+mysqlSaltLength+sha256CryptSum || stored[saltAt-1] != '$' {
		return nil, damaged(c.name)
	}
	thousands, err := strconv.ParseUint(stored[len(mysqlCachingPrefix):saltAt-1], 16, 12)
	if err != nil {
		return nil, damaged(c.name)
	}
	c.rounds, err = rounds(strconv.FormatUint(thousands*mysqlRoundsUnit, 10), mysqlRoundsUnit, cryptMaxRounds, c.name)
	c.salt, c.sum = stored[saltAt:saltAt+mysqlSaltLength], stored[saltAt+mysqlSaltLength:]
	return c, err
}
