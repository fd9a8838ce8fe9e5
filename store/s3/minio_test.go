package s3_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/retry"
	"github.com/spdscheme/spdserver/store/s3"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestMinIO(t *testing.T) {
	c := newClient(t, spdtest.MinIO(t), nil)
	storetest.Test(t, buckets(c), minioProperties())
}

func TestMinIOWithMD5(t *testing.T) {
	c := newClient(t, spdtest.MinIO(t), func(o *s3.Options) { o.Checksum = s3.MD5 })
	storetest.Test(t, buckets(c), minioProperties())
}

// recorder is a transport that notes the requests that go through it.
type recorder struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, req.Method)
	r.mu.Unlock()
	return r.next.RoundTrip(req)
}

// take returns the methods of the requests since the last call.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := strings.Join(r.seen, " ")
	r.seen = nil
	return seen
}

func TestOneRequestEach(t *testing.T) {
	var r recorder
	c := newClient(t, spdtest.MinIO(t), func(o *s3.Options) {
		o.Transport = func(next http.RoundTripper) http.RoundTripper { r.next = next; return &r }
	})
	s := buckets(c)(t)
	r.take()
	ctx := t.Context()
	var (
		o    store.Object
		id   string
		part store.Part
	)
	put := func(data string) func() error {
		return func() (err error) {
			o, err = s.Put(ctx, "a", strings.NewReader(data), int64(len(data)), store.PutOptions{})
			return err
		}
	}
	read := func(off, n int64) func() error {
		return func() error {
			body, _, err := s.Open(ctx, "a", off, n, o.ETag)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, body)
			return errors.Join(err, body.Close())
		}
	}
	for _, step := range []struct {
		what, requests string
		do             func() error
	}{
		{"Ping", "HEAD", func() error { return s.Ping(ctx) }},
		{"Put of nothing", "PUT", put("")},
		{"Put", "PUT", put("0123456789")},
		{"Stat", "HEAD", func() error { _, err := s.Stat(ctx, "a"); return err }},
		{"Digests", "HEAD", func() error { _, err := s.Digests(ctx, "a"); return err }},
		{"Open", "GET", read(0, -1)},
		{"Open of a range", "GET", read(3, 4)},
		{"Open of an empty range", "HEAD", read(3, 0)},
		{"Open beyond the end", "GET HEAD", read(10, -1)},
		{"Copy", "PUT", func() error { _, err := s.Copy(ctx, "b", o); return err }},
		{"List", "GET", func() error {
			for _, err := range s.List(ctx, "", store.ListOptions{}) {
				return err
			}
			return errors.New("nothing listed")
		}},
		{"Begin", "POST", func() (err error) { id, err = s.Begin(ctx, "c", store.PutOptions{}); return err }},
		{"PutPart", "PUT", func() (err error) { part, err = s.PutPart(ctx, "c", id, 1, strings.NewReader("x"), 1); return err }},
		{"CopyPart", "PUT", func() (err error) { _, err = s.CopyPart(ctx, "c", id, 2, o, 0, 5); return err }},
		{"Parts", "GET", func() error { _, err := s.Parts(ctx, "c", id); return err }},
		{"Uploads", "GET", func() error { _, err := s.Uploads(ctx, "c"); return err }},
		{"Complete", "POST", func() error { _, err := s.Complete(ctx, "c", id, []store.Part{part}); return err }},
		{"Abort", "DELETE", func() error { return s.Abort(ctx, "c", id) }},
		{"Delete", "DELETE", func() error { return s.Delete(ctx, "a") }},
		{"List of what cannot be", "", func() error {
			for range s.List(ctx, "a//", store.ListOptions{}) {
				return errors.New("something listed")
			}
			return nil
		}},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := r.take(); got != step.requests {
			t.Errorf("%s makes requests %q, want %q", step.what, got, step.requests)
		}
	}
}

