package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/s3"
)

// script is a transport that answers itself.
type script func(*http.Request) (*http.Response, error)

func (s script) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }() // as a transport must
	}
	return s(req)
}

// scripted returns a store whose requests go to a script.
func scripted(t testing.TB, s script) store.Store {
	t.Helper()
	e := spdtest.Endpoint{URL: "http://s3.test:9000", AccessKey: "access", SecretKey: "very-secret-key"}
	return newClient(t, e, func(o *s3.Options) {
		o.Transport = func(http.RoundTripper) http.RoundTripper { return s }
	}).Bucket("bucket")
}

// answer makes a response; header has pairs of names and values.
func answer(status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func errorBody(code string) string {
	return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>what happened</Message></Error>"
}

// requests are all methods of a Store but List, as functions of the error alone.
func requests(ctx context.Context, s store.Store) map[string]func() error {
	o := store.Object{Key: "a", Size: 10, ETag: "etag"}
	return map[string]func() error{
		"Ping":     func() error { return s.Ping(ctx) },
		"Stat":     func() error { _, err := s.Stat(ctx, "a"); return err },
		"Digests":  func() error { _, err := s.Digests(ctx, "a"); return err },
		"Open":     func() error { _, _, err := s.Open(ctx, "a", 0, -1, ""); return err },
		"Put":      func() error { _, err := s.Put(ctx, "a", strings.NewReader("x"), 1, store.PutOptions{}); return err },
		"Copy":     func() error { _, err := s.Copy(ctx, "b", o); return err },
		"Delete":   func() error { return s.Delete(ctx, "a") },
		"Begin":    func() error { _, err := s.Begin(ctx, "a", store.PutOptions{}); return err },
		"PutPart":  func() error { _, err := s.PutPart(ctx, "a", "id", 1, strings.NewReader("x"), 1); return err },
		"CopyPart": func() error { _, err := s.CopyPart(ctx, "a", "id", 1, o, 0, 10); return err },
		"Parts":    func() error { _, err := s.Parts(ctx, "a", "id"); return err },
		"Complete": func() error { _, err := s.Complete(ctx, "a", "id", []store.Part{{Number: 1, ETag: "e"}}); return err },
		"Abort":    func() error { return s.Abort(ctx, "a", "id") },
		"Uploads":  func() error { _, err := s.Uploads(ctx, "a"); return err },
		"List": func() error {
			for _, err := range s.List(ctx, "", store.ListOptions{}) {
				return err
			}
			return nil
		},
	}
}

func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error // nil means an error that is none of the sentinels
	}{
		{404, "NoSuchKey", store.ErrNotExist},
		{404, "NoSuchUpload", store.ErrNotExist},
		{404, "NoSuchBucket", store.ErrNoBucket},
		{409, "ObjectParentIsFile", store.ErrExist},
		{409, "ExistingObjectIsDirectory", store.ErrExist},
		{400, "EntityTooLarge", store.ErrTooLarge},
		{507, "XMinioStorageFull", store.ErrFull},
		{507, "InsufficientStorage", store.ErrFull},
		{403, "QuotaExceeded", store.ErrFull},
		{400, "XMinioAdminBucketQuotaExceeded", store.ErrFull},
		{400, "KeyTooLongError", store.ErrBadName},
		{400, "XMinioInvalidObjectName", store.ErrBadName},
		{403, "AccessDenied", store.ErrDenied},
		{403, "InvalidAccessKeyId", store.ErrDenied},
		{403, "SignatureDoesNotMatch", store.ErrDenied},
		{503, "SlowDown", store.ErrUnavailable},
		{503, "SlowDownWrite", store.ErrUnavailable},
		{429, "TooManyRequests", store.ErrUnavailable},
		{500, "InternalError", store.ErrUnavailable},
		{502, "Whatever", store.ErrUnavailable},
		{400, "RequestTimeout", store.ErrUnavailable},
		{400, "BadDigest", store.ErrUnavailable},
		{412, "PreconditionFailed", store.ErrChanged},
		{400, "InvalidPart", store.ErrPartLost},
		{400, "InvalidPartOrder", store.ErrPartLost},
		{400, "EntityTooSmall", nil},
		{400, "InvalidRequest", nil},
		{501, "NotImplemented", nil},
	} {
		s := scripted(t, func(*http.Request) (*http.Response, error) { return answer(c.status, errorBody(c.code)), nil })
		err := requests(t.Context(), s)["PutPart"]()
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%d %s: error is %v, want %v", c.status, c.code, err, c.want)
		}
		if c.want == nil && (errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotExist)) {
			t.Errorf("%d %s: error is %v, want none of the sentinels", c.status, c.code, err)
		}
	}
}

