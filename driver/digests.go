package driver

import (
	"sync"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
)

// HashCache remembers the hashes of whole files that a node has computed, as
// draft-bryan-ftpext-hash, 6, advises: to ask again costs the store nothing. A file that
// changes has another ETag. The zero value is ready; it may be used concurrently, and nil
// remembers nothing.
type HashCache struct {
	mu     sync.Mutex
	hashes map[hashed]string
}

// hashed is what a hash is of.
type hashed struct {
	place mounted.Place
	etag  string
	algo  HashAlgo
}

// maxHashes is how many hashes are kept: a megabyte or so.
const maxHashes = 4096

func (c *HashCache) get(h hashed) string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hashes[h]
}

func (c *HashCache) add(h hashed, digest string) {
	if c == nil || h.etag == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hashes == nil {
		c.hashes = make(map[hashed]string)
	}
	if len(c.hashes) >= maxHashes {
		for old := range c.hashes { // any will do
			delete(c.hashes, old)
			break
		}
	}
	c.hashes[h] = digest
}

// storedDigest is what the store has kept; "" if nothing.
func storedDigest(d store.Digests, algo HashAlgo) string {
	switch algo {
	case CRC32:
		return d.CRC32
	case MD5:
		return d.MD5
	case SHA1:
		return d.SHA1
	case SHA256:
		return d.SHA256
	case SHA512:
		return d.SHA512
	}
	return ""
}
