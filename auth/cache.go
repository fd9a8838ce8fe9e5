package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

const (
	rememberFor = 60 * time.Second // a verified password
	rememberMax = 16384            // passwords at a time; about 1 MiB
)

type cacheKey [sha256.Size]byte

// cache remembers for a while which passwords were verified. It holds only an HMAC of
// name, stored hash and password under a key of this process: a row with another hash is
// another key, so changing a password forgets the old one. Its methods may be called
// concurrently.
type cache struct {
	secret []byte

	mu     sync.Mutex
	known  map[cacheKey]struct{}
	oldest []remembered // in the order of adding, so of expiry
}

type remembered struct {
	key   cacheKey
	until time.Time
}

func newCache() *cache {
	c := &cache{secret: make([]byte, 32), known: make(map[cacheKey]struct{})}
	_, _ = rand.Read(c.secret) // crypto/rand never fails: it ends the program instead
	return c
}

func (c *cache) has(name, stored, pass string) bool {
	key := c.key(name, stored, pass)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropExpired()
	_, ok := c.known[key]
	return ok
}

// add tells whether it was new.
func (c *cache) add(name, stored, pass string) bool {
	key := c.key(name, stored, pass)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropExpired()
	if _, ok := c.known[key]; ok {
		return false
	}
	if len(c.oldest) >= rememberMax {
		c.dropOldest()
	}
	c.known[key] = struct{}{}
	c.oldest = append(c.oldest, remembered{key, time.Now().Add(rememberFor)})
	return true
}

func (c *cache) forget(name, stored, pass string) {
	key := c.key(name, stored, pass)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
	c.oldest = slices.DeleteFunc(c.oldest, func(r remembered) bool { return r.key == key })
}

func (c *cache) dropExpired() {
	now := time.Now()
	for len(c.oldest) > 0 && !now.Before(c.oldest[0].until) {
		c.dropOldest()
	}
}

func (c *cache) dropOldest() {
	delete(c.known, c.oldest[0].key)
	c.oldest = c.oldest[1:]
}

// key gives each part its length, so that no two triples are the same bytes.
func (c *cache) key(name, stored, pass string) (key cacheKey) {
	mac := hmac.New(sha256.New, c.secret)
	for _, part := range []string{name, stored, pass} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		_, _ = mac.Write(length[:]) // a hash never fails
		_, _ = mac.Write([]byte(part))
	}
	mac.Sum(key[:0])
	return key
}
