package mounted_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world has buckets, and a store with mounts over the first.
type world struct {
	*testing.T
	service *memory.Service
	*mounted.Store
}

func newWorld(t *testing.T, mounts ...mounted.Mount) world {
	t.Helper()
	service := memory.New()
	return world{t, service, mounted.New(service.Bucket("home"), mounted.Options{
		Bucket: "home", Mounts: mounts, Buffers: mounted.NewBuffers(1),
		Open: func(bucket string) (store.Store, error) {
			if bucket == "missing" {
				return nil, errors.New("no such bucket")
			}
			return service.Bucket(bucket), nil
		},
	})}
}

func (w world) plant(bucket string, keys ...string) {
	w.Helper()
	for _, key := range keys {
		if _, err := w.service.Bucket(bucket).Put(w.Context(), key, strings.NewReader(key), int64(len(key)), store.PutOptions{}); err != nil {
			w.Fatal(err)
		}
	}
}

// list returns the keys of a listing; those of prefixes have a "*" behind.
func (w world) list(prefix string, opts store.ListOptions) []string {
	w.Helper()
	keys := []string{}
	for o, err := range w.List(w.Context(), prefix, opts) {
		if err != nil {
			w.Fatalf("List(%q): %v", prefix, err)
		}
		if o.Prefix {
			o.Key += "*"
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func (w world) want(got []string, want ...string) {
	w.Helper()
	if !slices.Equal(got, want) {
		w.Errorf("listed %q, want %q", got, want)
	}
}

func (w world) holds(bucket, key, want string) {
	w.Helper()
	body, _, err := w.service.Bucket(bucket).Open(w.Context(), key, 0, -1, "")
	if err != nil {
		w.Fatalf("%s in %s: %v", key, bucket, err)
	}
	got, err := io.ReadAll(body)
	if err != nil || string(got) != want {
		w.Errorf("%s in %s holds %.40q (%v), want %.40q", key, bucket, got, err, want)
	}
}

var _ store.Store = below{}

// below is what a store has under a key, as a store of its own.
type below struct {
	store.Store
	at string
}

func (b below) cut(o store.Object) store.Object {
	o.Key = strings.TrimPrefix(o.Key, b.at)
	return o
}

func (b below) add(o store.Object) store.Object {
	o.Key = b.at + o.Key
	return o
}

// key is none for a key that no object can have.
func (b below) key(key string) string {
	if key == "" {
		return ""
	}
	return b.at + key
}

func (b below) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := b.Store.Stat(ctx, b.key(key))
	return b.cut(o), err
}

func (b below) Digests(ctx context.Context, key string) (store.Digests, error) {
	d, err := b.Store.Digests(ctx, b.key(key))
	d.Object = b.cut(d.Object)
	return d, err
}

func (b below) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	body, o, err := b.Store.Open(ctx, b.key(key), off, n, ifMatch)
	return body, b.cut(o), err
}

func (b below) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	opts.StartAfter = b.at + opts.StartAfter // the mount point itself, if there was none
	return func(yield func(store.Object, error) bool) {
		for o, err := range b.Store.List(ctx, b.at+prefix, opts) {
			if !yield(b.cut(o), err) {
				return
			}
		}
	}
}

func (b below) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	o, err := b.Store.Put(ctx, b.key(key), body, size, opts)
	return b.cut(o), err
}

func (b below) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	o, err := b.Store.Copy(ctx, b.key(dst), b.add(src))
	return b.cut(o), err
}

func (b below) Delete(ctx context.Context, key string) error { return b.Store.Delete(ctx, b.key(key)) }

func (b below) Begin(ctx context.Context, key string, opts store.PutOptions) (string, error) {
	return b.Store.Begin(ctx, b.key(key), opts)
}

func (b below) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	return b.Store.PutPart(ctx, b.key(key), id, n, body, size)
}

func (b below) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	return b.Store.CopyPart(ctx, b.key(key), id, n, b.add(src), off, size)
}

func (b below) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	return b.Store.Parts(ctx, b.key(key), id)
}

func (b below) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	o, err := b.Store.Complete(ctx, b.key(key), id, parts)
	return b.cut(o), err
}

func (b below) Abort(ctx context.Context, key, id string) error {
	return b.Store.Abort(ctx, b.key(key), id)
}

func (b below) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	uploads, err := b.Store.Uploads(ctx, b.at+prefix)
	for i := range uploads {
		uploads[i].Key = strings.TrimPrefix(uploads[i].Key, b.at)
	}
	return uploads, err
}

