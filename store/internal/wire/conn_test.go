package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// mirror answers with what it was asked, in many ways.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var told strings.Builder
	fmt.Fprintf(&told, "%s %s %s %d %v\n", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&told, "%s: %q\n", name, r.Header[name])
	}
	told.Write(body)
	w.Header()["Date"] = nil
	switch r.URL.Path {
	case "/nothing":
		return
	case "/204", "/304":
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		return
	case "/500":
		w.WriteHeader(http.StatusInternalServerError)
	case "/hints":
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
	case "/chunked":
		for piece := range slices.Chunk([]byte(told.String()), 1000) {
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
		}
		return
	case "/trailer":
		w.Header().Set("Trailer", "X-Sum")
		defer w.Header().Set("X-Sum", "1")
	case "/close":
		w.Header().Set("Connection", "close")
	}
	_, _ = io.WriteString(w, told.String())
}

// answerOf is all that a caller can see of an answer.
func answerOf(t *testing.T, rt http.RoundTripper, req *http.Request) string {
	t.Helper()
	req.Header.Set("User-Agent", "test")
	req.Header.Set("X-Amz-Odd", "a  b\tü")
	req.Header["X-Twice"] = []string{"1", "2"}
	resp, body := fetch(t, rt, req)
	var told strings.Builder
	fmt.Fprintf(&told, "%s %s %d %v %v\n", resp.Proto, resp.Status, resp.ContentLength, resp.TransferEncoding, resp.Close)
	_ = resp.Header.Write(&told) // never fails
	fmt.Fprintf(&told, "trailer %v\n%s", resp.Trailer, body)
	if resp.Request != req {
		t.Error("the answer does not know its request")
	}
	return told.String()
}

// Requests arrive, and answers are understood, as if by net/http.
func TestLikeNetHTTP(t *testing.T) {
	s := serve(t, false, mirror)
	ours, theirs := newTransport(t), &http.Transport{DisableCompression: true}
	defer theirs.CloseIdleConnections()
	closes := int32(0)
	for _, path := range []string{"/", "/500", "/nothing", "/204", "/304", "/hints", "/chunked", "/trailer", "/close", "/a%20b/%C3%BC%2F?x=1&y=%26"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
			for _, size := range []int{0, 1, 3000, 4096, 1 << 20} {
				if size > 0 && (method == "GET" || method == "HEAD") {
					continue
				}
				body := string(content(size))
				before := s.opened.Load()
				got := answerOf(t, ours, request(t, method, s.URL+path, body))
				if s.opened.Load() > before {
					closes++
				}
				if want := answerOf(t, theirs, request(t, method, s.URL+path, body)); got != want {
					t.Errorf("%s %s with %d bytes: got %.300q, want %.300q", method, path, size, got, want)
				}
			}
		}
	}
	if want := int32(1 + 17); closes != want { // a new one behind each answer of "/close"
		t.Errorf("%d connections were opened, want %d", closes, want)
	}
}