func TestNotFoundWithoutBody(t *testing.T) {
	s := scripted(t, func(*http.Request) (*http.Response, error) { return answer(http.StatusNotFound, ""), nil })
	all := requests(t.Context(), s)
	for method, want := range map[string]error{
		"Stat": store.ErrNotExist, "Open": store.ErrNotExist, "Ping": store.ErrNoBucket, "List": store.ErrNoBucket,
		"Delete": nil, "Abort": nil,
	} {
		if err := all[method](); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s = %v, want %v", method, err, want)
		}
	}
}

// TestAway fails all requests alike.
func TestAway(t *testing.T) {
	for what, s := range map[string]script{
		"connection refused": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		"connection lost":    func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"overloaded": func(*http.Request) (*http.Response, error) {
			return answer(http.StatusServiceUnavailable, errorBody("SlowDown")), nil
		},
		"a proxy's page": func(*http.Request) (*http.Response, error) {
			return answer(http.StatusBadGateway, "<html>Bad gateway</html>"), nil
		},
		"gibberish": func(req *http.Request) (*http.Response, error) { return answer(http.StatusOK, "%%%"), nil },
	} {
		all := requests(t.Context(), scripted(t, s))
		if what == "gibberish" { // these expect nothing of the body
			maps.DeleteFunc(all, func(m string, _ func() error) bool {
				return m == "Put" || m == "PutPart" || m == "Ping" || m == "Delete" || m == "Abort"
			})
		}
		for method, call := range all {
			err := call()
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: %s = %v, want ErrUnavailable", what, method, err)
			}
			if err != nil && strings.Contains(err.Error(), "very-secret-key") {
				t.Errorf("%s: %s tells the secret key: %v", what, method, err)
			}
		}
	}
}

// TestErrorAfterOK: copies and completions may fail after a status of 200 was sent.
func TestErrorAfterOK(t *testing.T) {
	for code, want := range map[string]error{
		"InternalError": store.ErrUnavailable, "SlowDown": store.ErrUnavailable, "NoSuchKey": store.ErrNotExist,
		"NoSuchUpload": store.ErrNotExist, "InvalidPart": store.ErrPartLost,
	} {
		s := scripted(t, func(*http.Request) (*http.Response, error) { return answer(http.StatusOK, errorBody(code)), nil })
		all := requests(t.Context(), s)
		for _, method := range []string{"Copy", "Complete"} {
			if err := all[method](); !errors.Is(err, want) {
				t.Errorf("%s with %s after 200 = %v, want %v", method, code, err, want)
			}
		}
		if err := all["CopyPart"](); !errors.Is(err, store.ErrUnavailable) { // its kind is lost in minio-go
			t.Errorf("CopyPart with %s after 200 = %v, want ErrUnavailable", code, err)
		}
	}
}

// TestHangs: a store that never answers.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		for method, call := range requests(t.Context(), scripted(t, hang)) {
			start := time.Now()
			err := call()
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.Canceled) {
				t.Errorf("%s = %v, want ErrUnavailable", method, err)
			}
			if took := time.Since(start); took < 15*time.Second || took > 17*time.Second {
				t.Errorf("%s took %v", method, took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for method, call := range requests(ctx, scripted(t, hang)) {
			if err := call(); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s with a deadline = %v", method, err)
			}
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		for method, call := range requests(ctx, scripted(t, hang)) {
			if err := call(); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, cancelled = %v", method, err)
			}
		}
	})
}

// slow is a body that gives a byte after each pause, until left is 0; then it hangs, or ends.
type slow struct {
	ctx   context.Context
	pause time.Duration
	left  int
	hangs bool
}

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 && !s.hangs {
		return 0, io.EOF
	}
	pause := s.pause
	if s.left == 0 {
		pause = 24 * time.Hour
	}
	select {
	case <-time.After(pause):
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
	p[0] = 'x'
	s.left--
	return 1, nil
}

func (s *slow) Close() error { return nil }

// object is an answer to GetObject whose body is slow.
func object(s *slow, promised int) script {
	return func(req *http.Request) (*http.Response, error) {
		resp := answer(http.StatusOK, "", "ETag", `"etag"`, "Last-Modified", "Fri, 01 Jan 2027 00:00:00 GMT",
			"Content-Length", fmt.Sprint(promised))
		s.ctx = req.Context()
		resp.Body, resp.ContentLength = s, int64(promised)
		return resp, nil
	}
}

