package embedded_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/embedded"
	"github.com/spdscheme/spdserver/store/s3"
	"github.com/spdscheme/spdserver/store/storetest"
)

// start runs a server for the rest of the test.
func start(t testing.TB, opts embedded.Options) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t testing.TB, endpoint, access, secret string) *s3.Client {
	t.Helper()
	c, err := s3.New(s3.Options{Endpoint: endpoint, AccessKey: access, SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestStore(t *testing.T) {
	for name, sidecar := range map[string]bool{"Attributes": false, "Sidecar": true} {
		t.Run(name, func(t *testing.T) {
			s := start(t, embedded.Options{Dir: t.TempDir(), Sidecar: sidecar})
			c := client(t, s.Endpoint, s.AccessKey, s.SecretKey)
			var n atomic.Int64
			storetest.Test(t, func(t testing.TB) store.Store {
				name := fmt.Sprintf("bucket-%d", n.Add(1))
				if err := c.MakeBucket(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				return c.Bucket(name)
			}, storetest.Properties{FileOrDirectory: true, Splices: true})
		})
	}
}

func TestKeysAreKept(t *testing.T) {
	dir := t.TempDir()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var secret string
	for range 2 {
		s, err := embedded.Start(t.Context(), embedded.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if secret != "" && s.SecretKey != secret {
			t.Error("the second start has another secret key")
		}
		secret = s.SecretKey
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if now, err := os.Getwd(); now != wd {
		t.Errorf("working directory is %s (%v), was %s", now, err, wd)
	}
	info, err := os.Stat(filepath.Join(dir, "s3-keys.json"))
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		t.Errorf("the keys' file has mode %v, %v", info.Mode(), err)
	}
}
