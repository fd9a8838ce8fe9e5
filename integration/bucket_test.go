package integration

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/s3"
)

// bucketOf is what a node stores in, seen directly.
func bucketOf(t *testing.T, s *spdtest.SPD) store.Store {
	t.Helper()
	client, err := s3.New(s3.Options{
		Endpoint: servers.S3.URL, AccessKey: servers.S3.AccessKey, SecretKey: servers.S3.SecretKey,
		Region: "us-east-1", PathStyle: true, Checksum: s3.CRC32C,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.Bucket(s.Bucket)
}

// storedAs is the content of an object; "" if there is none.
func storedAs(t *testing.T, bucket store.Store, key string) string {
	t.Helper()
	body, _, err := bucket.Open(t.Context(), key, 0, -1, "")
	if errors.Is(err, store.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }() // only read from
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// plant stores an object without a node.
func plant(t *testing.T, bucket store.Store, key, data string) {
	t.Helper()
	if _, err := bucket.Put(t.Context(), key, strings.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// orphans counts the uploads of a key that the store has and the journal does not know.
func orphans(t *testing.T, s *spdtest.SPD, bucket store.Store, key string) int {
	t.Helper()
	uploads, err := bucket.Uploads(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(s.SQL("SELECT upload_id FROM uploads WHERE object_key = '"+key+"'"), "\n")
	unknown := 0
	for _, u := range uploads {
		if !slices.Contains(known, u.ID) {
			unknown++
		}
	}
	return unknown
}

// noise is n bytes that do not repeat, the same for the same seed.
func noise(seed byte, n int) string {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data) // never fails
	return string(data)
}
