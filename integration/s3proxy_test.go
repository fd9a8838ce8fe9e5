package integration

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// s3Proxy stands between nodes and MinIO, and fails as tests say.
type s3Proxy struct {
	URL string

	pass *httputil.ReverseProxy
	done chan struct{} // closed at the end of the test

	mu     sync.Mutex
	faults []*fault
	begun  []string // keys of uploads that were to begin
}

// fault is what goes wrong with requests of one operation on keys below a directory.
type fault struct {
	op   string // as S3 names it; "" any
	dir  string
	left int // how many requests are still to fail; negative: all
	hit  int // how many have failed
	do   func(*s3Proxy, http.ResponseWriter, *http.Request)
}

func newS3Proxy(t *testing.T) *s3Proxy {
	t.Helper()
	target, err := url.Parse(servers.S3.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &s3Proxy{done: make(chan struct{})}
	p.pass = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host // which is signed
		},
		Transport:    &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(p)
	p.URL = server.URL
	t.Cleanup(func() {
		close(p.done)
		server.CloseClientConnections()
		server.Close()
	})
	return p
}

// fail makes the next n requests of an operation fail; all if n is negative.
func (p *s3Proxy) fail(op, dir string, n int, do func(*s3Proxy, http.ResponseWriter, *http.Request)) *fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &fault{op: op, dir: dir, left: n, do: do}
	p.faults = append(p.faults, f)
	return f
}

// heal ends a fault.
func (p *s3Proxy) heal(f *fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.left = 0
}

// hits is how many requests a fault has hit.
func (p *s3Proxy) hits(f *fault) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f.hit
}

// begins is how often an upload was to begin below a directory. All but the last are
// requests that were repeated, and may have worked unheard.
func (p *s3Proxy) begins(dir string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, key := range p.begun {
		if strings.Contains(key, "/"+dir+"/") {
			n++
		}
	}
	return n
}

// ServeHTTP implements http.Handler.
func (p *s3Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := p.find(r); f != nil {
		f.do(p, w, r)
		return
	}
	p.pass.ServeHTTP(w, r)
}

func (p *s3Proxy) find(r *http.Request) *fault {
	op, key := s3Operation(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if op == "CreateMultipartUpload" {
		p.begun = append(p.begun, key)
	}
	for _, f := range p.faults {
		if f.left != 0 && (f.op == "" || f.op == op) && strings.Contains(key, "/"+f.dir+"/") {
			f.left--
			f.hit++
			return f
		}
	}
	return nil
}

// s3Operation tells what a request is, and to which key or prefix.
func s3Operation(r *http.Request) (op, key string) {
	query := r.URL.Query()
	_, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/") // behind the bucket
	switch upload := query.Has("uploadId"); r.Method {
	case http.MethodHead:
		return "HeadObject", key
	case http.MethodDelete:
		if upload {
			return "AbortMultipartUpload", key
		}
		return "DeleteObject", key
	case http.MethodPost:
		if upload {
			return "CompleteMultipartUpload", key
		}
		return "CreateMultipartUpload", key
	case http.MethodPut:
		if upload {
			return "UploadPart", key
		}
		return "PutObject", key
	default:
		switch {
		case upload:
			return "ListParts", key
		case query.Has("list-type"):
			return "ListObjects", query.Get("prefix")
		}
		return "GetObject", key
	}
}

// The ways to fail.

// busy answers that the store has too much to do.
func busy(_ *s3Proxy, w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // as real stores do
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>")
}

// cut closes the connection without an answer, and without doing anything.
func cut(*s3Proxy, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// lose does what was asked for, and closes the connection in place of an answer.
func lose(p *s3Proxy, _ http.ResponseWriter, r *http.Request) {
	p.pass.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// hang never answers.
func hang(p *s3Proxy, _ http.ResponseWriter, r *http.Request) {
	select {
	case <-p.done:
	case <-r.Context().Done(): // not before the body is read, if there is one
	}
	panic(http.ErrAbortHandler)
}

// hangUnheard does what was asked for, and never answers.
func hangUnheard(p *s3Proxy, w http.ResponseWriter, r *http.Request) {
	p.pass.ServeHTTP(httptest.NewRecorder(), r)
	hang(p, w, r)
}

// slow takes its time, but everything moves.
func slow(p *s3Proxy, w http.ResponseWriter, r *http.Request) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{slowReader{r.Context(), r.Body}, r.Body}
	p.pass.ServeHTTP(slowAnswer{w, r.Context()}, r)
}

// slowRate is so slow, in bytes a second, that a download takes longer than a request may
// stand still. A part's last megabytes are out of the node's sight, in the sockets, and so
// must be taken within that time.
const slowRate = 4 << 20

// slowChunk is what moves at a time, in bytes.
const slowChunk = 32 << 10

func pause(ctx context.Context, n int) {
	select {
	case <-time.After(time.Duration(n) * time.Second / slowRate):
	case <-ctx.Done():
	}
}

type slowReader struct {
	ctx context.Context
	r   io.Reader
}

func (s slowReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), slowChunk)])
	pause(s.ctx, n)
	return n, err
}

type slowAnswer struct {
	http.ResponseWriter
	ctx context.Context
}

func (s slowAnswer) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n, err := s.ResponseWriter.Write(p[:min(len(p), slowChunk)])
		total += n
		if err != nil {
			return total, err
		}
		s.ResponseWriter.(http.Flusher).Flush()
		p = p[n:]
		pause(s.ctx, n)
	}
	return total, nil
}

// inBody lets the head of an answer and some bytes of its body pass, and then does
// something else.
func inBody(after int, then func(*s3Proxy, http.ResponseWriter, *http.Request)) func(*s3Proxy, http.ResponseWriter, *http.Request) {
	return func(p *s3Proxy, w http.ResponseWriter, r *http.Request) {
		p.pass.ServeHTTP(&shortAnswer{w, after, func() { then(p, w, r) }}, r)
	}
}

type shortAnswer struct {
	http.ResponseWriter
	left int
	then func()
}

func (s *shortAnswer) Write(p []byte) (int, error) {
	n, err := s.ResponseWriter.Write(p[:min(len(p), s.left)])
	s.left -= n
	if s.left == 0 && err == nil {
		s.ResponseWriter.(http.Flusher).Flush()
		s.then()
	}
	return n, err
}

// behindS3Proxy starts a node whose requests to the store pass a proxy.
func behindS3Proxy(t *testing.T, config map[string]string) (*spdtest.SPD, *s3Proxy) {
	t.Helper()
	proxy := newS3Proxy(t)
	config["s3.endpoint"], config["transfer.part_size"], config["transfer.parts_in_flight"] = proxy.URL, "5MiB", "2"
	return start(t, spdtest.Options{Config: config}), proxy
}