// What is beside mounts, in one, and in one that others lie in, is a store like any other.
func TestStore(t *testing.T) {
	for name, test := range map[string]struct {
		at     string
		mounts []mounted.Mount
	}{
		"no mounts":    {"", nil},
		"beside":       {"m/", []mounted.Mount{{At: "n/", Bucket: "b"}, {At: "l/", Bucket: "b"}, {At: "ma/", Bucket: "b"}}},
		"in a mount":   {"m/", []mounted.Mount{{At: "m/", Bucket: "b"}}},
		"in a prefix":  {"x/m/", []mounted.Mount{{At: "x/m/", Bucket: "b", Prefix: "p/q/"}, {At: "x/mm/", Bucket: "b"}}},
		"same bucket":  {"m/", []mounted.Mount{{At: "m/", Bucket: "home", Prefix: "other/"}}},
		"in the inner": {"m/n/", []mounted.Mount{{At: "m/", Bucket: "b", ReadOnly: true}, {At: "m/n/", Bucket: "c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Test(t, func(testing.TB) store.Store {
				w := newWorld(t, test.mounts...)
				if test.at == "" {
					return w.Store
				}
				return below{w.Store, test.at}
			}, storetest.Properties{})
		})
	}
}

func TestListing(t *testing.T) {
	w := newWorld(
		t,
		mounted.Mount{At: "me/shared/", Bucket: "b", Prefix: "s/"},
		mounted.Mount{At: "me/a/b/c/", Bucket: "c"},
		mounted.Mount{At: "me/a/b/d/", Bucket: "b", Prefix: "empty/"},
		mounted.Mount{At: "me/shared/inner/", Bucket: "c", Prefix: "x/"},
	)
	w.plant("home", "me/a", "me/first", "me/shared", "me/shared-not", "me/shared/gone", "me/z/1", "you/1")
	w.plant("b", "s/1", "s/inner/gone", "s/z", "t/no")
	w.plant("c", "x/", "x/deep/1", "y")

	dir := store.ListOptions{Delimiter: "/"}
	w.want(w.list("me/", dir), "me/a/*", "me/first", "me/shared-not", "me/shared/*", "me/z/*")
	w.want(w.list("me/s", dir), "me/shared-not", "me/shared/*")
	w.want(w.list("me/a/", dir), "me/a/b/*")
	w.want(w.list("me/a/b/", dir), "me/a/b/c/*", "me/a/b/d/*")
	w.want(w.list("me/a/b/d/", dir), "me/a/b/d/")
	w.want(w.list("me/shared/", dir), "me/shared/", "me/shared/1", "me/shared/inner/*", "me/shared/z")
	w.want(w.list("", dir), "me/*", "you/*")
	all := []string{
		"me/a/b/c/", "me/a/b/c/x/", "me/a/b/c/x/deep/1", "me/a/b/c/y", "me/a/b/d/", "me/first", "me/shared-not", "me/shared/",
		"me/shared/1", "me/shared/inner/", "me/shared/inner/deep/1", "me/shared/z", "me/z/1",
	}
	w.want(w.list("me/", store.ListOptions{}), all...)
	for i, key := range all {
		w.want(w.list("me/", store.ListOptions{StartAfter: key}), all[i+1:]...)
		w.want(w.list("me/", store.ListOptions{Limit: i + 1}), all[:i+1]...)
	}
	entries := w.list("me/", dir)
	for i, key := range entries {
		w.want(w.list("me/", store.ListOptions{Delimiter: "/", StartAfter: strings.TrimSuffix(key, "*")}), entries[i+1:]...)
		w.want(w.list("me/", store.ListOptions{Delimiter: "/", Limit: i + 1}), entries[:i+1]...)
	}
	w.want(w.list("me/a/b/c/", store.ListOptions{Limit: 1}), "me/a/b/c/")
	w.want(w.list("me/a/", store.ListOptions{Limit: 1}), "me/a/b/c/")
}

