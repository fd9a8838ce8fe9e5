package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take; it never takes that long.
const patience = 10 * time.Second

func newTransport(t testing.TB) *Transport {
	t.Helper()
	tr := &Transport{DialContext: (&net.Dialer{Timeout: patience}).DialContext}
	t.Cleanup(tr.Close)
	return tr
}

// server is a store that counts its connections.
type server struct {
	*httptest.Server
	opened, closed atomic.Int32
}

// serve starts a store; under TLS if secure.
func serve(t testing.TB, secure bool, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{Server: httptest.NewUnstartedServer(handler)}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that break are what we test
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.opened.Add(1)
		case http.StateClosed:
			s.closed.Add(1)
		}
	}
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// peer is the store's side of a connection, which a test plays itself.
type peer struct {
	net.Conn
	in *bufio.Reader
}

// scripted is a store that leaves each connection to handle, in a goroutine of its own, and
// closes it behind.
func scripted(t testing.TB, handle func(*peer)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	script(t, l, handle)
	return "http://" + l.Addr().String()
}

func script(t testing.TB, l net.Listener, handle func(*peer)) {
	var running sync.WaitGroup
	var mu sync.Mutex
	conns := make(map[net.Conn]bool)
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience)) // the test fails earlier
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			running.Go(func() {
				handle(&peer{conn, bufio.NewReader(conn)})
				mu.Lock()
				delete(conns, conn)
				mu.Unlock()
				_ = conn.Close() // the handler may have closed it
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // ends Accept
		mu.Lock()
		for conn := range conns {
			_ = conn.Close() // ends its handler
		}
		mu.Unlock()
		running.Wait()
	})
}

// head reads a request's headers; nil if the connection has ended.
func (p *peer) head() *http.Request {
	req, err := http.ReadRequest(p.in)
	if err != nil {
		return nil
	}
	return req
}

// request reads a request with its body, and throws the body away.
func (p *peer) request() *http.Request {
	req := p.head()
	if req == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil
	}
	return req
}

// send sends text; a connection that has ended is noticed by who reads it.
func (p *peer) send(format string, args ...any) { _, _ = fmt.Fprintf(p, format, args...) }

// awaitEnd reads until the other side has closed the connection.
func (p *peer) awaitEnd() { _, _ = io.Copy(io.Discard, p.in) }

// request makes a request whose context ends, at the latest, after a while.
func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, from)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// fetch makes a request and reads the answer.
func fetch(t testing.TB, rt http.RoundTripper, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return resp, string(data)
}

// idle is how many connections wait for a request.
func (t *Transport) unused() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.idle)
}

// content is size bytes, always the same.
func content(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// await waits for a channel.
func await(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// pipe is what bodies are spliced into.
type pipe struct {
	t     testing.TB
	r, w  int
	piece int // bytes asked for at a time
}

func newPipe(t testing.TB) *pipe {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, 1<<20) // a smaller one works too
	return &pipe{t: t, r: fds[0], w: fds[1], piece: 1 << 20}
}

// take splices once, and returns what is in the pipe then.
func (p *pipe) take(body io.Reader) ([]byte, error) {
	p.t.Helper()
	n, err := store.SpliceInto(body, p.w, p.piece)
	if n < 0 || n > p.piece {
		p.t.Fatalf("SpliceInto tells of %d bytes", n)
	}
	got := make([]byte, n+1)
	read, _ := unix.Read(p.r, got)
	if max(read, 0) != n {
		p.t.Fatalf("SpliceInto tells of %d bytes (%v), and %d are in the pipe", n, err, read)
	}
	return got[:n], err
}

// all splices a body to its end.
func (p *pipe) all(body io.Reader) ([]byte, error) {
	p.t.Helper()
	var all bytes.Buffer
	for {
		got, err := p.take(body)
		all.Write(got)
		switch {
		case err == io.EOF:
			return all.Bytes(), nil
		case err != nil:
			return all.Bytes(), err
		case len(got) == 0:
			p.t.Fatal("SpliceInto does nothing")
		}
	}
}
