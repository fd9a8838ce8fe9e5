package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// lent is a body that counts how often it has been lent.
type lent struct {
	*bytes.Reader
	times   int
	refused bool
}

func (l *lent) Lend() bool {
	l.times++
	return !l.refused
}

func (l *lent) Close() error { return nil }

func put(t *testing.T, url string, body io.ReadCloser, size int) *http.Request {
	t.Helper()
	req := request(t, "PUT", url, "")
	req.Body, req.ContentLength = body, int64(size)
	return req
}

// Bodies arrive as they are, lent or not.
func TestLentBodies(t *testing.T) {
	var got []byte
	store := func(_ http.ResponseWriter, r *http.Request) { got, _ = io.ReadAll(r.Body) }
	plain, secure := serve(t, false, store), serve(t, true, store)
	for _, c := range []struct {
		name    string
		server  *server
		size    int
		refused bool
		asked   int
	}{
		{"small", plain, lendWorth - 1, false, 0},
		{"large", plain, lendWorth, false, 1},
		{"larger by a byte", plain, lendWorth + 1, false, 1},
		{"many pages, the last one in part", plain, 9<<20 + 12345, false, 1},
		{"refused", plain, 2 << 20, true, 1},
		{"under TLS", secure, 2 << 20, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTransport(t)
			if c.server == secure {
				tr.TLS = trusting(secure)
			}
			data := content(c.size + 1)[1:] // not where a page begins
			body := &lent{Reader: bytes.NewReader(data), refused: c.refused}
			fetch(t, tr, put(t, c.server.URL, body, c.size))
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes arrived, or others", len(got))
			}
			if body.times != c.asked {
				t.Errorf("lent %d times, want %d", body.times, c.asked)
			}
		})
	}
}

// Where the system forbids one of the calls, as with seccomp(2), bodies are copied: every byte
// arrives once. The pipe is used no more, whatever it holds.
func TestLendingIsForbidden(t *testing.T) {
	const forbidden = -1
	for _, c := range []struct {
		name        string
		read, write bool
	}{
		{"neither", true, true},
		{"vmsplice", true, false},
		{"splice", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan []byte, 1)
			url := scripted(t, func(p *peer) {
				all, _ := io.ReadAll(p.in) // up to the connection's end
				got <- all
			})
			raw, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			l, ok := newConn(nil, endpoint{}, raw, raw).lend(&lent{}, lendWorth)
			if !ok {
				t.Fatal("not lent")
			}
			read, write := l.read, l.write
			if !c.read {
				l.read = forbidden
			}
			if !c.write {
				l.write = forbidden
			}
			data := content(3 * lendWorth)
			for piece := range slices.Chunk(data, lendWorth) {
				if n, err := l.Write(piece); n != len(piece) || err != nil {
					t.Errorf("%d bytes written, %v", n, err)
				}
			}
			l.read, l.write = read, write
			l.close()
			l.cut()
			if !bytes.Equal(<-got, data) {
				t.Error("other bytes arrived")
			}
		})
	}
}

// A body that is lent can be cancelled on its way, and leaves no file open.
func TestLentBodyIsCancelled(t *testing.T) {
	const size = 64 << 20 // more than sockets hold
	begun, ended := make(chan struct{}), make(chan struct{})
	url := scripted(t, func(p *peer) {
		p.head()
		close(begun)
		<-ended
	})
	defer close(ended)
	tr := newTransport(t)
	before := openFiles(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client has gone")
	go func() {
		<-begun
		cancel(gone)
	}()
	req := put(t, url, &lent{Reader: bytes.NewReader(content(size))}, size)
	if _, err := tr.RoundTrip(req.WithContext(ctx)); !errors.Is(err, gone) {
		t.Errorf("cancelled: %v", err)
	}
	if after := openFiles(t); after > before+1 { // the store's end of the connection
		t.Errorf("%d files are open, %d were", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
