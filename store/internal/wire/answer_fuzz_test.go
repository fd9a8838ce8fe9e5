package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// readable tells what net/http makes of an answer to a GET: whether it is whole, and what it
// leaves over. An answer that is whole at the connection's end only is not.
func readable(answer []byte) (resp *http.Response, body, over []byte, whole bool) {
	from := bytes.NewReader(answer)
	in := bufio.NewReader(from)
	req, _ := http.NewRequest(http.MethodGet, "/", nil)
	for resp == nil || resp.StatusCode < http.StatusOK {
		var err error
		if resp, err = http.ReadResponse(in, req); err != nil || resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, nil, nil, false
		}
	}
	untilEnd := resp.Body != http.NoBody && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	body, err := io.ReadAll(resp.Body)
	over, _ = io.ReadAll(in)
	return resp, body, over, err == nil && !untilEnd
}

// FuzzAnswer lets a store say anything. Whatever it is, we understand what net/http does, do
// not wait for more than is to come, and never take what is over for the next answer.
func FuzzAnswer(f *testing.F) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, answer := range []string{
		"", ok, ok + ok, ok + "x", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2;a=b\r\nok\r\n0\r\nX: 1\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n5\r\nok",
		"HTTP/1.1 200 OK\r\n\r\nok", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 304 Not Modified\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 000 \r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + string(content(5000)),
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + string(content(5001)),
	} {
		f.Add([]byte(answer), false)
		f.Add([]byte(answer), true)
	}
	store := &fuzzStore{}
	url := scripted(f, store.handle)
	f.Fuzz(func(t *testing.T, answer []byte, splice bool) {
		if len(answer) <= 8<<10 { // more may not come in one piece
			store.fuzz(t, url, answer, splice)
		}
	})
}

// fuzzStore gives each connection's first request the answer, and all others a good one.
type fuzzStore struct {
	answer atomic.Pointer[[]byte]
	hangUp atomic.Bool // behind the answer
	first  atomic.Bool // the next connection is the first
}

const next = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"

func (s *fuzzStore) handle(p *peer) {
	if s.first.Swap(false) && p.request() != nil {
		_, _ = p.Write(*s.answer.Load())
		if s.hangUp.Load() {
			_ = p.Conn.(*net.TCPConn).CloseWrite() // the client ends it
			p.awaitEnd()
			return
		}
	}
	for p.request() != nil {
		p.send(next)
	}
}

func (s *fuzzStore) fuzz(t *testing.T, url string, answer []byte, splice bool) {
	want, wantBody, over, whole := readable(answer)
	s.answer.Store(&answer)
	s.hangUp.Store(!whole) // else there would be a reason to wait
	s.first.Store(true)
	tr := newTransport(t)
	tr.DialContext = dialBriefly
	resp, err := tr.RoundTrip(request(t, "GET", url, ""))
	switch {
	case err != nil && want != nil:
		t.Fatalf("%v, want %s", err, want.Status)
	case err == nil && want == nil:
		t.Fatalf("%s, want an error", resp.Status)
	case err == nil:
		body, err := readFuzzed(t, resp.Body, splice)
		if !bytes.Equal(body, wantBody) || whole && err != nil {
			t.Errorf("body %.100q, %v; want %.100q", body, err, wantBody)
		}
		_ = resp.Body.Close() // it may be broken
	}
	kept := tr.unused() == 1
	if kept && !whole {
		t.Error("a broken connection is kept")
	}
	if kept && len(over) > 0 && tr.idle[0].usable() {
		t.Errorf("a connection is used again that has %q over", over)
	}
	if _, body := fetch(t, tr, request(t, "GET", url, "")); body != "next" {
		t.Errorf("the next answer is %q", body)
	}
}

// dialBriefly makes connections that the kernel forgets once they are closed, and not a minute
// later: it would be full of them.
func dialBriefly(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetLinger(0)
}

func readFuzzed(t *testing.T, body io.Reader, splice bool) ([]byte, error) {
	if !splice {
		return io.ReadAll(body)
	}
	got, err := newPipe(t).all(body)
	if !errors.Is(err, errors.ErrUnsupported) {
		return got, err
	}
	rest, err := io.ReadAll(body)
	return append(got, rest...), err
}
