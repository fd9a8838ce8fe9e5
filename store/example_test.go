package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
)

// scanned is a store of one's own: it wraps another, and lets no test virus in. What it does
// not change, it inherits. (An implementation from scratch is best proved by storetest.Test.)
type scanned struct{ store.Store }

var errVirus = errors.New("virus found")

func (s scanned) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return store.Object{}, err
	}
	if bytes.Contains(data, []byte("EICAR")) {
		return store.Object{}, fmt.Errorf("%w: %w", store.ErrDenied, errVirus)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return store.Object{}, err
	}
	return s.Store.Put(ctx, key, body, size, opts)
}

var _ store.Store = scanned{}

func ExampleStore() {
	ctx := context.Background()
	files := scanned{memory.New().Bucket("files")}
	// driver.Deps.Store takes files, for each session.
	for _, text := range []string{"hello", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE"} {
		object, err := files.Put(ctx, "alice/note", strings.NewReader(text), int64(len(text)), store.PutOptions{})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("stored", object.Size, "bytes")
	}
	// Output:
	// stored 5 bytes
	// store denied the request: virus found
}
