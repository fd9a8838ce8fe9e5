package storetest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/store"
)

// putAll stores an empty object under each key.
func (f *fixture) putAll(keys ...string) {
	f.Helper()
	g, ctx := errgroup.WithContext(f.ctx)
	g.SetLimit(16)
	for _, key := range keys {
		g.Go(func() error {
			_, err := f.Put(ctx, key, strings.NewReader(""), 0, store.PutOptions{})
			if err != nil {
				return fmt.Errorf("put %q: %w", key, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) wantList(prefix string, opts store.ListOptions, want ...string) {
	f.Helper()
	if got := f.list(prefix, opts); !slices.Equal(got, want) {
		f.Errorf("List(%q, %+v)\n got %q\nwant %q", prefix, opts, got, want)
	}
}

func testList(f *fixture) {
	f.wantList("", store.ListOptions{})
	f.putAll("a", "b/1", "b/2", "b/c/3", "bb", "c d/e")
	f.wantList("", store.ListOptions{}, "a", "b/1", "b/2", "b/c/3", "bb", "c d/e")
	f.wantList("b", store.ListOptions{}, "b/1", "b/2", "b/c/3", "bb")
	f.wantList("b/", store.ListOptions{}, "b/1", "b/2", "b/c/3")
	f.wantList("b/c", store.ListOptions{}, "b/c/3")
	f.wantList("b/c/3", store.ListOptions{}, "b/c/3")
	f.wantList("c d/", store.ListOptions{}, "c d/e")
	for _, prefix := range []string{"x", "b/x", "b/1/", "a/", "nowhere/at/all/", "b//", "/", "../", "\xff", strings.Repeat("x", 2000)} {
		f.wantList(prefix, store.ListOptions{})
		f.wantList(prefix, store.ListOptions{Delimiter: "/"})
	}
}

func testListDelimited(f *fixture) {
	f.putAll("a", "b/1", "b/2", "b/c/3", "b-", "b0", "z/deep/er/x")
	dir := store.ListOptions{Delimiter: "/"}
	f.wantList("", dir, "a", "b-", "b/*", "b0", "z/*")
	f.wantList("b", dir, "b-", "b/*", "b0")
	f.wantList("b/", dir, "b/1", "b/2", "b/c/*")
	f.wantList("b/c", dir, "b/c/*")
	f.wantList("b/c/", dir, "b/c/3")
	f.wantList("z/", dir, "z/deep/*")
	f.wantList("z/deep/", dir, "z/deep/er/*")
}

func testListStartAfter(f *fixture) {
	f.putAll("a", "b/1", "b/2", "b/c/3", "b-", "b0", "z/y")
	after := func(key string) store.ListOptions { return store.ListOptions{StartAfter: key} }
	f.wantList("", after("b/1"), "b/2", "b/c/3", "b0", "z/y")
	f.wantList("", after("b/11"), "b/2", "b/c/3", "b0", "z/y")
	f.wantList("b/", after("b/2"), "b/c/3")
	f.wantList("b/", after("a"), "b/1", "b/2", "b/c/3")
	f.wantList("b/", after("c"))
	f.wantList("", after("z/y"))
	dir := func(key string) store.ListOptions { return store.ListOptions{StartAfter: key, Delimiter: "/"} }
	f.wantList("", dir("a"), "b-", "b/*", "b0", "z/*")
	f.wantList("", dir("b-"), "b/*", "b0", "z/*")
	f.wantList("", dir("b/"), "b0", "z/*")
	f.wantList("", dir("b/1"), "b0", "z/*")
	f.wantList("", dir("z/"))
	f.wantList("b/", dir("b/1"), "b/2", "b/c/*")
}

func testListLimit(f *fixture) {
	f.putAll("a", "b/1", "b/2", "c", "d")
	f.wantList("", store.ListOptions{Limit: 1}, "a")
	f.wantList("", store.ListOptions{Limit: 3}, "a", "b/1", "b/2")
	f.wantList("", store.ListOptions{Limit: 99}, "a", "b/1", "b/2", "c", "d")
	f.wantList("", store.ListOptions{Limit: 2, Delimiter: "/"}, "a", "b/*")
	f.wantList("", store.ListOptions{Limit: 3, Delimiter: "/"}, "a", "b/*", "c")
	f.wantList("", store.ListOptions{Limit: 2, Delimiter: "/", StartAfter: "b/"}, "c", "d")
	f.wantList("", store.ListOptions{Limit: 1, Delimiter: "/", StartAfter: "b/1"}, "c")
	f.wantList("b/", store.ListOptions{Limit: 1, Delimiter: "/"}, "b/1")
}

func testListStops(f *fixture) {
	f.putAll("a", "b", "c")
	seq := f.List(f.ctx, "", store.ListOptions{})
	for range 2 { // a sequence may be ranged over again
		for o, err := range seq {
			if err != nil || o.Key != "a" {
				f.Errorf("List yields %q, %v", o.Key, err)
			}
			break
		}
	}
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	var got []error
	for _, err := range f.List(ctx, "", store.ListOptions{}) {
		got = append(got, err)
	}
	if len(got) != 1 {
		f.Fatalf("a cancelled List yields %d times", len(got))
	}
	f.want(context.Canceled, got[0], "List with a cancelled context")
}

func testListPages(f *fixture) {
	// 1,090 files and 15 directories: more than a page, with a directory on each side of
	// the boundary, and objects in directories that are no entries of the listing.
	var keys, want []string
	for i := range 1090 {
		keys = append(keys, fmt.Sprintf("p/f%04d", i))
	}
	for i := range 15 {
		keys = append(keys, fmt.Sprintf("p/f%04d-dir/x", 70*i), fmt.Sprintf("p/f%04d-dir/y", 70*i))
	}
	f.putAll(keys...)
	slices.Sort(keys)
	f.wantList("p/", store.ListOptions{}, keys...)
	for _, key := range keys {
		if dir, ok := strings.CutSuffix(key, "x"); ok {
			key = dir + "*"
		} else if strings.HasSuffix(key, "/y") {
			continue
		}
		want = append(want, key)
	}
	f.wantList("p/", store.ListOptions{Delimiter: "/"}, want...)
	f.wantList("p/", store.ListOptions{Delimiter: "/", Limit: 1050}, want[:1050]...)
	f.wantList("p/", store.ListOptions{Delimiter: "/", Limit: 1000}, want[:1000]...)
	after := strings.TrimSuffix(want[20], "*")
	f.wantList("p/", store.ListOptions{Delimiter: "/", StartAfter: after}, want[21:]...)
	for i, entry := range want[:200] { // a listing can be continued behind every entry
		got := f.list("p/", store.ListOptions{Delimiter: "/", StartAfter: strings.TrimSuffix(entry, "*"), Limit: 1})
		if !slices.Equal(got, want[i+1:i+2]) {
			f.Fatalf("behind %q comes %q, want %q", entry, got, want[i+1])
		}
	}
}

func testListOrder(f *fixture) {
	// In the order of their bytes, which is neither that of UTF-16 nor of a directory walk.
	keys := []string{
		"A", "B", "a b", "a!", "a-", "a.b", "a/b", "a/c", "a0", "aB", "aa", "a~", "é", "日本", "\uffee", "\U0001f600",
	}
	slices.Sort(keys)
	f.putAll(keys...)
	f.wantList("", store.ListOptions{}, keys...)
	f.wantList("", store.ListOptions{StartAfter: "日本"}, "\uffee", "\U0001f600")
	f.wantList("a", store.ListOptions{Delimiter: "/"}, "a b", "a!", "a-", "a.b", "a/*", "a0", "aB", "aa", "a~")
}

// oddNames are legal keys that some layer may get wrong.
func oddNames() []string {
	return []string{
		"plain.txt", "with space", " leading space", "trailing space ", "two  spaces", "100%", "%41", "%2F", "a%20b", "+", "a+b",
		"#", "a#b", "?", "a?b=c&d", "&amp;", "<tag>", "\"quoted\"", "'single'", "back\\slash", "\\", "a:b", "*", "[x]", "{y}", "|",
		"~", "^", "`", "$x", "(1)", ",", ";", "=", "@", "!", "-dash", "--", ".hidden", "..dots", "dots..", "...", "tab\tin",
		"bell\x07", "esc\x1b[0m", "del\x7f", "\u0085nel", "new\nline", "cr\rin",
		"caf\u00e9", "cafe\u0301", "日本語.txt", "Привет", "ελληνικά", "עברית", "\U0001f600", "\ufeffbom", "zero\u200bwidth",
		"\ue000private", "\U0010fffd", "CON", "nul", "aux.txt", "CaseName", "casename", strings.Repeat("n", 255),
		strings.Repeat("é", 127), "xl.meta", "part.1", "..%2F..%2Fetc", "a\u2028b",
	}
}

func testNames(f *fixture) {
	var put []string
	for _, name := range oddNames() {
		key := "names/" + name
		if slices.Contains(f.p.BadNames, name) {
			continue
		}
		if _, err := f.Put(f.ctx, key, strings.NewReader(name), int64(len(name)), store.PutOptions{}); err != nil {
			f.Errorf("Put(%q) = %v", key, err)
			continue
		}
		put = append(put, key)
	}
	deep := "deep/" + strings.Repeat("0123456789/", 90) + "end"
	f.put(deep, "deep")
	f.wantContent(deep, "deep")
	slices.Sort(put)
	f.wantList("names/", store.ListOptions{Delimiter: "/"}, put...)
	for i, key := range put {
		f.wantContent(key, strings.TrimPrefix(key, "names/"))
		if i > 0 {
			f.wantList("names/", store.ListOptions{StartAfter: put[i-1], Limit: 1}, key)
		}
		if got := f.list(key, store.ListOptions{Limit: 1}); len(got) != 1 || got[0] != key {
			f.Errorf("List(%q) yields %q", key, got)
		}
		_, err := f.Copy(f.ctx, "copies/"+strings.TrimPrefix(key, "names/"), f.stat(key))
		f.want(nil, err, "Copy of "+key)
	}
	f.testNamedDirectories()
	for _, key := range put {
		f.want(nil, f.Delete(f.ctx, key), "Delete of "+key)
		f.wantNone(key)
	}
}

// testNamedDirectories uses the odd names for directories.
func (f *fixture) testNamedDirectories() {
	f.Helper()
	var dirs []string
	for _, name := range oddNames() {
		if slices.Contains(f.p.BadNames, name) {
			continue
		}
		f.put("dirs/"+name+"/x", "")
		f.wantList("dirs/"+name+"/", store.ListOptions{Delimiter: "/"}, "dirs/"+name+"/x")
		dirs = append(dirs, "dirs/"+name+"/*")
	}
	slices.Sort(dirs)
	f.wantList("dirs/", store.ListOptions{Delimiter: "/"}, dirs...)
}

func testBadNames(f *fixture) {
	long := strings.Repeat("x", store.MaxNameLength+1)
	bad := []string{
		"", "/", "/a", "//", "a//b", "a//", ".", "..", "./a", "a/..", "a/./b", "../x", "a\x00b", "\xff\xfe", long, "a/" + long + "/b",
		strings.Repeat("a/", store.MaxKeyLength/2) + "a",
	}
	for _, name := range f.p.BadNames {
		bad = append(bad, "names/"+name)
	}
	for _, key := range bad {
		what := fmt.Sprintf(" %.30q", key)
		_, err := f.Put(f.ctx, key, strings.NewReader("x"), 1, store.PutOptions{})
		f.want(store.ErrBadName, err, "Put"+what)
		_, err = f.Begin(f.ctx, key, store.PutOptions{})
		f.want(store.ErrBadName, err, "Begin"+what)
	}
	for _, key := range bad[:len(bad)-len(f.p.BadNames)] {
		what := fmt.Sprintf(" %.30q", key)
		_, err := f.Stat(f.ctx, key)
		f.want(store.ErrBadName, err, "Stat"+what)
		_, _, err = f.Open(f.ctx, key, 0, -1, "")
		f.want(store.ErrBadName, err, "Open"+what)
		f.want(store.ErrBadName, f.Delete(f.ctx, key), "Delete"+what)
	}
	f.wantList("", store.ListOptions{})
}

func testDirectories(f *fixture) {
	o, err := f.Put(f.ctx, "d/", strings.NewReader(""), 0, store.PutOptions{ContentType: store.DirContent})
	f.want(nil, err, "Put of a directory marker")
	if o.Key != "d/" {
		f.Errorf("Put of a directory marker = %+v", o)
	}
	if o := f.stat("d/"); o.Key != "d/" || o.Size != 0 {
		f.Errorf("Stat of a directory marker = %+v", o)
	}
	f.wantNone("d")
	_, err = f.Put(f.ctx, "d/", strings.NewReader(""), 0, store.PutOptions{ContentType: store.DirContent, IfAbsent: true})
	f.want(store.ErrExist, err, "Put of a directory marker that exists, if absent")
	f.wantList("", store.ListOptions{}, "d/")
	f.wantList("", store.ListOptions{Delimiter: "/"}, "d/*")
	f.wantList("d/", store.ListOptions{Delimiter: "/"}, "d/")
	f.put("d/file", "x")
	f.wantList("", store.ListOptions{}, "d/", "d/file")
	f.wantList("", store.ListOptions{Delimiter: "/"}, "d/*")
	f.wantList("d/", store.ListOptions{Delimiter: "/"}, "d/", "d/file")
	f.wantList("d/", store.ListOptions{Delimiter: "/", StartAfter: "d/"}, "d/file")
	f.wantList("d/", store.ListOptions{Delimiter: "/", Limit: 1}, "d/")
	f.want(nil, f.Delete(f.ctx, "d/"), "Delete of a marker before its content")
	f.wantContent("d/file", "x")
	f.wantList("", store.ListOptions{}, "d/file")
	f.putAll("d/")
	f.want(nil, f.Delete(f.ctx, "d/file"), "Delete of the content")
	f.wantList("", store.ListOptions{}, "d/")
	body, o, err := f.Open(f.ctx, "d/", 0, -1, "")
	f.want(nil, err, "Open of a marker")
	if err == nil {
		data, err := io.ReadAll(body)
		if len(data) != 0 || err != nil || o.Size != 0 {
			f.Errorf("a marker holds %q, %v", data, err)
		}
		f.want(nil, body.Close(), "Close of a marker")
	}
	_, err = f.Copy(f.ctx, "e/", f.stat("d/"))
	f.want(nil, err, "Copy of a marker")
	f.wantList("", store.ListOptions{Delimiter: "/"}, "d/*", "e/*")
	f.want(nil, f.Delete(f.ctx, "d/"), "Delete of a marker")
	f.wantNone("d/")
	f.wantList("", store.ListOptions{Delimiter: "/"}, "e/*")
}

func testFileAndDirectory(f *fixture) {
	f.put("a", "file")
	f.put("b/c", "file")
	put := func(key string) error {
		_, err := f.Put(f.ctx, key, strings.NewReader(""), 0, store.PutOptions{})
		return err
	}
	if f.p.FileOrDirectory {
		f.want(store.ErrExist, put("a/b"), "Put below a file")
		f.want(store.ErrExist, put("a/"), "Put of a marker beside a file")
		f.want(store.ErrExist, put("b"), "Put of a file where a directory is")
		_, err := f.Copy(f.ctx, "a/b", f.stat("a"))
		f.want(store.ErrExist, err, "Copy below a file")
		_, err = f.Copy(f.ctx, "b", f.stat("a"))
		f.want(store.ErrExist, err, "Copy to where a directory is")
		f.wantContent("a", "file")
		f.wantContent("b/c", "file")
		return
	}
	f.want(nil, put("a/b"), "Put below a file")
	f.want(nil, put("b"), "Put of a file where a directory is")
	f.wantContent("a", "file")
	f.wantContent("a/b", "")
	f.wantContent("b", "")
	f.wantContent("b/c", "file")
	if !f.p.DirectoryHides {
		f.wantList("", store.ListOptions{}, "a", "a/b", "b", "b/c")
		f.wantList("", store.ListOptions{Delimiter: "/"}, "a", "a/*", "b", "b/*")
	}
}
