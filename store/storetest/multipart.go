package storetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spdscheme/spdserver/store"
)

// block is content of the size that parts must have, made of one letter.
func (f *fixture) block(letter string) string { return strings.Repeat(letter, int(f.p.partSize())) }

func (f *fixture) begin(key string) string {
	f.Helper()
	id, err := f.Begin(f.ctx, key, store.PutOptions{})
	if err != nil || id == "" {
		f.Fatalf("Begin(%q) = %q, %v", key, id, err)
	}
	return id
}

func (f *fixture) putPart(key, id string, n int, data string) store.Part {
	f.Helper()
	p, err := f.PutPart(f.ctx, key, id, n, strings.NewReader(data), int64(len(data)))
	if err != nil {
		f.Fatalf("PutPart(%d) = %v", n, err)
	}
	if p.Number != n || p.Size != int64(len(data)) || p.ETag == "" || strings.Contains(p.ETag, `"`) {
		f.Errorf("PutPart(%d) = %+v", n, p)
	}
	return p
}

func (f *fixture) complete(key, id string, parts ...store.Part) {
	f.Helper()
	o, err := f.Complete(f.ctx, key, id, parts)
	if err != nil {
		f.Fatalf("Complete(%q) = %v", key, err)
	}
	if o.Key != key || o.ETag != "" && o.ETag != f.stat(key).ETag || strings.Contains(o.ETag, `"`) {
		f.Errorf("Complete(%q) = %+v", key, o)
	}
	if size := f.stat(key).Size; o.Size != size {
		f.Errorf("Complete(%q) tells %d bytes, Stat %d", key, o.Size, size)
	}
}

func (f *fixture) wantParts(key, id string, want ...store.Part) {
	f.Helper()
	got, err := f.Parts(f.ctx, key, id)
	if err != nil || !slices.Equal(got, want) {
		f.Errorf("Parts = %+v, %v\nwant %+v", got, err, want)
	}
}

func testMultipart(f *fixture) {
	const key = "dir/new file +%"
	id := f.begin(key)
	f.wantParts(key, id)
	p2 := f.putPart(key, id, 2, f.block("b"))
	p1 := f.putPart(key, id, 1, f.block("a"))
	p3 := f.putPart(key, id, 3, "the end")
	f.wantParts(key, id, p1, p2, p3)
	f.wantNone(key)
	if keys := f.list("", store.ListOptions{}); len(keys) != 0 {
		f.Errorf("before Complete, List yields %q", keys)
	}
	f.complete(key, id, p1, p2, p3)
	f.wantContent(key, f.block("a")+f.block("b")+"the end")
	f.wantList("dir/", store.ListOptions{}, key)
	if got, _ := f.read(key, f.p.partSize()-2, 4, f.stat(key).ETag); got != "aabb" {
		f.Errorf("across the parts' boundary is %q", got)
	}
	o, err := f.Copy(f.ctx, "copy", f.stat(key))
	f.want(nil, err, "Copy of an object made of parts")
	if o.Size != 2*f.p.partSize()+7 {
		f.Errorf("Copy = %+v", o)
	}
}

func testMultipartOverwrites(f *fixture) {
	f.put("a", "old")
	id := f.begin("a")
	p := f.putPart("a", id, 1, "only one part, and small")
	f.wantContent("a", "old")
	f.complete("a", id, p)
	f.wantContent("a", "only one part, and small")
}

// testMultipartSubset leaves out a part that was stored.
func testMultipartSubset(f *fixture) {
	id := f.begin("a")
	p1 := f.putPart("a", id, 1, f.block("a"))
	f.putPart("a", id, 2, f.block("b"))
	p7 := f.putPart("a", id, 7, "end")
	f.complete("a", id, p1, p7)
	f.wantContent("a", f.block("a")+"end")
}

