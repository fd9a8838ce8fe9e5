// Package storetest is the acceptance test of the store contract, for every store and every
// decorator.
package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// Properties are what stores may lawfully do differently. The zero value describes the
// most common behaviour.
type Properties struct {
	// MinPartSize is the least size of every part but the last, in bytes. 0 means
	// store.MinPartSize.
	MinPartSize int64
	// FileOrDirectory: the names "a" and "a/b" exclude each other; the second is refused
	// with ErrExist.
	FileOrDirectory bool
	// DirectoryHides: a directory marker "a/" or an object below it hides an object "a",
	// or is hidden by it, in listings.
	DirectoryHides bool
	// ExactUploads: Uploads answers only for a prefix that is the exact key.
	ExactUploads bool
	// Splices: bodies are store.Splicers.
	Splices bool
	// BadNames are keys that CheckKey allows but this store refuses, with ErrBadName.
	BadNames []string
}

func (p Properties) partSize() int64 {
	if p.MinPartSize == 0 {
		return store.MinPartSize
	}
	return p.MinPartSize
}

// timeout bounds each subtest's requests: a store that hangs fails the test.
const timeout = 2 * time.Minute

// Test runs the whole acceptance test. newStore returns an empty bucket; it is called once
// for each subtest.
func Test(t *testing.T, newStore func(t testing.TB) store.Store, p Properties) {
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"Ping", testPing},
		{"Stat", testStat},
		{"Digests", testDigests},
		{"Put", testPut},
		{"PutWrongSize", testPutWrongSize},
		{"PutIfAbsent", testPutIfAbsent},
		{"PutRewinds", testPutRewinds},
		{"PutConfirmed", testPutConfirmed},
		{"PutConcurrently", testPutConcurrently},
		{"Open", testOpen},
		{"OpenSpliced", testOpenSpliced},
		{"OpenIfMatch", testOpenIfMatch},
		{"OpenAbsent", testOpenAbsent},
		{"Delete", testDelete},
		{"Copy", testCopy},
		{"CopyChanged", testCopyChanged},
		{"CopyAbsent", testCopyAbsent},
		{"List", testList},
		{"ListDelimited", testListDelimited},
		{"ListStartAfter", testListStartAfter},
		{"ListLimit", testListLimit},
		{"ListStops", testListStops},
		{"ListPages", testListPages},
		{"ListOrder", testListOrder},
		{"Names", testNames},
		{"BadNames", testBadNames},
		{"Directories", testDirectories},
		{"FileAndDirectory", testFileAndDirectory},
		{"Multipart", testMultipart},
		{"MultipartOverwrites", testMultipartOverwrites},
		{"MultipartSubset", testMultipartSubset},
		{"MultipartErrors", testMultipartErrors},
		{"PartReplaced", testPartReplaced},
		{"PartsConcurrently", testPartsConcurrently},
		{"CopyPart", testCopyPart},
		{"CopyPartErrors", testCopyPartErrors},
		{"Abort", testAbort},
		{"Uploads", testUploads},
		{"Cancelled", testCancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			test.run(&fixture{T: t, Store: newStore(t), ctx: ctx, p: p})
		})
	}
}

// fixture is a subtest: a store, and the requests and checks that all subtests share.
type fixture struct {
	*testing.T
	store.Store
	ctx context.Context
	p   Properties
}

// put stores data under key and returns what Stat then tells of it.
func (f *fixture) put(key, data string) store.Object {
	f.Helper()
	o, err := f.Put(f.ctx, key, strings.NewReader(data), int64(len(data)), store.PutOptions{})
	if err != nil {
		f.Fatalf("Put(%q) = %v", key, err)
	}
	if o.Key != key || o.Size != int64(len(data)) || o.ETag == "" || !o.ModTime.IsZero() || o.Prefix {
		f.Errorf("Put(%q) = %+v", key, o)
	}
	return f.stat(key)
}

func (f *fixture) stat(key string) store.Object {
	f.Helper()
	o, err := f.Stat(f.ctx, key)
	if err != nil {
		f.Fatalf("Stat(%q) = %v", key, err)
	}
	return o
}

// wantContent checks that key holds data, by Stat and by Open.
func (f *fixture) wantContent(key, data string) {
	f.Helper()
	if o := f.stat(key); o.Key != key || o.Size != int64(len(data)) {
		f.Errorf("Stat(%q) = key %q, %d bytes; want %d bytes", key, o.Key, o.Size, len(data))
	}
	got, _ := f.read(key, 0, -1, "")
	if got != data {
		f.Errorf("content of %q is %s, want %s", key, brief(got), brief(data))
	}
}

// wantNone checks that there is no object key.
func (f *fixture) wantNone(key string) {
	f.Helper()
	_, err := f.Stat(f.ctx, key)
	f.want(store.ErrNotExist, err, "Stat of an absent object")
}

// want checks an error's kind; kind nil means success.
func (f *fixture) want(kind, err error, what string) {
	f.Helper()
	if !errors.Is(err, kind) || kind == nil && err != nil {
		f.Errorf("%s: error is %v, want %v", what, err, kind)
	}
}

// wantOther checks that there is an error, and that it is none of the sentinels that a
// caller would act on.
func (f *fixture) wantOther(err error, what string) {
	f.Helper()
	if err == nil {
		f.Errorf("%s: no error", what)
	}
	for _, kind := range []error{
		store.ErrNotExist, store.ErrExist, store.ErrChanged, store.ErrPartLost, store.ErrTooLarge, store.ErrFull, store.ErrBadName,
		store.ErrDenied, store.ErrNoBucket, store.ErrUnavailable,
	} {
		if errors.Is(err, kind) {
			f.Errorf("%s: error is %v (%v), want none of the sentinels", what, kind, err)
		}
	}
}

// list returns the keys of a listing; those of prefixes have a "*" behind.
func (f *fixture) list(prefix string, opts store.ListOptions) []string {
	f.Helper()
	var keys []string
	for o, err := range f.List(f.ctx, prefix, opts) {
		if err != nil {
			f.Fatalf("List(%q, %+v) = %v", prefix, opts, err)
		}
		switch {
		case o.Prefix:
			if o.Size != 0 || o.ETag != "" || !o.ModTime.IsZero() {
				f.Errorf("List yields prefix %+v", o)
			}
			keys = append(keys, o.Key+"*")
		default:
			if o.ModTime.IsZero() || strings.Contains(o.ETag, `"`) {
				f.Errorf("List yields object %+v", o)
			}
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// brief shows the beginning of long content.
func brief(s string) string {
	if len(s) <= 40 {
		return "\"" + s + "\""
	}
	return "\"" + s[:40] + "\"..."
}