func TestSlowBody(t *testing.T) {
	for what, c := range map[string]struct {
		body *slow
		read int
		want error
	}{
		"slow but steady":   {&slow{pause: 10 * time.Second, left: 100}, 100, nil},
		"stands still":      {&slow{pause: time.Second, left: 50, hangs: true}, 50, store.ErrUnavailable},
		"ends too early":    {&slow{left: 99}, 99, io.ErrUnexpectedEOF},
		"never even begins": {&slow{hangs: true}, 0, store.ErrUnavailable},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, object(c.body, 100))
			body, o, err := s.Open(t.Context(), "a", 0, -1, "")
			if err != nil || o.Size != 100 {
				t.Fatalf("%s: Open = %+v, %v", what, o, err)
			}
			if _, err := store.SpliceInto(body, -1, 1); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: SpliceInto = %v", what, err)
			}
			time.Sleep(time.Hour) // the reader's pauses do not count
			n, err := body.Read(make([]byte, 1))
			if err == nil {
				time.Sleep(time.Hour)
				var more []byte
				more, err = io.ReadAll(body)
				n += len(more)
			}
			if n != c.read || !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s: read %d bytes, %v; want %d, %v", what, n, err, c.read, c.want)
			}
			if c.want != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: %v is not ErrUnavailable", what, err)
			}
			if err := body.Close(); err != nil {
				t.Errorf("%s: Close = %v", what, err)
			}
		})
	}
}

// TestSlowUpload: a server that takes a large body slowly, and one that stops taking it.
func TestSlowUpload(t *testing.T) {
	for what, c := range map[string]struct {
		stopAfter int // reads; 0 means never
		want      error
	}{
		"slow but steady": {0, nil},
		"stops":           {3, store.ErrUnavailable},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scripted(t, func(req *http.Request) (*http.Response, error) {
				buf := make([]byte, 1<<10)
				for i := 1; ; i++ {
					select {
					case <-time.After(10 * time.Second):
					case <-req.Context().Done():
						return nil, req.Context().Err()
					}
					if i == c.stopAfter {
						<-req.Context().Done()
						return nil, req.Context().Err()
					}
					if _, err := req.Body.Read(buf); err != nil {
						return answer(http.StatusOK, "", "ETag", `"etag"`), nil
					}
				}
			})
			_, err := s.Put(t.Context(), "a", strings.NewReader(strings.Repeat("x", 20<<10)), 20<<10, store.PutOptions{})
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s: Put = %v, want %v", what, err, c.want)
			}
		})
	}
}

// TestRangeIgnored: a store that sends the whole object when asked for a part of it.
func TestRangeIgnored(t *testing.T) {
	s := scripted(t, func(*http.Request) (*http.Response, error) {
		return answer(http.StatusOK, "0123456789", "ETag", `"etag"`, "Last-Modified", "Fri, 01 Jan 2027 00:00:00 GMT",
			"Content-Length", "10"), nil
	})
	if _, _, err := s.Open(t.Context(), "a", 3, 4, ""); err == nil {
		t.Error("Open takes the beginning for the middle")
	}
	body, o, err := s.Open(t.Context(), "a", 0, 4, "")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if string(data) != "0123" || err != nil || o.Size != 10 {
		t.Errorf("read %q, %v of %+v", data, err, o)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadOptions(t *testing.T) {
	good := s3.Options{Endpoint: "https://s3.test", AccessKey: "a", SecretKey: "very-secret-key"}
	for what, change := range map[string]func(*s3.Options){
		"no endpoint": func(o *s3.Options) { o.Endpoint = "" },
		"no scheme":   func(o *s3.Options) { o.Endpoint = "s3.test:9000" },
		"bad scheme":  func(o *s3.Options) { o.Endpoint = "ftp://s3.test" },
		"path":        func(o *s3.Options) { o.Endpoint = "http://s3.test/path" },
		"no key":      func(o *s3.Options) { o.AccessKey = "" },
		"no secret":   func(o *s3.Options) { o.SecretKey = "" },
		"checksum":    func(o *s3.Options) { o.Checksum = "sha0" },
	} {
		o := good
		change(&o)
		if _, err := s3.New(o); err == nil || strings.Contains(err.Error(), "very-secret-key") {
			t.Errorf("%s: New = %v", what, err)
		}
	}
	if c, err := s3.New(good); err != nil {
		t.Error(err)
	} else {
		if err := c.Bucket("No Such/Bucket").Ping(t.Context()); !errors.Is(err, store.ErrNoBucket) {
			t.Errorf("Ping of an impossible bucket = %v", err)
		}
		c.Close()
	}
}
