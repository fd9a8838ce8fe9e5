// Package dbtest opens databases for the tests of packages that need one.
package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spdscheme/spdserver/db"
)

// Open opens a database of the test's own, with nothing but its schema. It is a file of
// SQLite, and goes with the test.
func Open(t testing.TB) *db.DB {
	t.Helper()
	data, err := empty()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "spd.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), "sqlite://"+file, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // nobody reads the file again
	return d
}

// empty is what such a file holds. It takes a while to make, so it is made once.
var empty = sync.OnceValues(func() (data []byte, err error) {
	dir, err := os.MkdirTemp("", "spd")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "empty.db")
	d, err := db.Open(context.Background(), "sqlite://"+file, db.Options{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(d.Migrate(context.Background()), d.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})