func TestCopyInParts(t *testing.T) {
	var r recorder
	c := newClient(t, spdtest.MinIO(t), func(o *s3.Options) {
		o.CopyThreshold, o.CopyPartSize = 5<<20, 5<<20
		o.Transport = func(next http.RoundTripper) http.RoundTripper { r.next = next; return &r }
	})
	s := buckets(c)(t)
	ctx := t.Context()
	content := strings.Repeat("0123456789abcdef", 1<<20) + "the end" // 16 MiB
	if _, err := s.Put(ctx, "src", strings.NewReader(content), int64(len(content)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	src, err := s.Stat(ctx, "src")
	if err != nil {
		t.Fatal(err)
	}
	r.take()
	if o, err := s.Copy(ctx, "dst", src); err != nil || o.Size != src.Size {
		t.Errorf("Copy = %+v, %v", o, err)
	}
	if got := r.take(); got != "POST PUT PUT PUT PUT POST" {
		t.Errorf("Copy makes requests %q", got)
	}
	body, _, err := s.Open(ctx, "dst", 0, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil || string(got) != content {
		t.Errorf("the copy has %d bytes, or others; %v", len(got), err)
	}
	src.ETag = "changed"
	if _, err := s.Copy(ctx, "other", src); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Copy of a changed object = %v", err)
	}
	if uploads, err := s.Uploads(ctx, "other"); len(uploads) != 0 || err != nil {
		t.Errorf("a failed Copy leaves uploads %v, %v", uploads, err)
	}
}

// damaging is a transport that turns the first byte of every body over.
type damaging struct{ http.RoundTripper }

func (d damaging) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req = req.Clone(req.Context())
		req.Body = &damaged{ReadCloser: req.Body}
	}
	return d.RoundTripper.RoundTrip(req)
}

type damaged struct {
	io.ReadCloser
	done bool
}

func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if n > 0 && !d.done {
		d.done = true
		p[0] ^= 1
	}
	return n, err
}

func TestDamageIsNoticed(t *testing.T) {
	e := spdtest.MinIO(t)
	good := newClient(t, e, nil)
	s := buckets(good)(t)
	id, err := s.Begin(t.Context(), "b", store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []s3.Checksum{s3.CRC32C, s3.MD5, s3.None} {
		bad := newClient(t, e, func(o *s3.Options) {
			o.Checksum = kind
			o.Transport = func(next http.RoundTripper) http.RoundTripper { return damaging{next} }
		}).Bucket("bucket-1")
		_, putErr := bad.Put(t.Context(), "a", strings.NewReader("content"), 7, store.PutOptions{})
		_, partErr := bad.PutPart(t.Context(), "b", id, 1, strings.NewReader("content"), 7)
		noticed := errors.Is(putErr, store.ErrUnavailable) && errors.Is(partErr, store.ErrUnavailable)
		if want := kind != s3.None; noticed != want {
			t.Errorf("checksum %s: Put = %v, PutPart = %v", kind, putErr, partErr)
		}
	}
}

// wronglySummed is a body that was damaged after it was summed up.
type wronglySummed struct{ *strings.Reader }

func (wronglySummed) CRC32C() uint32 { return 1 }

func TestDamageInMemoryIsNoticed(t *testing.T) {
	s := buckets(newClient(t, spdtest.MinIO(t), nil))(t)
	id, err := s.Begin(t.Context(), "b", store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	body := wronglySummed{strings.NewReader("content")}
	if _, err := s.Put(t.Context(), "a", body, 7, store.PutOptions{}); err == nil {
		t.Error("Put took it")
	}
	if _, err := s.PutPart(t.Context(), "b", id, 1, body, 7); err == nil {
		t.Error("PutPart took it")
	}
}

// TestKilledServer kills the server and starts it again, while requests are repeated.
func TestKilledServer(t *testing.T) {
	addr, dir := spdtest.FreeAddr(t), t.TempDir()
	e, p := spdtest.StartMinIO(t, addr, dir)
	c := newClient(t, e, nil)
	plain := buckets(c)(t)
	ctx := t.Context()
	if _, err := plain.Put(ctx, "a", strings.NewReader("before"), 6, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if _, err := plain.Stat(ctx, "a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Stat of a killed server = %v", err)
	} else if strings.Contains(err.Error(), e.SecretKey) {
		t.Errorf("the error tells the secret key: %v", err)
	}
	failed := make(chan struct{}, 100)
	s := retry.Wrap(plain, retry.Options{For: time.Minute, Notify: func(string, time.Duration, error) { failed <- struct{}{} }})
	done := make(chan error, 1)
	go func() {
		_, err := s.Put(ctx, "b", strings.NewReader("after"), 5, store.PutOptions{})
		done <- err
	}()
	<-failed
	<-failed
	spdtest.StartMinIO(t, addr, dir)
	if err := <-done; err != nil {
		t.Errorf("Put over a restart = %v", err)
	}
	var keys []string
	for o, err := range s.List(ctx, "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	if !slices.Equal(keys, []string{"a", "b"}) {
		t.Errorf("after the restart there are %q", keys)
	}
}
