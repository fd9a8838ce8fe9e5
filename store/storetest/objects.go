package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// read opens a range and reads all of it.
func (f *fixture) read(key string, off, n int64, ifMatch string) (string, store.Object) {
	f.Helper()
	body, o, err := f.Open(f.ctx, key, off, n, ifMatch)
	if err != nil {
		f.Fatalf("Open(%q, %d, %d) = %v", key, off, n, err)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		f.Errorf("read %q: %v", key, err)
	}
	if err := body.Close(); err != nil {
		f.Errorf("close %q: %v", key, err)
	}
	return string(data), o
}

func testPing(f *fixture) {
	f.want(nil, f.Ping(f.ctx), "Ping")
}

func testStat(f *fixture) {
	f.wantNone("absent")
	f.wantNone("absent/below")
	f.wantNone("absent/")
	before := time.Now().Add(-time.Minute)
	o := f.put("dir/file", "12345")
	if o.Key != "dir/file" || o.Size != 5 || o.ETag == "" || strings.Contains(o.ETag, `"`) || o.Prefix {
		f.Errorf("Stat = %+v", o)
	}
	if o.ModTime.Before(before) || o.ModTime.After(time.Now().Add(time.Minute)) {
		f.Errorf("ModTime is %v", o.ModTime)
	}
	f.wantNone("dir")
	f.wantNone("dir/fil")
	f.wantNone("dir/file/")
	for listed, err := range f.List(f.ctx, "", store.ListOptions{}) {
		if err != nil {
			f.Fatal(err)
		}
		if !listed.ModTime.Truncate(time.Second).Equal(o.ModTime.Truncate(time.Second)) || listed.ETag != o.ETag ||
			listed.Size != o.Size {
			f.Errorf("List tells %+v, Stat tells %+v", listed, o)
		}
	}
}

// Which digests there are is the store's business; those that there are must be right.
func testDigests(f *fixture) {
	if _, err := f.Digests(f.ctx, "absent"); !errors.Is(err, store.ErrNotExist) {
		f.Errorf("absent: %v", err)
	}
	o := f.put("file", "12345")
	d, err := f.Digests(f.ctx, "file")
	if err != nil || d.Key != o.Key || d.Size != o.Size || d.ETag != o.ETag || !d.ModTime.Equal(o.ModTime) {
		f.Errorf("Digests tells %+v, %v, Stat tells %+v", d, err, o)
	}
	for got, want := range map[string]string{
		d.CRC32: "cbf53a1c", d.MD5: "827ccb0eea8a706c4c34a16891f84e7b", d.SHA1: "8cb2237d0679ca88db6464eac60da96345513964",
		d.SHA256: "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
		d.SHA512: "3627909a29c31381a071ec27f7c9ca97726182aed29a7ddd2e54353322cfb30abb9e3a6df2ac2c20fe23436311d678564d0c8d305930575f60e2d3d048184d79",
	} {
		if got != "" && got != want {
			f.Errorf("a digest is %s, want %s", got, want)
		}
	}
}

func testPut(f *fixture) {
	f.put("empty", "")
	f.wantContent("empty", "")
	first := f.put("a", "one")
	f.wantContent("a", "one")
	second := f.put("a", "another")
	f.wantContent("a", "another")
	if first.ETag == second.ETag {
		f.Error("an object with other content has the same ETag")
	}
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	f.put("big", big)
	f.wantContent("big", big)
	o, err := f.Put(f.ctx, "typed", strings.NewReader(""), 0, store.PutOptions{ContentType: store.DirContent})
	f.want(nil, err, "Put with a content type")
	if again := f.stat("typed"); again.ETag != o.ETag {
		f.Errorf("Put tells ETag %q, Stat %q", o.ETag, again.ETag)
	}
}

func testPutWrongSize(f *fixture) {
	f.put("a", "old")
	for _, size := range []int64{0, 4, 6, 1 << 20} {
		_, err := f.Put(f.ctx, "a", strings.NewReader("12345"), size, store.PutOptions{})
		f.wantOther(err, fmt.Sprintf("Put of 5 bytes as %d", size))
	}
	_, err := f.Put(f.ctx, "a", failing{strings.NewReader("12345")}, 5, store.PutOptions{})
	if !errors.Is(err, errBody) || errors.Is(err, store.ErrUnavailable) {
		f.Errorf("Put of a body that fails = %v, want the body's error", err)
	}
	_, err = f.Put(f.ctx, "a", strings.NewReader("12345"), store.MaxPutSize+1, store.PutOptions{})
	if err == nil {
		f.Error("Put of more than MaxPutSize succeeds")
	}
	f.wantContent("a", "old")
}

