package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The parameters of new hashes (OWASP Password Storage Cheat Sheet).
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonSum     = 32 // bytes
)

// The most that a stored hash may ask for: somebody who can write a row must not be able
// to take all memory.
const (
	argonMaxMemory  = 256 * 1024 // KiB
	argonMaxPasses  = 16
	argonMaxThreads = 16
	argonMaxWork    = 4 * argonMaxMemory // KiB times passes; about 1 s
)

// argonHash is a hash in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$salt$sum, with both in base64 without padding.
type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

func hashArgon2id(pass string) (string, error) {
	h := argonHash{memory: argonMemory, passes: argonPasses, threads: argonThreads, salt: make([]byte, argonSalt)}
	if _, err := rand.Read(h.salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	h.sum = h.compute(pass, argonSum)
	return h.String(), nil
}

func readArgon2id(stored string) (kept, error) { return parseArgon2id(stored) }

func (h argonHash) matches(pass string) bool {
	return equal(h.compute(pass, uint32(len(h.sum))), h.sum) //nolint:gosec // at most 64
}

func (h argonHash) cost(int) cost {
	return cost{
		class:   fmt.Sprintf("argon2id m=%d,t=%d,p=%d", h.memory, h.passes, h.threads),
		threads: int(h.threads),
		memory:  int64(h.memory),
	}
}

func (h argonHash) weak() bool {
	return uint64(h.memory)*uint64(h.passes) < argonMemory*argonPasses
}

func (h argonHash) compute(pass string, length uint32) []byte {
	return argon2.IDKey([]byte(pass), h.salt, h.passes, h.memory, h.threads, length)
}

func (h argonHash) String() string {
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, h.memory, h.passes, h.threads, enc(h.salt), enc(h.sum))
}

// parseArgon2id reads a PHC string. Its errors say nothing of salt and sum.
func parseArgon2id(stored string) (argonHash, error) {
	var h argonHash
	fields := strings.Split(stored, "$")
	if len(fields) != 6 || fields[1] != "argon2id" {
		return h, errors.New("damaged argon2id hash")
	}
	if fields[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, errors.New("argon2id hash of an unknown version")
	}
	if err := h.parseParams(fields[3]); err != nil {
		return h, err
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(fields[4])
	h.sum, errSum = base64.RawStdEncoding.DecodeString(fields[5])
	if errSalt != nil || errSum != nil || !within(len(h.salt), 8, 64) || !within(len(h.sum), 16, 64) {
		return h, errors.New("damaged argon2id hash")
	}
	return h, nil
}

// parseParams reads "m=19456,t=2,p=1".
func (h *argonHash) parseParams(s string) error {
	params := strings.Split(s, ",")
	if len(params) != 3 {
		return errors.New("damaged argon2id parameters")
	}
	m, errM := argonParam(params[0], "m=", argonMaxMemory)
	t, errT := argonParam(params[1], "t=", argonMaxPasses)
	p, errP := argonParam(params[2], "p=", argonMaxThreads)
	h.memory, h.passes, h.threads = m, t, uint8(p) //nolint:gosec // at most argonMaxThreads
	err := errors.Join(errM, errT, errP)
	if err == nil && m*t > argonMaxWork {
		err = fmt.Errorf("argon2id parameters m=%d,t=%d together are over %d", m, t, argonMaxWork)
	}
	return err
}

func argonParam(s, name string, most uint64) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	switch {
	case !ok || err != nil || n == 0:
		return 0, fmt.Errorf("damaged argon2id parameter %s", name)
	case n > most:
		return 0, fmt.Errorf("argon2id parameter %s%d is over %d", name, n, most)
	}
	return uint32(n), nil
}