func TestMountPoints(t *testing.T) {
	w := newWorld(t, mounted.Mount{At: "a/m/", Bucket: "b"}, mounted.Mount{At: "ro/", Bucket: "b", ReadOnly: true})
	w.plant("home", "a", "a/m", "a/m/x")
	w.plant("b", "f")
	ctx := t.Context()
	for _, key := range []string{"a", "a/m", "a/m/x"} {
		if _, err := w.Stat(ctx, key); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Stat(%q): %v", key, err)
		}
	}
	for _, key := range []string{"a/m/", "a/m", "a"} {
		if _, err := w.Put(ctx, key, strings.NewReader(""), 0, store.PutOptions{}); !errors.Is(err, mounted.ErrMountPoint) {
			t.Errorf("Put(%q): %v", key, err)
		}
	}
	if err := w.Delete(ctx, "a/m/"); !errors.Is(err, mounted.ErrMountPoint) {
		t.Errorf("Delete: %v", err)
	}
	if err := w.Delete(ctx, "a/m"); err != nil {
		t.Errorf("Delete of what cannot be seen: %v", err)
	}
	w.holds("home", "a/m", "a/m")
	f, err := w.Stat(ctx, "ro/f")
	if err != nil || f.Key != "ro/f" {
		t.Fatalf("Stat: %+v, %v", f, err)
	}
	_, copyErr := w.Copy(ctx, "ro/g", f)
	_, beginErr := w.Begin(ctx, "ro/g", store.PutOptions{})
	_, putErr := w.Put(ctx, "ro/g", strings.NewReader(""), 0, store.PutOptions{})
	for what, err := range map[string]error{"Copy": copyErr, "Begin": beginErr, "Put": putErr, "Delete": w.Delete(ctx, "ro/f")} {
		if !errors.Is(err, mounted.ErrReadOnly) || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s in a read-only mount: %v", what, err)
		}
	}
	w.holds("b", "f", "f")
	if got := w.Place("ro/f"); got != (mounted.Place{Bucket: "b", Key: "f"}) || got != w.Place("a/m/f") {
		t.Errorf("two ways lead to %v and %v", got, w.Place("a/m/f"))
	}
	for dir, want := range map[string]bool{"a/": true, "a/m/": true, "a/m/sub/": false, "b/": false, "ro/": true} {
		if got := w.Leads(dir); got != want {
			t.Errorf("Leads(%q) = %v", dir, got)
		}
	}
}

func TestCopyBetweenBuckets(t *testing.T) {
	w := newWorld(t, mounted.Mount{At: "m/", Bucket: "b"})
	ctx := t.Context()
	for _, size := range []int{0, 1, mounted.BufferSize, mounted.BufferSize + 1, 2*mounted.BufferSize + 5} {
		data := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		if _, err := w.Put(ctx, "src", strings.NewReader(data), int64(size), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		src, err := w.Stat(ctx, "src")
		if err != nil {
			t.Fatal(err)
		}
		o, err := w.Copy(ctx, "m/dst", src)
		if err != nil || o.Key != "m/dst" || o.Size != int64(size) {
			t.Fatalf("Copy of %d bytes: %+v, %v", size, o, err)
		}
		w.holds("b", "dst", data)
		src.ETag = "another"
		src.Size = max(src.Size, 1)
		if _, err := w.Copy(ctx, "m/dst", src); !errors.Is(err, store.ErrChanged) {
			t.Errorf("Copy of a changed object: %v", err)
		}
		if uploads, err := w.service.Bucket("b").Uploads(ctx, ""); err != nil || len(uploads) > 0 {
			t.Errorf("left behind: %v, %v", uploads, err)
		}
	}
	if _, err := w.Copy(ctx, "m/dst", store.Object{Key: "none", ETag: "x", Size: 1}); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Copy of nothing: %v", err)
	}
}

// A bucket that is missing keeps nothing else from working.
func TestMissingBucket(t *testing.T) {
	w := newWorld(t, mounted.Mount{At: "gone/", Bucket: "missing"}, mounted.Mount{At: "m/", Bucket: "b"})
	w.plant("b", "f")
	w.want(w.list("", store.ListOptions{Delimiter: "/"}), "gone/*", "m/*")
	w.want(w.list("m/", store.ListOptions{}), "m/", "m/f")
	if _, err := w.Stat(t.Context(), "gone/f"); !errors.Is(err, mounted.ErrAway) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("Stat: %v", err)
	}
	for _, err := range w.List(t.Context(), "gone/", store.ListOptions{}) {
		if !errors.Is(err, mounted.ErrAway) {
			t.Errorf("List: %v", err)
		}
	}
}

func manyMounts(n int) []mounted.Mount {
	mounts := make([]mounted.Mount, n)
	for i := range mounts {
		mounts[i] = mounted.Mount{At: fmt.Sprintf("me/dir%d/sub%d/", i%100, i), Bucket: "b", Prefix: fmt.Sprintf("%d/", i)}
	}
	return mounts
}

func TestManyMounts(t *testing.T) {
	w := newWorld(t, manyMounts(10_000)...)
	if got := w.list("me/", store.ListOptions{Delimiter: "/"}); len(got) != 100 {
		t.Errorf("%d directories", len(got))
	}
	if got := w.list("me/dir7/", store.ListOptions{Delimiter: "/"}); len(got) != 100 {
		t.Errorf("%d mounts", len(got))
	}
	if got := w.list("me/", store.ListOptions{}); len(got) != 10_000 || !slices.IsSorted(got) {
		t.Errorf("%d keys", len(got))
	}
}

func BenchmarkPlace(b *testing.B) {
	s := mounted.New(memory.New().Bucket("home"), mounted.Options{Bucket: "home", Mounts: manyMounts(10_000)})
	for b.Loop() {
		s.Place("me/dir55/sub4255/some/where/deep/file.txt")
	}
}