// Answers that Go's server does not give, and whether the connection carries another request.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		hangUp       bool // behind the answer
		body         string
		reused       bool
	}{
		{"plain", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, "ok", true},
		{"continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, "ok", true},
		{"unknown length", "HTTP/1.1 200 OK\r\n\r\nall of it", true, "all of it", false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, "ok", false},
		{"HTTP/1.0, keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", false, "ok", false},
		{"HTTP/1.0, unknown length", "HTTP/1.0 200 OK\r\n\r\nok", true, "ok", false},
		{"Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false, "ok", false},
		{"Connection: close, empty", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false, "", false},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, "ok", true},
		{"no chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, "", true},
		{"chunks, close", "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, "ok", false},
		{"too much", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", false, "ok", false},
		{"204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", false, "", false},
		{"too much behind chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nok", false, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var opened atomic.Int32
			url := scripted(t, func(p *peer) {
				opened.Add(1)
				for p.request() != nil {
					p.send("%s", c.answer)
					if c.hangUp {
						return
					}
				}
			})
			tr := newTransport(t)
			for range 2 {
				if _, body := fetch(t, tr, request(t, "GET", url, "")); body != c.body {
					t.Errorf("got %q, want %q", body, c.body)
				}
			}
			if reused := opened.Load() == 1; reused != c.reused {
				t.Errorf("%d connections", opened.Load())
			}
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for name, answer := range map[string]string{
		"nothing":         "",
		"half a line":     "HTTP/1.1 2",
		"half of headers": "HTTP/1.1 200 OK\r\nContent-Le",
		"only continue":   "HTTP/1.1 100 Continue\r\n\r\n",
		"garbage":         "220 this is no HTTP\r\n\r\n",
		"two lengths":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
		"protocol switch": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + good,
		"endless headers": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 5000) + "\r\n",
		"endless hints":   strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1e5) + good,
	} {
		url := scripted(t, func(p *peer) {
			p.request()
			p.send("%s", answer)
		})
		tr := newTransport(t)
		resp, err := tr.RoundTrip(request(t, "GET", url, ""))
		if err == nil {
			t.Errorf("%s: answer %v", name, resp.Status)
			_ = resp.Body.Close() // the test has failed
		}
		if tr.unused() != 0 {
			t.Errorf("%s: the connection is kept", name)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: %v looks like a body's end", name, err)
		}
	}
}

// A store that has seen enough says so and hangs up, while the body is still being sent.
func TestEarlyAnswer(t *testing.T) {
	var opened atomic.Int32
	early := "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied"
	url := scripted(t, func(p *peer) {
		opened.Add(1)
		req := p.head()
		if req == nil {
			return
		}
		switch req.URL.Path {
		case "/continue":
			p.send("HTTP/1.1 100 Continue\r\n\r\n%s", early)
		case "/success":
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		case "/silence":
		default:
			p.send("%s", early)
		}
	})
	tr := newTransport(t)
	data := make([]byte, 64<<20)
	for range 10 { // what is lost depends on who is faster
		for _, path := range []string{"/", "/continue"} {
			req := request(t, "PUT", url+path, "")
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
			if resp, body := fetch(t, tr, req); resp.StatusCode != http.StatusForbidden || body != "denied" {
				t.Errorf("%s: got %s, %q", path, resp.Status, body)
			}
			if tr.unused() != 0 {
				t.Errorf("%s: the connection is kept", path)
			}
		}
		for _, path := range []string{"/success", "/silence"} { // of a body that did not arrive
			req := request(t, "PUT", url+path, "")
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
			if resp, err := tr.RoundTrip(req); err == nil {
				t.Errorf("%s: answer %s", path, resp.Status)
				_ = resp.Body.Close() // the test has failed
			}
		}
	}
	if n := opened.Load(); n != 40 {
		t.Errorf("%d connections for 40 requests", n)
	}
}

// closing tells whether a body was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// writing is a body that writes itself.
type writing struct{ *bytes.Reader }

var errBody = errors.New("the body fails")

// A body that is not what was said is the body's fault. It does not look whole to the store,
// unless one of its pieces ends where all of it should.
func TestWrongBodies(t *testing.T) {
	for name, c := range map[string]struct {
		body io.Reader
		size int64
		want error // nil: any
	}{
		"short":               {strings.NewReader("12345"), 6, nil},
		"long":                {strings.NewReader("12345"), 4, errTooLong},
		"not empty":           {strings.NewReader("12345"), 0, errTooLong},
		"missing":             {nil, 5, nil},
		"short and large":     {bytes.NewReader(content(1e6 - 1)), 1e6, nil},
		"long and large":      {bytes.NewReader(content(1e6 + 1)), 1e6, errTooLong},
		"short, writes":       {writing{bytes.NewReader(content(1e6 - 1))}, 1e6, nil},
		"long, writes":        {writing{bytes.NewReader(content(1e6 + 1))}, 1e6, errTooLong},
		"fails":               {iotest.ErrReader(errBody), 5, errBody},
		"fails in the middle": {io.MultiReader(strings.NewReader("12"), iotest.ErrReader(errBody)), 5, errBody},
		"fails far on":        {io.MultiReader(bytes.NewReader(content(1<<20)), iotest.ErrReader(errBody)), 2 << 20, errBody},
	} {
		t.Run(name, func(t *testing.T) {
			var whole atomic.Bool
			url := scripted(t, func(p *peer) {
				if p.request() != nil {
					whole.Store(true)
					p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			tr := newTransport(t)
			req := request(t, "PUT", url, "")
			body := &closing{Reader: c.body}
			if c.body != nil {
				req.Body = body
			}
			if w, ok := c.body.(writing); ok {
				req.Body = io.NopCloser(w) // keeps its WriteTo
			}
			req.ContentLength = c.size
			resp, err := tr.RoundTrip(req)
			if err == nil {
				t.Fatalf("answer %s", resp.Status)
			}
			if _, ok := errors.AsType[*BodyError](err); !ok || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v is not the body's", err)
			}
			if tr.unused() != 0 || whole.Load() {
				t.Errorf("%d connections are kept; arrived whole: %v", tr.unused(), whole.Load())
			}
			if req.Body == body && !body.closed {
				t.Error("the body is not closed")
			}
		})
	}
}

// RoundTrip closes the request's body, whatever happens.
func TestBodyIsClosed(t *testing.T) {
	s := serve(t, false, func(http.ResponseWriter, *http.Request) {})
	gone := serve(t, false, func(http.ResponseWriter, *http.Request) {})
	gone.Close()
	for name, c := range map[string]struct {
		url  string
		size int64
		ok   bool
	}{
		"sent": {s.URL, 5, true}, "unknown length": {s.URL, -1, false}, "nobody there": {gone.URL, 5, false},
	} {
		body := &closing{Reader: strings.NewReader("12345")}
		req := request(t, "PUT", c.url, "")
		req.Body, req.ContentLength = body, c.size
		resp, err := newTransport(t).RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close() // it is empty
		}
		if !body.closed || (err == nil) != c.ok {
			t.Errorf("%s: closed %v, error %v", name, body.closed, err)
		}
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections for one request that can be made", n)
	}
}

// counted is a connection that counts how often it is written to, and how often in vain: it
// has failed before.
type counted struct {
	net.Conn
	writes, vain   atomic.Int32
	failed, closed atomic.Bool
}

func (c *counted) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	if c.failed.Load() {
		c.vain.Add(1)
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		c.failed.Store(true)
	}
	return n, err
}

// countWrites makes a Transport dial such connections, and returns the last of them.
func (t *Transport) countWrites() *atomic.Pointer[counted] {
	last, dial := new(atomic.Pointer[counted]), t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		last.Store(&counted{Conn: conn})
		return last.Load(), nil
	}
	return last
}

// A packet for each small request; no copies of large bodies.
func TestWrites(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	last := tr.countWrites()
	for _, c := range []struct {
		method       string
		size, writes int32
	}{
		{"GET", 0, 1}, {"HEAD", 0, 1}, {"DELETE", 0, 1}, {"PUT", 0, 1}, {"PUT", 1, 1}, {"PUT", 3500, 1},
		{"PUT", 4096, 2}, {"PUT", 3 << 20, 2},
	} {
		before := int32(0)
		if conn := last.Load(); conn != nil {
			before = conn.writes.Load()
		}
		req := request(t, c.method, s.URL, "")
		if c.size > 0 {
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(content(int(c.size)))), int64(c.size)
		}
		fetch(t, tr, req)
		if got := last.Load().writes.Load() - before; got != c.writes {
			t.Errorf("%s of %d bytes takes %d writes, want %d", c.method, c.size, got, c.writes)
		}
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

var errWhy = errors.New("the test wants it so")

// stuck are stores that stop in the middle; each calls reached once it has.
var stuck = map[string]func(p *peer, reached func()){
	"in the request's body": func(p *peer, reached func()) {
		p.head()
		reached()
	},
	"before the answer": func(p *peer, reached func()) {
		p.request()
		reached()
	},
	"in the headers": func(p *peer, reached func()) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Le")
		reached()
	},
	"before the body": func(p *peer, reached func()) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
		reached()
	},
	"in the body": func(p *peer, reached func()) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n%s", content(3<<20))
		reached()
	},
	"near the body's end": func(p *peer, reached func()) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n%s", content(3e6-1))
		reached()
	},
	"between chunks": func(p *peer, reached func()) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
		reached()
	},
}
