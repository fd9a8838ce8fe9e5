package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/s3"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newClient connects to e; change, if not nil, changes the options.
func newClient(t testing.TB, e spdtest.Endpoint, change func(*s3.Options)) *s3.Client {
	t.Helper()
	opts := s3.Options{Endpoint: e.URL, AccessKey: e.AccessKey, SecretKey: e.SecretKey}
	if change != nil {
		change(&opts)
	}
	c, err := s3.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// buckets returns a function that makes a fresh bucket at each call.
func buckets(c *s3.Client) func(testing.TB) store.Store {
	var n atomic.Int64
	return func(t testing.TB) store.Store {
		t.Helper()
		name := fmt.Sprintf("bucket-%d", n.Add(1))
		if err := c.MakeBucket(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		return c.Bucket(name)
	}
}

// minioProperties are what MinIO does its own way.
func minioProperties() storetest.Properties {
	return storetest.Properties{DirectoryHides: true, ExactUploads: true, Splices: true}
}
