package driver_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"math"
	"testing"

	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

func TestHash(t *testing.T) {
	s := newSession(t)
	data := content(2*partSize + 5)
	size := int64(len(data))
	s.put("file", data)
	s.put("empty", "")
	for name, c := range map[string]struct {
		algo driver.HashAlgo
		sum  func() hash.Hash
	}{
		"CRC32":   {driver.CRC32, func() hash.Hash { return crc32.NewIEEE() }},
		"MD5":     {driver.MD5, md5.New},
		"SHA-1":   {driver.SHA1, sha1.New},
		"SHA-256": {driver.SHA256, sha256.New},
		"SHA-512": {driver.SHA512, sha512.New},
	} {
		of := func(data string) string {
			sum := c.sum()
			sum.Write([]byte(data))
			return hex.EncodeToString(sum.Sum(nil))
		}
		for _, r := range []struct{ start, end, to int64 }{
			{0, size, size}, {0, 0, 0}, {0, 1, 1}, {1, 2, 2}, {size / 2, size, size}, {size - 1, size, size},
			{size, size, size}, {0, size + 1, size}, {5, math.MaxInt64, size},
		} {
			got, err := s.hash("file", c.algo, r.start, r.end)
			if want := of(data[r.start:r.to]); err != nil || got != want {
				t.Errorf("%s of [%d, %d): %s, %v; want %s", name, r.start, r.end, got, err, want)
			}
		}
		for _, end := range []int64{0, 10} {
			if got, err := s.hash("empty", c.algo, 0, end); err != nil || got != of("") {
				t.Errorf("%s of nothing: %s, %v", name, got, err)
			}
		}
		if got, err := s.hash("file", c.algo, size+5, size+9); err != nil || got != of("") {
			t.Errorf("%s beyond the end: %s, %v", name, got, err)
		}
	}
}

func TestHashRefused(t *testing.T) {
	s := newSession(t)
	s.put("file", "0123456789")
	s.must(s.mkd("dir"))
	for _, c := range []struct {
		path       string
		start, end int64
		code       int
	}{
		{"file", -1, 5, 501}, {"file", 5, 4, 501}, {"missing", 0, 5, 550}, {"dir", 0, 0, 550}, {"/", 0, 0, 550},
	} {
		s.verb = "XMD5"
		_, err := s.driver.ComputeHash(s.ctx, s.abs(c.path), driver.MD5, c.start, c.end)
		s.mustFail(c.code, err)
	}
	_, err := s.hash("file", 99, 0, 5)
	s.mustFail(451, err)
	s.faults.Body = breaking(3)
	if _, err := s.hash("file", driver.MD5, 0, 10); err != nil {
		t.Errorf("a body that breaks: %v", err)
	}
	s.fail("Open", "", store.Unavailable(errors.New("refused")))
	_, err = s.hash("file", driver.MD5, 0, 10)
	s.mustFail(451, err)
}
