package driver_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

// keepsDigests is a store that has kept some digests, which tests can tell from real ones.
type keepsDigests struct {
	store.Store
	digests store.Digests
	err     error
	opened  int
}

func (s *keepsDigests) Digests(ctx context.Context, key string) (d store.Digests, err error) {
	d = s.digests
	if d.Object, err = s.Stat(ctx, key); err == nil {
		err = s.err
	}
	return d, err
}

func (s *keepsDigests) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	s.opened++
	return s.Store.Open(ctx, key, off, n, ifMatch)
}

func TestHashesThatAreKnown(t *testing.T) {
	kept := &keepsDigests{digests: store.Digests{CRC32: "crc", MD5: "md5", SHA1: "sha1", SHA256: "sha256", SHA512: "sha512"}}
	s := newWorld(t).login("alice", func(d *driver.Deps, _ *auth.User) {
		kept.Store = d.Store
		d.Store, d.Hashes = kept, &driver.HashCache{}
	})
	s.put("file", "0123456789")
	kept.opened = 0
	ask := func(want string, requests int, algo driver.HashAlgo, start, end int64) {
		t.Helper()
		got, err := s.hash("file", algo, start, end)
		if err != nil || got != want || kept.opened != requests {
			t.Errorf("hash %s, %v; want %s; read %d times, want %d", got, err, want, kept.opened, requests)
		}
		kept.opened = 0
	}
	for algo, want := range map[driver.HashAlgo]string{
		driver.CRC32: "crc", driver.MD5: "md5", driver.SHA1: "sha1",
		driver.SHA256: "sha256", driver.SHA512: "sha512",
	} {
		ask(want, 0, algo, 0, 10)
		ask(want, 0, algo, 0, 99)
	}
	crc := func(data string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(data))) }
	ask(crc("012"), 1, driver.CRC32, 0, 3)
	ask(crc("123456789"), 1, driver.CRC32, 1, 10)

	kept.err = store.ErrDenied
	ask(crc("0123456789"), 1, driver.CRC32, 0, 10)
	kept.err, kept.digests = nil, store.Digests{}
	ask(crc("0123456789"), 0, driver.CRC32, 0, 10) // remembered
	ask(crc("01234"), 1, driver.CRC32, 0, 5)
	s.put("file", "abc")
	kept.opened = 0
	ask(crc("abc"), 1, driver.CRC32, 0, 3)
	ask(crc("abc"), 0, driver.CRC32, 0, 3)
	kept.err = store.Unavailable(errors.New("refused"))
	_, err := s.hash("file", driver.CRC32, 0, 3)
	s.mustFail(451, err)
}