var errBody = errors.New("the body fails")

// failing is a body that cannot be read.
type failing struct{ *strings.Reader }

func (failing) Read([]byte) (int, error)             { return 0, errBody }
func (failing) WriteTo(io.Writer) (n int64, _ error) { return 0, errBody }

func testPutIfAbsent(f *fixture) {
	put := func(data string) error {
		_, err := f.Put(f.ctx, "once", strings.NewReader(data), int64(len(data)), store.PutOptions{IfAbsent: true})
		return err
	}
	f.want(nil, put("first"), "Put if absent")
	f.want(store.ErrExist, put("second"), "Put if absent, again")
	f.wantContent("once", "first")

	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = f.Put(f.ctx, "race", strings.NewReader(fmt.Sprint(i)), 1, store.PutOptions{IfAbsent: true})
		})
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			f.wantContent("race", fmt.Sprint(i))
			continue
		}
		f.want(store.ErrExist, err, "Put if absent, beaten")
	}
	if winners != 1 {
		f.Errorf("%d of %d conditional Puts won", winners, len(errs))
	}
}

func testPutRewinds(f *fixture) {
	body := strings.NewReader("from the start")
	if _, err := body.Seek(5, io.SeekStart); err != nil {
		f.Fatal(err)
	}
	for range 2 {
		_, err := f.Put(f.ctx, "a", body, body.Size(), store.PutOptions{})
		f.want(nil, err, "Put of a body that was read before")
	}
	f.wantContent("a", "from the start")
	section := io.NewSectionReader(strings.NewReader("from the start"), 5, 3)
	_, err := f.Put(f.ctx, "b", section, 3, store.PutOptions{})
	f.want(nil, err, "Put of a section")
	f.wantContent("b", "the")
}

// testPutConfirmed refuses Puts at the last moment, and lets others pass.
func testPutConfirmed(f *fixture) {
	refused := errors.New("refused")
	for _, size := range []int{0, 1, 2, 1000, 1 << 20, 3<<20 + 1} {
		key, data := fmt.Sprint("confirmed", size), strings.Repeat("x", size)
		put := func(confirm func() error) error {
			_, err := f.Put(f.ctx, key, bytes.NewReader([]byte(data)), int64(size), store.PutOptions{Confirm: confirm})
			return err
		}
		err := put(func() error { return refused })
		if !errors.Is(err, refused) || errors.Is(err, store.ErrUnavailable) {
			f.Errorf("refused Put of %d bytes = %v", size, err)
		}
		f.wantNone(key)
		asked := 0
		f.want(nil, put(func() error { asked++; return nil }), "confirmed Put")
		f.wantContent(key, data)
		if asked == 0 {
			f.Errorf("Put of %d bytes is not confirmed", size)
		}
	}
	_, err := f.Put(f.ctx, "reader", strings.NewReader("not in one piece"), 16,
		store.PutOptions{Confirm: func() error { return refused }})
	f.want(refused, err, "refused Put of a reader")
	f.wantNone("reader")
}

func testPutConcurrently(f *fixture) {
	const writers, size = 8, 100_000
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			data := strings.Repeat(string(rune('a'+i)), size)
			_, err := f.Put(f.ctx, "same", strings.NewReader(data), size, store.PutOptions{})
			f.want(nil, err, "Put beside others")
		})
	}
	wg.Wait()
	got, _ := f.read("same", 0, -1, "")
	if len(got) != size || strings.Trim(got, got[:1]) != "" {
		f.Errorf("the object is a mixture: %d bytes, %s", len(got), brief(got))
	}
}

func testOpen(f *fixture) {
	want := f.put("a", "0123456789")
	for _, c := range []struct {
		off, n int64
		data   string
	}{
		{0, -1, "0123456789"}, {0, 10, "0123456789"}, {0, 100, "0123456789"}, {0, 1, "0"}, {0, 0, ""},
		{3, 4, "3456"}, {3, -1, "3456789"}, {9, 1, "9"}, {9, 5, "9"}, {5, 0, ""},
		{10, -1, ""}, {10, 5, ""}, {11, -1, ""}, {1 << 40, 1, ""},
	} {
		got, o := f.read("a", c.off, c.n, "")
		if got != c.data {
			f.Errorf("Open(%d, %d) reads %q, want %q", c.off, c.n, got, c.data)
		}
		if o.Key != "a" || o.Size != 10 || o.ETag != want.ETag || !o.ModTime.Equal(want.ModTime) {
			f.Errorf("Open(%d, %d) tells %+v, Stat %+v", c.off, c.n, o, want)
		}
	}
	f.put("empty", "")
	for _, n := range []int64{-1, 0, 1} {
		if got, o := f.read("empty", 0, n, ""); got != "" || o.Size != 0 || o.ETag == "" {
			f.Errorf("Open of an empty object reads %q of %+v", got, o)
		}
	}
	body, _, err := f.Open(f.ctx, "a", 0, -1, "")
	f.want(nil, err, "Open")
	f.want(nil, body.Close(), "Close of an unread body")
}