func testMultipartErrors(f *fixture) {
	id := f.begin("a")
	p1 := f.putPart("a", id, 1, f.block("a"))
	p2 := f.putPart("a", id, 2, "b")
	small := f.putPart("a", id, 3, "c")
	wrong := store.Part{Number: 2, Size: p2.Size, ETag: p1.ETag}
	absent := store.Part{Number: 4, Size: 1, ETag: p1.ETag}
	for what, parts := range map[string][]store.Part{
		"descending": {p2, p1}, "twice the same": {p1, p1}, "none": {}, "a small part in the middle": {p1, p2, small},
	} {
		_, err := f.Complete(f.ctx, "a", id, parts)
		f.wantOther(err, "Complete with parts "+what)
	}
	for _, lost := range []store.Part{wrong, absent} {
		_, err := f.Complete(f.ctx, "a", id, []store.Part{p1, lost})
		f.want(store.ErrPartLost, err, "Complete with a part that is not stored")
	}
	for _, n := range []int{0, -1, store.MaxParts + 1} {
		_, err := f.PutPart(f.ctx, "a", id, n, strings.NewReader("x"), 1)
		f.wantOther(err, "PutPart with a bad number")
	}
	for _, size := range []int64{0, 4, 6} {
		_, err := f.PutPart(f.ctx, "a", id, 9, strings.NewReader("12345"), size)
		f.wantOther(err, "PutPart of the wrong size")
	}
	_, err := f.PutPart(f.ctx, "a", id, 9, failing{strings.NewReader("12345")}, 5)
	if !errors.Is(err, errBody) || errors.Is(err, store.ErrUnavailable) {
		f.Errorf("PutPart of a body that fails = %v, want the body's error", err)
	}
	f.wantParts("a", id, p1, p2, small)
	f.wantNone("a")
	f.complete("a", id, p1, p2)
	f.wantContent("a", f.block("a")+"b")
}

func testPartReplaced(f *fixture) {
	id := f.begin("a")
	f.putPart("a", id, 1, "first try")
	p2 := f.putPart("a", id, 2, "end")
	p1 := f.putPart("a", id, 1, f.block("x"))
	f.wantParts("a", id, p1, p2)
	f.complete("a", id, p1, p2)
	f.wantContent("a", f.block("x")+"end")
}

func testPartsConcurrently(f *fixture) {
	id := f.begin("a")
	parts := make([]store.Part, 4)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			data := f.block(string(rune('a' + i)))
			var err error
			parts[i], err = f.PutPart(f.ctx, "a", id, i+1, strings.NewReader(data), int64(len(data)))
			f.want(nil, err, "PutPart beside others")
		})
	}
	wg.Wait()
	f.wantParts("a", id, parts...)
	f.complete("a", id, parts...)
	f.wantContent("a", f.block("a")+f.block("b")+f.block("c")+f.block("d"))
}

func testCopyPart(f *fixture) {
	content := f.block("0") + f.block("1") + "tail"
	src := f.put("src file +%", content)
	n := f.p.partSize()
	id := f.begin("src file +%") // an object may be made from itself
	p1, err := f.CopyPart(f.ctx, src.Key, id, 1, src, 2, n)
	f.want(nil, err, "CopyPart")
	p2 := f.putPart(src.Key, id, 2, f.block("x"))
	p3, err := f.CopyPart(f.ctx, src.Key, id, 3, src, 2*n, 4)
	f.want(nil, err, "CopyPart of the end")
	if p1.Number != 1 || p1.Size != n || p1.ETag == "" || strings.Contains(p1.ETag, `"`) || p3.Number != 3 || p3.Size != 4 {
		f.Errorf("CopyPart = %+v and %+v", p1, p3)
	}
	f.wantParts(src.Key, id, p1, p2, p3)
	f.wantContent(src.Key, content)
	f.complete(src.Key, id, p1, p2, p3)
	f.wantContent(src.Key, content[2:n+2]+f.block("x")+"tail")
}

func testCopyPartErrors(f *fixture) {
	src := f.put("src", f.block("0"))
	id := f.begin("dst")
	for _, r := range [][2]int64{{0, src.Size + 1}, {src.Size, 1}, {src.Size - 1, 2}, {-1, 2}, {0, 0}} {
		_, err := f.CopyPart(f.ctx, "dst", id, 1, src, r[0], r[1])
		f.wantOther(err, "CopyPart beyond the end")
	}
	f.put("src", f.block("1"))
	_, err := f.CopyPart(f.ctx, "dst", id, 1, src, 0, 5)
	f.want(store.ErrChanged, err, "CopyPart of a changed object")
	f.want(nil, f.Delete(f.ctx, "src"), "Delete")
	_, err = f.CopyPart(f.ctx, "dst", id, 1, src, 0, 5)
	f.want(store.ErrNotExist, err, "CopyPart of an absent object")
	src = f.put("src", "12345")
	f.want(nil, f.Abort(f.ctx, "dst", id), "Abort")
	_, err = f.CopyPart(f.ctx, "dst", id, 1, src, 0, 5)
	f.want(store.ErrNotExist, err, "CopyPart to an aborted upload")
}

