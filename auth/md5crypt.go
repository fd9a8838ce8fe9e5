package auth

import (
	"crypto/md5" //nolint:gosec // of imported accounts
	"fmt"
	"strings"
)

const (
	md5CryptPrefix  = "$1$"
	md5CryptRounds  = 1000
	md5CryptMaxSalt = 8  // bytes
	md5CryptSum     = 22 // letters
)

// md5Crypt is a hash of crypt(3), $1$ (Poul-Henning Kamp, FreeBSD).
type md5Crypt struct {
	salt, sum string // as they are written
}

// readMD5Crypt reads "$1$salt$sum".
func readMD5Crypt(stored string) (kept, error) {
	salt, sum, ok := strings.Cut(stored[len(md5CryptPrefix):], "$")
	if !ok || len(salt) > md5CryptMaxSalt || len(sum) != md5CryptSum {
		return nil, damaged(md5CryptPrefix)
	}
	return md5Crypt{salt, sum}, nil
}

func (c md5Crypt) matches(pass string) bool {
	return equal(c.compute(pass[:min(len(pass), cryptMaxPassword)]), c.sum) && len(pass) <= cryptMaxPassword
}

func (md5Crypt) cost(length int) cost {
	return cost{class: fmt.Sprintf("%s %d blocks", md5CryptPrefix, min(length, cryptMaxPassword)/64)}
}

func (md5Crypt) weak() bool { return true }

func (c md5Crypt) compute(pass string) string {
	h, p, s := md5.New(), []byte(pass), []byte(c.salt) //nolint:gosec // that is the scheme
	parts := [][]byte{p, []byte(md5CryptPrefix), s, stretch(sumOf(h, p, s, p), len(p))}
	for n := len(p); n > 0; n >>= 1 {
		if n&1 != 0 {
			parts = append(parts, []byte{0})
		} else {
			parts = append(parts, p[:1])
		}
	}
	return md5CryptText(cryptRounds(h, sumOf(h, parts...), p, s, md5CryptRounds))
}

func md5CryptText(sum []byte) string {
	var text []byte
	for i := range 5 {
		last := i + 12
		if i == 4 {
			last = 5
		}
		text = crypt64(text, 4, sum[i], sum[i+6], sum[last])
	}
	return string(crypt64(text, 2, 0, 0, sum[11]))
}
