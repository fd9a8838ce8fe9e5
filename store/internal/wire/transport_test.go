package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// trusting is the configuration of a client that trusts the store.
func trusting(s *server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// scriptedTLS is scripted under TLS, with the configuration of a client that trusts it.
func scriptedTLS(t *testing.T, handle func(*peer)) (url string, config *tls.Config) {
	t.Helper()
	certified := serve(t, true, mirror) // for its certificate
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12,
		DynamicRecordSizingDisabled: true, // what is sent at once is one record, up to 16 KiB
	})
	if err != nil {
		t.Fatal(err)
	}
	script(t, l, handle)
	return "https://" + l.Addr().String(), trusting(certified)
}

func TestTLS(t *testing.T) {
	s := serve(t, true, mirror)
	tr := newTransport(t)
	tr.TLS = trusting(s)
	for _, size := range []int{0, 1, 5000, 1 << 20} {
		body := string(content(size))
		resp, got := fetch(t, tr, request(t, "PUT", s.URL, body))
		if resp.StatusCode != http.StatusOK || got[len(got)-size:] != body {
			t.Errorf("%d bytes: got %s with %d bytes, or others", size, resp.Status, len(got))
		}
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// The certificate must be of somebody we trust, and for this host.
func TestTLSRefused(t *testing.T) {
	s := serve(t, true, mirror)
	other := trusting(s)
	other.ServerName = "elsewhere.test"
	unknown, host := new(x509.UnknownAuthorityError), new(x509.HostnameError)
	for name, c := range map[string]struct {
		config *tls.Config
		want   any
	}{
		"unknown CA": {&tls.Config{MinVersion: tls.VersionTLS12}, unknown}, "the default": {nil, unknown}, "wrong host": {other, host},
	} {
		tr := newTransport(t)
		tr.TLS = c.config
		last := tr.countWrites()
		resp, err := tr.RoundTrip(request(t, "GET", s.URL, ""))
		if err == nil {
			t.Errorf("%s: answer %s", name, resp.Status)
			_ = resp.Body.Close() // the test has failed
		} else if !errors.As(err, c.want) {
			t.Errorf("%s: error %v", name, err)
		}
		if !last.Load().closed.Load() {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

// A store that never shakes hands is given up with the request.
func TestTLSHandshakeCancelled(t *testing.T) {
	reached, closed := make(chan struct{}), make(chan struct{})
	url := scripted(t, func(p *peer) {
		_, _ = p.in.Peek(1) // the client's hello
		close(reached)
		p.awaitEnd()
		close(closed)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		<-reached
		cancel(errWhy)
	}()
	resp, err := newTransport(t).RoundTrip(request(t, "GET", "https"+url[len("http"):], "").WithContext(ctx))
	if err == nil {
		_ = resp.Body.Close() // the test has failed
	}
	if !errors.Is(err, errWhy) {
		t.Errorf("error %v, want %v", err, errWhy)
	}
	await(t, "the connection is closed", closed)
}

// Cancelling does not wait for a store that takes nothing more, not even to say goodbye.
func TestTLSCancelStuckUpload(t *testing.T) {
	reached, done := make(chan struct{}), make(chan struct{})
	url, config := scriptedTLS(t, func(p *peer) {
		p.head()
		close(reached)
		<-done
	})
	defer close(done)
	tr := newTransport(t)
	tr.TLS = config
	last := tr.countWrites()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	req := request(t, "PUT", url, "").WithContext(ctx)
	data := make([]byte, 64<<20)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	go func() {
		<-reached
		cancel(errWhy)
	}()
	resp, err := tr.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close() // the test has failed
	}
	if !errors.Is(err, errWhy) {
		t.Errorf("error %v, want %v", err, errWhy)
	}
	if n := last.Load().vain.Load(); n != 0 {
		t.Errorf("%d writes to a connection that is broken", n)
	}
}

// What comes behind an answer is the answer to nothing, even where TLS hides it.
func TestTLSGarbageBehindAnswer(t *testing.T) {
	var opened atomic.Int32
	const size = 12000 // with the garbage, a record
	body := string(content(size))
	url, config := scriptedTLS(t, func(p *peer) {
		opened.Add(1)
		for p.request() != nil {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", size, body)
		}
	})
	tr := newTransport(t)
	tr.TLS = config
	for i := range 3 {
		resp, err := tr.RoundTrip(request(t, "GET", url, ""))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2*size)
		n, err := io.ReadFull(resp.Body, got)
		if string(got[:n]) != body || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("answer %d: %d bytes, or others; %v", i+1, n, err)
		}
		_ = resp.Body.Close() // read to its end
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// An idle connection that the store has closed is replaced, and nobody sees it.
func TestIdleConnectionClosedByStore(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := serve(t, secure, mirror)
		tr := newTransport(t)
		if secure {
			tr.TLS = trusting(s)
		}
		for i := range int32(3) {
			fetch(t, tr, request(t, "GET", s.URL, ""))
			if n := s.opened.Load(); n != i+1 {
				t.Errorf("%d connections after %d requests", n, i+1)
			}
			s.CloseClientConnections()
		}
	}
}

// An idle connection on which the store speaks first is no good.
func TestIdleConnectionWithGarbage(t *testing.T) {
	var opened atomic.Int32
	sent := make(chan struct{}, 1)
	next := make(chan struct{}, 1)
	url := scripted(t, func(p *peer) {
		opened.Add(1)
		for p.request() != nil {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			<-next
			p.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
			sent <- struct{}{}
		}
	})
	tr := newTransport(t)
	for range 3 {
		if resp, body := fetch(t, tr, request(t, "GET", url, "")); body != "ok" {
			t.Errorf("got %s", resp.Status)
		}
		next <- struct{}{}
		<-sent
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// together makes n requests that are all under way at a time.
func together(t *testing.T, tr *Transport, url string, n int) {
	t.Helper()
	bodies := make([]io.ReadCloser, n)
	for i := range bodies {
		resp, err := tr.RoundTrip(request(t, "GET", url, ""))
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = resp.Body
	}
	for _, body := range bodies {
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Error(err)
		}
		_ = body.Close() // read to its end
	}
}

func TestMaxIdle(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	tr.MaxIdle = 2
	together(t, tr, s.URL, 5)
	if n := tr.unused(); n != 2 || s.opened.Load() != 5 {
		t.Errorf("%d of %d connections are kept", n, s.opened.Load())
	}
	until(t, "the others are closed", func() bool { return s.closed.Load() == 3 })
	together(t, tr, s.URL, 2)
	if n := s.opened.Load(); n != 5 {
		t.Errorf("%d connections were opened", n-5)
	}
}

// Connections that nobody has used for long are closed; the others are looked at later.
func TestCloseOld(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	together(t, tr, s.URL, 3)
	age := func(c *conn) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		c.idleSince = c.idleSince.Add(-defaultIdleTimeout)
	}
	pruning := func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.prune != nil
	}
	tr.closeOld()
	if tr.unused() != 3 || !pruning() {
		t.Error("young connections are closed")
	}
	age(tr.idle[0])
	age(tr.idle[2])
	tr.closeOld()
	if tr.unused() != 1 || !pruning() {
		t.Errorf("%d connections are kept; looked at again: %v", tr.unused(), pruning())
	}
	until(t, "two are closed", func() bool { return s.closed.Load() == 2 })
	age(tr.idle[0])
	tr.closeOld()
	if tr.unused() != 0 || pruning() {
		t.Errorf("%d connections are kept; looked at again: %v", tr.unused(), pruning())
	}
	together(t, tr, s.URL, 1)
	if tr.unused() != 1 || !pruning() || s.opened.Load() != 4 {
		t.Errorf("%d connections are kept of %d", tr.unused(), s.opened.Load())
	}
}

// The timer does so by itself.
func TestIdleTimeout(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	tr.IdleTimeout = 10 * time.Millisecond
	together(t, tr, s.URL, 3)
	until(t, "all are closed", func() bool { return tr.unused() == 0 && s.closed.Load() == 3 })
}

// Close closes what is idle at once, and the rest when its answer was read.
func TestClose(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	together(t, tr, s.URL, 2)
	resp, err := tr.RoundTrip(request(t, "GET", s.URL, ""))
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	until(t, "the idle one is closed", func() bool { return s.closed.Load() == 1 })
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	until(t, "the other one is closed", func() bool { return s.closed.Load() == 2 })
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	fetch(t, tr, request(t, "GET", s.URL, ""))
	if tr.unused() != 0 {
		t.Error("a closed Transport keeps a connection")
	}
	tr.Close()
}

// http.Client closes idle connections by their method's name.
func TestCloseIdleConnections(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	together(t, tr, s.URL, 2)
	(&http.Client{Transport: tr}).CloseIdleConnections()
	until(t, "all are closed", func() bool { return s.closed.Load() == 2 })
	together(t, tr, s.URL, 1)
}

// A connection is given back as it was taken, or the next answer's headers would wait for
// half a MiB more.
func TestGivenBackAsItWas(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	fetch(t, tr, request(t, "GET", s.URL, ""))
	c := tr.idle[0]
	tr.idle = nil
	if err := c.wakeAt(gatherSize); err != nil {
		t.Fatal(err)
	}
	c.done(func() bool { return true }, true)
	fetch(t, tr, request(t, "GET", s.URL, ""))
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Connections are not mixed up between stores.
func TestEndpoints(t *testing.T) {
	one, other, secure := serve(t, false, mirror), serve(t, false, mirror), serve(t, true, mirror)
	tr := newTransport(t)
	tr.TLS = trusting(secure)
	for range 3 {
		for _, s := range []*server{one, other, secure} {
			req := request(t, "GET", s.URL, "")
			_, got := fetch(t, tr, req)
			if want := "GET / " + req.URL.Host + " "; got[:len(want)] != want {
				t.Errorf("%s got %.60q", want, got)
			}
			if n := s.opened.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
		}
	}
}

func TestDefaultPorts(t *testing.T) {
	errDial := errors.New("not dialled")
	for url, want := range map[string]string{
		"http://s3.test/a": "s3.test:80", "https://s3.test/a": "s3.test:443", "http://[::1]/a": "[::1]:80",
		"https://[::1]:9000/a": "[::1]:9000", "http://10.0.0.1:9000/a": "10.0.0.1:9000",
	} {
		tr := &Transport{DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			if network != "tcp" || addr != want {
				t.Errorf("%s: dials %s %s", url, network, addr)
			}
			return nil, errDial
		}}
		if resp, err := tr.RoundTrip(request(t, "GET", url, "")); !errors.Is(err, errDial) {
			t.Errorf("%s: error %v", url, err)
			_ = resp.Body.Close() // the test has failed
		}
	}
}

func TestConcurrently(t *testing.T) {
	const clients, requests = 8, 50
	s := serve(t, false, mirror)
	tr := newTransport(t)
	tr.IdleTimeout = time.Millisecond // pruning takes part
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(0, uint64(i)))
			for range requests {
				if err := some(t, tr, s.URL, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

// some makes some request, and ends it in some way.
func some(t *testing.T, tr *Transport, url string, random *rand.Rand) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	data := content(random.IntN(20_000))
	method := []string{"GET", "PUT"}[random.IntN(2)]
	req, err := http.NewRequestWithContext(ctx, method, url+[]string{"/", "/chunked", "/close"}[random.IntN(3)], bytes.NewReader(data))
	if err != nil {
		return err
	}
	if random.IntN(10) == 0 {
		defer time.AfterFunc(time.Duration(random.IntN(1000))*time.Microsecond, cancel).Stop()
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return unless(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it may be broken
	if random.IntN(10) == 0 {
		return nil
	}
	got, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.HasSuffix(got, data) {
		err = fmt.Errorf("%s %s: %d bytes, which do not end in the %d sent", method, req.URL.Path, len(got), len(data))
	}
	return unless(ctx, err)
}

// unless returns err, but if it is the end of ctx.
func unless(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}
