package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// anEvent is an upload with much to say.
func anEvent() Event {
	return Event{
		ID: "x-1", Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600)), Node: "a", Session: "s1", User: "alice",
		Remote: "192.0.2.1:4711", TLS: true, Action: Upload, Path: "/a<b>\n中.txt", Bytes: 12, Duration: 1500 * time.Millisecond,
	}
}

func TestJSON(t *testing.T) {
	for want, e := range map[string]Event{
		`{"time":"2026-03-01T11:00:00.005Z","id":"x-1","node":"a","session":"s1","user":"alice","remote":"192.0.2.1:4711","tls":true,` +
			`"action":"upload","path":"/a<b>\n中.txt","bytes":12,"duration_ms":1500,"ok":true}`: anEvent(),
		`{"time":"0001-01-01T00:00:00Z","session":"s2","user":"bob","remote":"","tls":false,"action":"login-failed","bytes":0,` +
			`"duration_ms":0,"ok":false,"err":"login incorrect"}`: {Session: "s2", User: "bob", Action: LoginFailed, Err: "login incorrect"},
		`{"time":"0001-01-01T00:00:00Z","session":"","user":"","remote":"192.0.2.0/24","tls":false,"action":"ban","bytes":0,` +
			`"duration_ms":0,"ok":true,"reason":"abuse"}`: {Remote: "192.0.2.0/24", Action: Ban, Reason: "abuse"},
	} {
		if got := string(JSON([]byte("> "), e)); got != "> "+want {
			t.Errorf("written\n%s\nwant\n%s", got, want)
		}
	}
	beyond := Event{Time: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if got := string(JSON([]byte("> "), beyond)); got != "> " {
		t.Errorf("a time without JSON is written as %q", got)
	}
}

// mustWrite writes one event for each path.
func mustWrite(t *testing.T, s Sink, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if n, err := s.Write(t.Context(), []Event{{Action: Upload, Path: path}}); n != 1 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
}

func openFile(t *testing.T, path string, r Rotation) *File {
	t.Helper()
	f, err := OpenFile(path, JSON, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// paths reads the paths of the events in a file.
func paths(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range bytes.Lines(data) {
		var e struct{ Path string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		found = append(found, e.Path)
	}
	return strings.Join(found, " ")
}

// tree is what a folder holds: the file's paths, and those of the files moved aside, the
// oldest first.
func tree(t *testing.T, file string) (now string, aside []string) {
	t.Helper()
	names, err := filepath.Glob(file + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names { // sorted
		aside = append(aside, paths(t, name))
	}
	return paths(t, file), aside
}

func TestFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for _, name := range []string{"/a", "/b"} {
		mustWrite(t, openFile(t, path, Rotation{}), name)
	}
	if got := paths(t, path); got != "/a /b" {
		t.Errorf("the file holds %s", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := OpenFile(filepath.Join(path, "x"), JSON, Rotation{}); err == nil {
		t.Error("a file below a file was opened")
	}
}

// Logrotate needs neither copytruncate nor a signal, but either may be.
func TestFileMovedOrTruncatedByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path, Rotation{})
	mustWrite(t, f, "/a")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "/b", "/c")
	if now, aside := tree(t, path); now != "/b /c" || len(aside) != 1 || aside[0] != "/a" {
		t.Errorf("moved: %q and %q", now, aside)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "/d")
	if got := paths(t, path); got != "/d" {
		t.Errorf("truncated: %q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "/e")
	if got := paths(t, path); got != "/e" {
		t.Errorf("removed: %q", got)
	}
}

func TestFileRotatedBySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	line := int64(len(JSON(nil, Event{Action: Upload, Path: "/1"}))) + 1
	f := openFile(t, path, Rotation{Size: 2 * line, Keep: 2})
	mustWrite(t, f, "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/"+strings.Repeat("x", 1000), "/9")
	now, aside := tree(t, path)
	if now != "/9" || len(aside) != 2 || aside[0] != "/7" || len(aside[1]) != 1001 {
		t.Errorf("%q and %q", now, aside)
	}
}

// A file of yesterday is moved aside by the first line of today, also after a restart.
func TestFileRotatedByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	mustWrite(t, openFile(t, path, Rotation{}), "/a")
	yesterday := time.Now().AddDate(0, 0, -1)
	if err := os.Chtimes(path, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, path, Rotation{Age: 24 * time.Hour})
	mustWrite(t, f, "/b")
	if now, aside := tree(t, path); now != "/b" || len(aside) != 1 || aside[0] != "/a" {
		t.Errorf("%q and %q", now, aside)
	}
}

// full is a disk that is full after so many bytes.
type full struct {
	bytes.Buffer
	room int
}

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	n, err := min(len(p), f.room), error(nil)
	if n < len(p) {
		err = errFull
	}
	f.room -= n
	_, _ = f.Buffer.Write(p[:n]) // never fails
	return n, err
}

var _ io.Writer = (*full)(nil)

// A line that was cut off by a full disk spoils no other.
func TestTornLine(t *testing.T) {
	path := func(line []byte, e Event) []byte { return append(line, e.Path...) }
	for room, want := range map[int]string{
		0: "/one\n/two\n", 2: "/o\n/one\n/two\n", 4: "/one\n/one\n/two\n", 5: "/one\n/two\n", 7: "/one\n/t\n/two\n",
	} {
		disk := &full{room: room}
		s := NewWriter("", disk, path)
		events := []Event{{Path: "/one"}, {}, {Path: "/two"}}
		n, err := s.Write(t.Context(), events)
		if !errors.Is(err, errFull) {
			t.Fatalf("room for %d: %v", room, err)
		}
		if _, err := s.Write(t.Context(), events[n:]); !errors.Is(err, errFull) {
			t.Fatalf("room for %d: still %v", room, err)
		}
		disk.room = 100
		if n, err := s.Write(t.Context(), events[n:]); err != nil || n == 0 {
			t.Fatalf("room again: %d, %v", n, err)
		}
		if got := disk.String(); got != want {
			t.Errorf("room for %d: %q, want %q", room, got, want)
		}
	}
}