func testAbort(f *fixture) {
	f.put("a", "old")
	id := f.begin("a")
	p := f.putPart("a", id, 1, "part")
	f.want(nil, f.Abort(f.ctx, "a", id), "Abort")
	f.want(nil, f.Abort(f.ctx, "a", id), "Abort, again")
	_, err := f.Parts(f.ctx, "a", id)
	f.want(store.ErrNotExist, err, "Parts after Abort")
	_, err = f.PutPart(f.ctx, "a", id, 2, strings.NewReader("x"), 1)
	f.want(store.ErrNotExist, err, "PutPart after Abort")
	_, err = f.Complete(f.ctx, "a", id, []store.Part{p})
	f.want(store.ErrNotExist, err, "Complete after Abort")
	f.wantContent("a", "old")

	id = f.begin("other")
	_, err = f.Parts(f.ctx, "a", id)
	f.want(store.ErrNotExist, err, "Parts of another key's upload")
	f.want(nil, f.Abort(f.ctx, "other", id), "Abort of an upload without parts")
	f.wantNone("other")
	f.wantList("", store.ListOptions{}, "a")
}

func testUploads(f *fixture) {
	a1, a2, b := f.begin("dir/a"), f.begin("dir/a"), f.begin("dir/b c%")
	if a1 == a2 {
		f.Error("two uploads of a key have one id")
	}
	ids := func(prefix string) []string {
		uploads, err := f.Uploads(f.ctx, prefix)
		f.want(nil, err, "Uploads")
		var ids []string
		for _, u := range uploads {
			if !strings.HasPrefix(u.Key, prefix) || u.Initiated.IsZero() {
				f.Errorf("Uploads(%q) tells %+v", prefix, u)
			}
			ids = append(ids, u.ID)
		}
		slices.Sort(ids)
		return ids
	}
	want := func(prefix string, ids []string, want ...string) {
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			f.Errorf("Uploads(%q) = %q, want %q", prefix, ids, want)
		}
	}
	want("dir/a", ids("dir/a"), a1, a2)
	want("dir/b c%", ids("dir/b c%"), b)
	want("x", ids("x"))
	if !f.p.ExactUploads {
		want("", ids(""), a1, a2, b)
		want("dir/", ids("dir/"), a1, a2, b)
	}
	f.want(nil, f.Abort(f.ctx, "dir/a", a1), "Abort")
	want("dir/a", ids("dir/a"), a2)
	p := f.putPart("dir/a", a2, 1, "x")
	f.complete("dir/a", a2, p)
	want("dir/a", ids("dir/a"))
}

// testCancelled checks that no request outlives its context.
func testCancelled(f *fixture) {
	src := f.put("a", "content")
	id := f.begin("up")
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	calls := map[string]func() error{
		"Ping": func() error { return f.Ping(ctx) },
		"Stat": func() error { _, err := f.Stat(ctx, "a"); return err },
		"Open": func() error { _, _, err := f.Open(ctx, "a", 0, -1, ""); return err },
		"Put": func() error {
			_, err := f.Put(ctx, "b", strings.NewReader("x"), 1, store.PutOptions{})
			return err
		},
		"Copy":   func() error { _, err := f.Copy(ctx, "b", src); return err },
		"Delete": func() error { return f.Delete(ctx, "a") },
		"Begin":  func() error { _, err := f.Begin(ctx, "b", store.PutOptions{}); return err },
		"PutPart": func() error {
			_, err := f.PutPart(ctx, "up", id, 1, strings.NewReader("x"), 1)
			return err
		},
		"CopyPart": func() error { _, err := f.CopyPart(ctx, "up", id, 1, src, 0, 1); return err },
		"Parts":    func() error { _, err := f.Parts(ctx, "up", id); return err },
		"Complete": func() error { _, err := f.Complete(ctx, "up", id, []store.Part{{Number: 1}}); return err },
		"Abort":    func() error { return f.Abort(ctx, "up", id) },
		"Uploads":  func() error { _, err := f.Uploads(ctx, "up"); return err },
	}
	for name, call := range calls {
		err := call()
		f.want(context.Canceled, err, name+" with a cancelled context")
		if errors.Is(err, store.ErrUnavailable) {
			f.Errorf("%s with a cancelled context: the store is blamed: %v", name, err)
		}
	}
	f.wantNone("b")
	f.wantContent("a", "content")
	f.wantParts("up", id)

	ctx, cancel = context.WithCancel(f.ctx)
	big := strings.Repeat("x", 8<<20)
	f.put("big", big)
	body, _, err := f.Open(ctx, "big", 0, -1, "")
	f.want(nil, err, "Open")
	cancel()
	_, err = io.Copy(io.Discard, body)
	f.want(context.Canceled, err, "read after the context was cancelled")
	_ = body.Close() // the body has failed already
}
