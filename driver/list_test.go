package driver_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestList(t *testing.T) {
	s := newSession(t)
	s.isDir("/")
	s.must(s.mkd("dir"))
	s.must(s.mkd("dir/sub"))
	s.put("dir/file", "12345")
	s.put("dir/sub/deep", "x")
	s.plant("alice/dir/implied/f", "x")
	s.plant("alice/dir.txt", "x")
	for _, verb := range []string{"LIST", "NLST", "MLSD"} {
		entries, err := s.list(verb, "dir")
		s.must(err)
		var lines []string
		for _, e := range entries {
			lines = append(lines, fmt.Sprintf("%v %d %s", e.Mode(), e.Size(), e.Name()))
		}
		want := []string{"-rw-r--r-- 5 file", "drwxr-xr-x 0 implied", "drwxr-xr-x 0 sub"}
		if !slices.Equal(lines, want) {
			t.Errorf("%s: %q", verb, lines)
		}
	}
	s.isDir("/", "dir/", "dir.txt")
	s.isDir("dir/file", "file") // the session refuses it for MLSD
	s.isDir("dir/sub", "deep")
	s.must(s.dele("dir/sub/deep"))
	s.isDir("dir/sub")
}

func TestListLarge(t *testing.T) {
	s := newSession(t)
	want := make([]string, 2*store.PageSize+1)
	for i := range want {
		want[i] = fmt.Sprintf("file%05d", i)
		s.plant("alice/"+want[i], "")
	}
	s.isDir("/", want...)
}

// Objects of names that FTP cannot say, and markers of other kinds, are no files.
func TestListLeavesOutImpossibleNames(t *testing.T) {
	s := newSession(t)
	for _, key := range []string{"alice/", "alice/a\r\nb", "alice/c\nd/e", "alice/good"} {
		s.plant(key, "x")
	}
	s.isDir("/", "good")
}

// A listing that breaks off is none.
func TestListBreaksOff(t *testing.T) {
	s := newSession(t)
	for i := range 10 {
		s.plant(fmt.Sprintf("alice/dir/%d", i), "")
	}
	s.faults.Entry = func(o store.Object) error {
		if o.Key == "alice/dir/5" {
			return store.Unavailable(context.DeadlineExceeded)
		}
		return nil
	}
	_, err := s.list("MLSD", "dir")
	s.mustFail(451, err)
}

func TestListNeedsNoOtherRequests(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("dir/a", "x")
	s.faults.Before = func(_ context.Context, c storetest.Call) error {
		if c.Op != "List" {
			t.Errorf("request %v", c)
		}
		return nil
	}
	s.isDir("dir", "a")
	s.isDir("/", "dir/")
}

// A directory comes before names that the store lists before it, unfinished uploads and
// kept times included, though thousands of names lie between.
func TestListInOrder(t *testing.T) {
	s := withS3Parts(t)
	s.must(s.mkd("img"))
	s.must(s.mfmt("img", someTime()))
	want := []string{"img/"}
	for i := range 7 * store.PageSize {
		name := fmt.Sprintf("img-%05d", i)
		s.plant("alice/"+name, "")
		want = append(want, name)
	}
	s.put("img.txt", "x")
	s.put("zoo", "x")
	s.plant("alice/img-00007/f", "")
	i := slices.Index(want, "img-00007")
	want = slices.Insert(want, i+1, "img-00007/")
	s.breakOff("img-00007.part", 1)
	want = slices.Insert(want, i+2, "img-00007.part")
	s.breakOff("a", 1)
	s.breakOff("zz", 1)
	want = append(append([]string{"a"}, want...), "img.txt", "zoo", "zz")
	s.isDir("/", want...)
	s.hasTime("img", someTime())
}

