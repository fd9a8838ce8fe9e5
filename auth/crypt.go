package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
)

const (
	cryptMinRounds = 1000
	// cryptMaxRounds is more than any system sets by itself (passlib: 656,000); about 1 s.
	cryptMaxRounds = 1_000_000
	// cryptMaxPassword bounds the time that a long password takes, bytes. Nobody makes
	// hashes of longer ones: MySQL and OpenSSL end there.
	cryptMaxPassword = 256
)

const (
	shaCryptDefault = 5000 // rounds
	shaCryptMaxSalt = 16   // bytes
	sha256CryptSum  = 43   // letters
	sha512CryptSum  = 86   // letters
)

// shaCrypt is a hash of crypt(3), $5$ or $6$ (Ulrich Drepper, "Unix crypt using SHA-256
// and SHA-512").
type shaCrypt struct {
	name    string
	newHash func() hash.Hash
	rounds  int
	salt    string
	sum     string // as it is written
}

// readSHACrypt reads "$6$salt$sum" and "$6$rounds=5000$salt$sum".
func readSHACrypt(newHash func() hash.Hash, prefix string) keepReader {
	return func(stored string) (kept, error) {
		c := shaCrypt{name: prefix, newHash: newHash, rounds: shaCryptDefault}
		fields := strings.Split(stored[len(prefix):], "$")
		if digits, ok := strings.CutPrefix(fields[0], "rounds="); ok {
			var err error
			if c.rounds, err = rounds(digits, cryptMinRounds, cryptMaxRounds, prefix); err != nil {
				return nil, err
			}
			fields = fields[1:]
		}
		length := sha256CryptSum
		if newHash().Size() == sha512.Size {
			length = sha512CryptSum
		}
		if len(fields) != 2 || len(fields[0]) > shaCryptMaxSalt || len(fields[1]) != length {
			return nil, damaged(prefix)
		}
		c.salt, c.sum = fields[0], fields[1]
		return c, nil
	}
}

func (c shaCrypt) matches(pass string) bool {
	return equal(c.compute(pass[:min(len(pass), cryptMaxPassword)]), c.sum) && len(pass) <= cryptMaxPassword
}

// cost knows the length of the password, which goes into every round.
func (c shaCrypt) cost(length int) cost {
	return cost{class: fmt.Sprintf("%s %d rounds, %d blocks", c.name, c.rounds, min(length, cryptMaxPassword)/64)}
}

func (shaCrypt) weak() bool { return true }

// compute follows the numbered steps of the specification.
func (c shaCrypt) compute(pass string) string {
	h, p, s := c.newHash(), []byte(pass), []byte(c.salt)
	b := sumOf(h, p, s, p) // 4 to 8
	parts := [][]byte{p, s, stretch(b, len(p))}
	for n := len(p); n > 0; n >>= 1 { // 11
		if n&1 != 0 {
			parts = append(parts, b)
		} else {
			parts = append(parts, p)
		}
	}
	a := sumOf(h, parts...)                                    // 12
	pp := stretch(sumOf(h, times(p, len(p))...), len(p))       // 13 to 16
	ss := stretch(sumOf(h, times(s, 16+int(a[0]))...), len(s)) // 17 to 20
	return shaCryptText(cryptRounds(h, a, pp, ss, c.rounds))   // 21 and 22
}

// cryptRounds is the loop that $1$, $5$ and $6$ have in common: each round hashes the sum
// of the one before with password and salt in changing order.
func cryptRounds(h hash.Hash, sum, pass, salt []byte, rounds int) []byte {
	for i := range rounds {
		first, last := sum, pass
		if i&1 != 0 {
			first, last = pass, sum
		}
		h.Reset()
		_, _ = h.Write(first) // a hash never fails
		if i%3 != 0 {
			_, _ = h.Write(salt)
		}
		if i%7 != 0 {
			_, _ = h.Write(pass)
		}
		_, _ = h.Write(last)
		sum = h.Sum(sum[:0])
	}
	return sum
}

// shaCryptText writes the bytes in the order of the specification: by threes that are a
// third of the sum apart, each time rotated and one further.
func shaCryptText(sum []byte) string {
	third := len(sum) / 3
	i, j, k := 0, third, 2*third
	var text []byte
	for range third {
		text = crypt64(text, 4, sum[i], sum[j], sum[k])
		if len(sum) == sha256.Size {
			i, j, k = k+1, i+1, j+1
		} else {
			i, j, k = j+1, k+1, i+1
		}
	}
	if len(sum) == sha256.Size {
		return string(crypt64(text, 3, 0, sum[31], sum[30]))
	}
	return string(crypt64(text, 2, 0, 0, sum[63]))
}

// crypt64 appends n letters of the base64 of crypt(3), the lowest bits first.
func crypt64(text []byte, n int, high, middle, low byte) []byte {
	const letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	bits := uint(high)<<16 | uint(middle)<<8 | uint(low)
	for range n {
		text = append(text, letters[bits&0x3f])
		bits >>= 6
	}
	return text
}

func sumOf(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, part := range parts {
		_, _ = h.Write(part) // a hash never fails
	}
	return h.Sum(nil)
}

// stretch repeats b up to a length.
func stretch(b []byte, length int) []byte {
	long := make([]byte, 0, length+len(b))
	for len(long) < length {
		long = append(long, b...)
	}
	return long[:length]
}

// times lists b n times.
func times(b []byte, n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = b
	}
	return list
}