func testOpenIfMatch(f *fixture) {
	old := f.put("a", "0123456789")
	if got, _ := f.read("a", 2, 3, old.ETag); got != "234" {
		f.Errorf("Open if unchanged reads %q", got)
	}
	f.put("a", "abcdefghij")
	for _, off := range []int64{0, 2, 10, 20} {
		_, _, err := f.Open(f.ctx, "a", off, -1, old.ETag)
		f.want(store.ErrChanged, err, "Open of a changed object")
	}
	_, _, err := f.Open(f.ctx, "a", 0, 0, old.ETag)
	f.want(store.ErrChanged, err, "Open of nothing of a changed object")
}

func testOpenAbsent(f *fixture) {
	for _, n := range []int64{-1, 0, 5} {
		_, _, err := f.Open(f.ctx, "absent", 0, n, "")
		f.want(store.ErrNotExist, err, "Open of an absent object")
		_, _, err = f.Open(f.ctx, "absent", 5, n, "etag")
		f.want(store.ErrNotExist, err, "Open of an absent object with an ETag")
	}
	_, _, err := f.Open(f.ctx, "absent", -1, -1, "")
	if err == nil {
		f.Error("Open at a negative offset succeeds")
	}
}

func testDelete(f *fixture) {
	f.put("dir/a", "1")
	f.put("dir/b", "2")
	f.want(nil, f.Delete(f.ctx, "dir/a"), "Delete")
	f.wantNone("dir/a")
	f.wantContent("dir/b", "2")
	f.want(nil, f.Delete(f.ctx, "dir/a"), "Delete of an absent object")
	f.want(nil, f.Delete(f.ctx, "nowhere/at/all"), "Delete in an absent directory")
	f.want(nil, f.Delete(f.ctx, "dir"), "Delete of what is only a prefix")
	f.wantContent("dir/b", "2")
	f.want(nil, f.Delete(f.ctx, "dir/b"), "Delete of the last")
	if keys := f.list("", store.ListOptions{}); len(keys) != 0 {
		f.Errorf("after all are deleted, List yields %q", keys)
	}
}

func testCopy(f *fixture) {
	src := f.put("dir/src", "content")
	f.put("dst", "old")
	for _, dst := range []string{"dst", "other/dir/dst", "dir/a copy +%#?"} {
		o, err := f.Copy(f.ctx, dst, src)
		f.want(nil, err, "Copy")
		if o.Key != dst || o.Size != src.Size {
			f.Errorf("Copy = %+v", o)
		}
		f.wantContent(dst, "content")
	}
	f.wantContent("dir/src", "content")
	empty := f.put("empty", "")
	_, err := f.Copy(f.ctx, "empty copy", empty)
	f.want(nil, err, "Copy of an empty object")
	f.wantContent("empty copy", "")
	_, err = f.Copy(f.ctx, "no etag", store.Object{Key: "dir/src", Size: src.Size})
	f.want(nil, err, "Copy without an ETag")
	f.wantContent("no etag", "content")
	odd := f.put("odd/%41 +é#?&=\\", "odd")
	_, err = f.Copy(f.ctx, "plain", odd)
	f.want(nil, err, "Copy of an oddly named object")
	f.wantContent("plain", "odd")
}

func testCopyChanged(f *fixture) {
	src := f.put("src", "content")
	f.put("src", "changed")
	f.put("dst", "old")
	_, err := f.Copy(f.ctx, "dst", src)
	f.want(store.ErrChanged, err, "Copy of a changed object")
	f.wantContent("dst", "old")
}

func testCopyAbsent(f *fixture) {
	src := f.put("src", "content")
	f.want(nil, f.Delete(f.ctx, "src"), "Delete")
	f.put("dst", "old")
	_, err := f.Copy(f.ctx, "dst", src)
	f.want(store.ErrNotExist, err, "Copy of an absent object")
	_, err = f.Copy(f.ctx, "dst", store.Object{Key: "src", Size: 7})
	f.want(store.ErrNotExist, err, "Copy of an absent object without an ETag")
	f.wantContent("dst", "old")
}
