package auth

import (
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
)

const digestMaxSalt = 64 // bytes

// digest is one pass of a hash function over password and salt, as LDAP directories keep
// it: {SSHA} and base64 of sum and salt (RFC 2307, section 5.3, and its successors).
type digest struct {
	newHash   func() hash.Hash
	sum, salt []byte
}

func readDigest(newHash func() hash.Hash, prefix string, salted bool) keepReader {
	return func(stored string) (kept, error) {
		size := newHash().Size()
		data, err := digestBytes(stored[len(prefix):], size)
		if err != nil || len(data) < size || !salted && len(data) > size || len(data) > size+digestMaxSalt {
			return nil, damaged(prefix)
		}
		return digest{newHash, data[:size], data[size:]}, nil
	}
}

// digestBytes reads base64, padded or not, or the hexadecimal digits that some programs
// write for a sum without salt. Their lengths tell them apart.
func digestBytes(text string, size int) ([]byte, error) {
	if len(text) == hex.EncodedLen(size) {
		if sum, err := hex.DecodeString(text); err == nil {
			return sum, nil
		}
	}
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

func (d digest) matches(pass string) bool {
	h := d.newHash()
	_, _ = h.Write([]byte(pass)) // a hash never fails
	_, _ = h.Write(d.salt)
	return equal(h.Sum(nil), d.sum)
}

func (digest) cost(int) cost { return cost{} }
func (digest) weak() bool    { return true }
