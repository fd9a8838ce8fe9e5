package driver_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

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
	s.isDir("dir/file", "file") // ftpserverlib refuses it for MLSD
	s.isDir("dir/sub", "deep")
	s.must(s.dele("dir/sub/deep"))
	s.isDir("dir/sub")
}

// As STAT asks for it.
func TestReadDir(t *testing.T) {
	s := newSession(t)
	s.put("a", "x")
	s.must(s.mkd("dir"))
	s.verb = "STAT"
	entries, err := s.driver.ReadDir("/")
	s.must(err)
	if len(entries) != 2 || entries[0].Name() != "a" || !entries[1].IsDir() {
		t.Errorf("listing of /: %v", entries)
	}
	_, err = s.driver.ReadDir("/missing")
	s.mustFail(550, err)
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
	for _, key := range []string{"alice/", "alice/a\r\nb", "alice/c\nd/e", "alice/x\x01y", "alice/good"} {
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