// Where an upload is to replace a file and has broken off, its owner sees what there is of it.
func TestListShowsBrokenOverwrite(t *testing.T) {
	s := withS3Parts(t)
	for _, name := range []string{"a", "b", "c"} {
		s.put(name, "x")
	}
	s.breakOff("b", 1)
	sizes := func(s *session, want ...int64) {
		t.Helper()
		entries, err := s.list("LIST", "/")
		s.must(err)
		var got []int64
		for _, e := range entries {
			got = append(got, e.Size())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s sees sizes %d, want %d", s.user.Name, got, want)
		}
	}
	sizes(s, 1, store.MinPartSize, 1)
	sizes(s.login("bob", func(_ *driver.Deps, u *auth.User) { u.Prefix = "alice/" }), 1, 1, 1)
}

// Kept times are read a page at a time, and only where there may be any.
func TestListReadsTimesInPages(t *testing.T) {
	s := newSession(t)
	times := &countedTimes{Times: s.db}
	other := s.login("alice", func(d *driver.Deps, _ *auth.User) { d.Times = times })
	var kept []store.KeptTime
	for i := range 2*store.PageSize + 500 {
		key := fmt.Sprintf("alice/%05d", i)
		s.plant(key, "")
		kept = append(kept, store.KeptTime{Key: key, ModTime: someTime().Add(time.Duration(i) * time.Second)})
	}
	list := func(queries int) {
		t.Helper()
		times.asked = 0
		entries, err := other.list("MLSD", "/")
		other.must(err)
		for i, e := range entries {
			if want := someTime().Add(time.Duration(i) * time.Second); queries > 1 && !e.ModTime().Equal(want) {
				t.Fatalf("%s: time %v, want %v", e.Name(), e.ModTime(), want)
			}
		}
		if len(entries) != len(kept) || times.asked != queries {
			t.Errorf("%d entries, %d queries, want %d", len(entries), times.asked, queries)
		}
	}
	list(1)
	s.must(s.db.SetTimes(t.Context(), bucket, kept...))
	list(3)
}

// countedTimes counts queries of listings.
type countedTimes struct {
	store.Times
	asked int
}

func (c *countedTimes) TimesFrom(ctx context.Context, bucket, dir, from string, limit int) ([]store.KeptTime, error) {
	c.asked++
	return c.Times.TimesFrom(ctx, bucket, dir, from, limit)
}

// A listing ends with its context, and is then not taken for a whole one.
func TestListEnds(t *testing.T) {
	s := newSession(t)
	for i := range 3 * store.PageSize {
		s.plant(fmt.Sprintf("alice/%05d", i), "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, err := s.driver.OpenListing(ctx, "LIST", "/")
	s.must(err)
	cancel()
	n, failed := 0, error(nil)
	for _, err := range l.Entries() {
		if n++; err != nil {
			failed = err
		}
	}
	if n > 2*store.PageSize+1 {
		t.Errorf("%d entries after the end", n)
	}
	s.mustFail(426, l.Close(failed))
	ops := s.done
	if op := ops[len(ops)-1]; op.Verb != "LIST" || op.Path != "/" || op.Err == nil {
		t.Errorf("reported: %+v", op)
	}
}

// A listing of any size takes the same memory, and its beginning comes early.
func TestListOfVeryMany(t *testing.T) {
	const n = 200 * store.PageSize
	s := newWorld(t).login("alice", func(d *driver.Deps, _ *auth.User) { d.Store = manyNames{d.Store, n} })
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, count := heap(), uint64(0), 0
	for _, err := range s.driver.List(t.Context(), "LIST", "/") {
		if s.must(err); count%(50*store.PageSize) == 0 {
			most = max(most, heap())
		}
		count++
	}
	if grown := int64(most) - int64(before); count != n || grown > 8<<20 {
		t.Errorf("%d entries; the heap has grown by %d bytes", count, grown)
	}
}

// manyNames is a store that lists n names of a kind for which a directory might come last.
type manyNames struct {
	store.Store
	n int
}

func (m manyNames) List(_ context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if opts.Delimiter == "" {
			return // nothing is below any of them
		}
		for i := range m.n {
			o := store.Object{Key: fmt.Sprintf("%sIMG-%07d.jpg", prefix, i), Size: 1, ModTime: someTime(), ETag: "etag"}
			if !yield(o, nil) {
				return
			}
		}
	}
}
