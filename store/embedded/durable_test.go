package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/embedded"
)

// childDir makes the test binary a server on this directory, which a test may kill.
const childDir = "SPD_TEST_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir)
	}
	// These two are the gateway's: one never ends, the other sleeps before it does.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// The gateway of a service that is stopped in the moment it begins to listen goes on.
		goleak.IgnoreAnyFunction("github.com/versity/versitygw/internal/netutil.(*MultiListener).Accept"),
		goleak.IgnoreAnyFunction("github.com/versity/versitygw/internal/netutil.(*MultiListener).acceptLoop"))
}

// runChild serves until it is killed, and writes where to stdout.
func runChild(dir string) {
	s, err := embedded.Start(context.Background(), embedded.Options{Dir: dir})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(spdtest.Endpoint{URL: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-s.Done()
	os.Exit(0)
}

// startChild starts a server in a process of its own.
func startChild(t *testing.T, dir string) (spdtest.Endpoint, *spdtest.Process) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	p := spdtest.StartProcess(t, cmd, func(context.Context) error { return nil })
	var e spdtest.Endpoint
	for e.URL == "" {
		line, _, found := strings.Cut(p.Output(), "\n")
		if found {
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("the server wrote %q: %v", line, err)
			}
			break
		}
		select {
		case <-p.Done():
			t.Fatalf("the server ended: %s", p.Output())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return e, p
}

// TestKilled kills the server amid an upload. What was answered must be there afterwards,
// and nothing else.
func TestKilled(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	e, p := startChild(t, dir)
	c := client(t, e.URL, e.AccessKey, e.SecretKey)
	if err := c.MakeBucket(ctx, "bucket"); err != nil {
		t.Fatal(err)
	}
	s := c.Bucket("bucket")
	put := func(key, data string) {
		if _, err := s.Put(ctx, key, strings.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "content of a")
	put("dir/b", "content of b")
	put("empty/", "")
	id, err := s.Begin(ctx, "parts", store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	block := strings.Repeat("p", store.MinPartSize)
	p1, err := s.PutPart(ctx, "parts", id, 1, strings.NewReader(block), store.MinPartSize)
	if err != nil {
		t.Fatal(err)
	}
	// The next bodies stand still when half of them is sent; then the server is killed.
	half := make(chan struct{}, 2)
	resume := make(chan struct{})
	done := make(chan error, 2)
	go func() {
		_, err := s.Put(ctx, "a", &halting{Reader: bytes.NewReader(make([]byte, 8<<20)), half: half, resume: resume}, 8<<20, store.PutOptions{})
		done <- err
	}()
	go func() {
		_, err := s.PutPart(ctx, "parts", id, 2, &halting{Reader: bytes.NewReader(make([]byte, 8<<20)), half: half, resume: resume}, 8<<20)
		done <- err
	}()
	<-half
	<-half
	p.Kill()
	close(resume)
	for range 2 {
		if err := <-done; !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a request to the killed server = %v", err)
		}
	}

	again, _ := startChild(t, dir)
	if again.AccessKey != e.AccessKey || again.SecretKey != e.SecretKey {
		t.Error("the keys are others")
	}
	s = client(t, again.URL, again.AccessKey, again.SecretKey).Bucket("bucket")
	wantKeys(t, s, "a", "dir/b", "empty/")
	wantContent(t, s, "a", "content of a")
	parts, err := s.Parts(ctx, "parts", id)
	if err != nil || !slices.Equal(parts, []store.Part{p1}) {
		t.Errorf("Parts = %v, %v; want the first", parts, err)
	}
	p2, err := s.PutPart(ctx, "parts", id, 2, strings.NewReader("end"), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Complete(ctx, "parts", id, []store.Part{p1, p2}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "parts", block+"end")
	wantKeys(t, s, "a", "dir/b", "empty/", "parts")
}

// halting is a body that, when it is sent, stops in the middle. It is read once before, for
// its checksum.
type halting struct {
	*bytes.Reader
	half   chan<- struct{}
	resume <-chan struct{}
	rounds int
	halted bool
}

func (h *halting) Seek(off int64, whence int) (int64, error) {
	if off == 0 && whence == io.SeekStart {
		h.rounds++
	}
	return h.Reader.Seek(off, whence)
}

// WriteTo is not promoted: Read must see all bytes.
func (h *halting) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{h})
}

func (h *halting) Read(p []byte) (int, error) {
	if h.rounds > 1 && !h.halted && h.Reader.Len() < int(h.Reader.Size())/2 {
		h.halted = true
		h.half <- struct{}{}
		<-h.resume
	}
	return h.Reader.Read(p[:min(len(p), 64<<10)])
}

func wantKeys(t *testing.T, s store.Store, want ...string) {
	t.Helper()
	var keys []string
	for o, err := range s.List(t.Context(), "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	if !slices.Equal(keys, want) {
		t.Errorf("there are objects %q, want %q", keys, want)
	}
}

func wantContent(t *testing.T, s store.Store, key, want string) {
	t.Helper()
	body, _, err := s.Open(t.Context(), key, 0, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil || string(got) != want {
		t.Errorf("%q has %d bytes, or others; want %d (%v)", key, len(got), len(want), err)
	}
}

// TestDiskFull needs the right to mount a small file system.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root may mount; nothing tested")
		return
	}
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s := start(t, embedded.Options{Dir: dir})
	c := client(t, s.Endpoint, s.AccessKey, s.SecretKey)
	if err := c.MakeBucket(t.Context(), "bucket"); err != nil {
		t.Fatal(err)
	}
	b := c.Bucket("bucket")
	put := func(key string, size int64) error {
		_, err := b.Put(t.Context(), key, bytes.NewReader(make([]byte, size)), size, store.PutOptions{})
		return err
	}
	if err := put("fits", 10<<20); err != nil {
		t.Fatal(err)
	}
	if err := put("too big", 20<<20); !errors.Is(err, store.ErrFull) {
		t.Errorf("Put on a full disk = %v", err)
	}
	id, err := b.Begin(t.Context(), "parts", store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutPart(t.Context(), "parts", id, 1, bytes.NewReader(make([]byte, 20<<20)), 20<<20); !errors.Is(err, store.ErrFull) {
		t.Errorf("PutPart on a full disk = %v", err)
	}
	p, err := b.PutPart(t.Context(), "parts", id, 1, bytes.NewReader(make([]byte, 10<<20)), 10<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Complete(t.Context(), "parts", id, []store.Part{p}); !errors.Is(err, store.ErrFull) {
		t.Errorf("Complete on a full disk = %v", err)
	}
	if err := b.Abort(t.Context(), "parts", id); err != nil {
		t.Errorf("Abort on a full disk = %v", err)
	}
	o, err := b.Stat(t.Context(), "fits")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Copy(t.Context(), "copy", o); err != nil {
		t.Errorf("Copy into the room that is left = %v", err)
	}
	if _, err := b.Copy(t.Context(), "second", o); !errors.Is(err, store.ErrFull) {
		t.Errorf("Copy on a full disk = %v", err)
	}
	wantKeys(t, b, "copy", "fits")
	if err := b.Delete(t.Context(), "fits"); err != nil {
		t.Errorf("Delete on a full disk = %v", err)
	}
	if err := put("again", 8<<20); err != nil {
		t.Errorf("Put after a Delete = %v", err)
	}
}

func TestReservedNames(t *testing.T) {
	s := start(t, embedded.Options{Dir: t.TempDir()})
	c := client(t, s.Endpoint, s.AccessKey, s.SecretKey)
	if err := c.MakeBucket(t.Context(), "bucket"); err != nil {
		t.Fatal(err)
	}
	b := c.Bucket("bucket")
	for _, key := range []string{".sgwtmp", ".sgwtmp/x", ".sgwtmp/multipart/x"} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, store.PutOptions{}); !errors.Is(err, store.ErrBadName) {
			t.Errorf("Put(%q) = %v", key, err)
		}
		if _, err := b.Begin(t.Context(), key, store.PutOptions{}); !errors.Is(err, store.ErrBadName) {
			t.Errorf("Begin(%q) = %v", key, err)
		}
	}
	wantKeys(t, b)
}
