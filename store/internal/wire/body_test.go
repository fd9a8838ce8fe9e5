package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/spdscheme/spdserver/store"
)

// sizes are those around the limits of buffers, pipes and gather.
var sizes = []int{
	0, 1, 4095, 4096, 4097, gatherSize - 1, gatherSize, gatherSize + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 1<<20 + 4096, 3 << 20,
}

// apart are the ways in which a body can come: with the headers, or when they have been read.
var apart = map[string]bool{"with the headers": false, "apart": true}

// sized is a store that answers with the size that the path says. If bodies come apart, it
// waits for next before each.
func sized(t *testing.T, apart bool) (url string, opened *atomic.Int32, next chan struct{}) {
	t.Helper()
	opened, next = new(atomic.Int32), make(chan struct{}, 1)
	url = scripted(t, func(p *peer) {
		opened.Add(1)
		for {
			req := p.request()
			if req == nil {
				return
			}
			var size int
			_, _ = fmt.Sscanf(req.URL.Path, "/%d", &size)
			head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			if apart {
				_, _ = p.Write(head)
				<-next
				head = nil
			}
			_, _ = p.Write(append(head, content(size)...))
		}
	})
	t.Cleanup(func() { close(next) }) // lets a handler end that waits
	return url, opened, next
}

// All bytes come, however they are asked for, and the connection carries the next body.
func TestBodies(t *testing.T) {
	for name, apart := range apart {
		for way, read := range map[string]func(*pipe, io.Reader) ([]byte, error){
			"Read":            func(_ *pipe, body io.Reader) ([]byte, error) { return io.ReadAll(body) },
			"Read much":       func(_ *pipe, body io.Reader) ([]byte, error) { return readMuch(body) },
			"SpliceInto":      (*pipe).all,
			"SpliceInto less": func(p *pipe, body io.Reader) ([]byte, error) { p.piece = 10_000; return p.all(body) },
			"by turns":        (*pipe).byTurns,
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				url, opened, next := sized(t, apart)
				tr := newTransport(t)
				for _, size := range sizes {
					resp, err := tr.RoundTrip(request(t, "GET", fmt.Sprintf("%s/%d", url, size), ""))
					if err != nil {
						t.Fatal(err)
					}
					next <- struct{}{}
					if !apart {
						<-next
					}
					var got []byte
					if resp.Body != http.NoBody {
						got, err = read(newPipe(t), resp.Body)
					}
					if err != nil || !bytes.Equal(got, content(size)) {
						t.Errorf("%d bytes: got %d, or others; %v", size, len(got), err)
					}
					if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("%d bytes: then %d more, %v", size, n, err)
					}
					if err := resp.Body.Close(); err != nil {
						t.Error(err)
					}
				}
				if n := opened.Load(); n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
}

// readMuch reads past the bufio.Reader.
func readMuch(body io.Reader) ([]byte, error) {
	var all bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&all}, body, make([]byte, 256<<10))
	return all.Bytes(), err
}

// byTurns splices and reads by turns.
func (p *pipe) byTurns(body io.Reader) ([]byte, error) {
	var all []byte
	buf := make([]byte, 100_000)
	for i := 0; ; i++ {
		var got []byte
		var err error
		if i%2 == 0 {
			got, err = p.take(body)
		} else {
			var n int
			n, err = body.Read(buf)
			got = buf[:n]
		}
		all = append(all, got...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// What cannot be spliced says so, every time, and loses nothing.
func TestSpliceUnsupported(t *testing.T) {
	chunked := serve(t, false, mirror)
	secure := serve(t, true, mirror)
	unknown := scripted(t, func(p *peer) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\n\r\nGET / ")
	})
	for name, url := range map[string]string{
		"chunked": chunked.URL + "/chunked", "TLS": secure.URL, "unknown length": unknown, "not TCP": chunked.URL + "/",
	} {
		tr := newTransport(t)
		tr.TLS = trusting(secure)
		if name == "not TCP" {
			tr.countWrites()
		}
		resp, err := tr.RoundTrip(request(t, "GET", url, ""))
		if err != nil {
			t.Fatal(err)
		}
		p := newPipe(t)
		var all []byte
		for buf := make([]byte, 3); err == nil; {
			got, spliceErr := p.take(resp.Body)
			var n int
			n, err = resp.Body.Read(buf)
			ended := spliceErr == io.EOF && err == io.EOF
			if len(got) > 0 || !errors.Is(spliceErr, errors.ErrUnsupported) && !ended {
				t.Fatalf("%s: SpliceInto gives %d bytes, %v; then Read %v", name, len(got), spliceErr, err)
			}
			all = append(all, buf[:n]...)
		}
		if err != io.EOF || !bytes.HasPrefix(all, []byte("GET /")) {
			t.Errorf("%s: got %q, %v", name, all, err)
		}
		_ = resp.Body.Close() // read to its end
	}
}

// A body that ends too early is never taken for whole.
func TestBodyCutShort(t *testing.T) {
	for name, head := range map[string]string{
		"length": "Content-Length: 3000000\r\n\r\n", "chunks": "Transfer-Encoding: chunked\r\n\r\n2DC6C0\r\n", // 3000000
	} {
		for _, sent := range []int{0, 1, 4096, 2e6, 3e6 - 1} {
			for way, read := range map[string]func(*pipe, io.Reader) ([]byte, error){
				"Read":       func(_ *pipe, body io.Reader) ([]byte, error) { return readMuch(body) },
				"SpliceInto": (*pipe).all,
			} {
				if name == "chunks" && way == "SpliceInto" {
					continue
				}
				url := scripted(t, func(p *peer) {
					p.request()
					p.send("HTTP/1.1 200 OK\r\n%s%s", head, content(sent))
				})
				tr := newTransport(t)
				resp, err := tr.RoundTrip(request(t, "GET", url, ""))
				if err != nil {
					t.Fatal(err)
				}
				got, err := read(newPipe(t), resp.Body)
				if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(got, content(sent)) {
					t.Errorf("%s, %s: got %d of %d bytes, or others; %v", name, way, len(got), sent, err)
				}
				if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s, %s: then %v", name, way, err)
				}
				if err := resp.Body.Close(); err != nil || tr.unused() != 0 {
					t.Errorf("%s, %s: closed with %v, kept %d", name, way, err, tr.unused())
				}
			}
		}
	}
}

// A body that is closed early takes its connection with it.
func TestBodyClosedEarly(t *testing.T) {
	for name, head := range map[string]string{
		"length": "Content-Length: 10000000\r\n\r\n", "chunks": "Transfer-Encoding: chunked\r\n\r\n989680\r\n",
		"unknown": "\r\n",
	} {
		for _, read := range []int64{0, 1, 1e6} {
			closed := make(chan struct{})
			url := scripted(t, func(p *peer) {
				p.request()
				p.send("HTTP/1.1 200 OK\r\n%s%s", head, content(2e6))
				p.awaitEnd()
				close(closed)
			})
			tr := newTransport(t)
			resp, err := tr.RoundTrip(request(t, "GET", url, ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, resp.Body, read); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := resp.Body.Close(); err != nil {
					t.Error(err)
				}
			}
			await(t, name, closed)
			if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("%s: a closed body gives %d bytes, %v", name, n, err)
			}
			if got, err := newPipe(t).take(resp.Body); len(got) != 0 || err == nil || err == io.EOF || errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: a closed body gives %d bytes, %v", name, len(got), err)
			}
			if tr.unused() != 0 {
				t.Errorf("%s: the connection is kept", name)
			}
		}
	}
}

// dribbling is a store that sends a body in pieces, each when the one before was received:
// whoever waits for more than there is waits for ever.
func dribbling(t *testing.T, size int, pieces ...int) (url string, opened *atomic.Int32, received chan int) {
	t.Helper()
	opened, received = new(atomic.Int32), make(chan int, 1<<10)
	url = scripted(t, func(p *peer) {
		opened.Add(1)
		for p.request() != nil {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			rest := content(size)
			sent := 0
			for _, n := range append(pieces, size) {
				n = min(n, len(rest))
				_, _ = p.Write(rest[:n])
				rest, sent = rest[n:], sent+n
				for got := range received {
					if got == sent || got < 0 {
						break
					}
				}
			}
		}
	})
	t.Cleanup(func() { close(received) }) // lets a handler end that waits
	return url, opened, received
}

// Large pieces are waited for only as long as a store is fast. One that sends little at a
// time must not look like one that stands still.
func TestSpliceFromDribblingStore(t *testing.T) {
	const size = 3 << 20
	for name, pieces := range map[string][]int{
		"at the beginning": {1, 1000, 10_000, 4096},
		"in the middle":    {size / 2, 1, 5000},
		"at the end":       {size - 3000, 1000, 1000},
		"everywhere":       {1, 4095, 1 << 20, 1, 1, gatherSize - 1, gatherSize - 1, 1, 1000},
	} {
		for _, reads := range []bool{false, true} { // the rest, once gather has been at work
			t.Run(fmt.Sprintf("%s/then reads %v", name, reads), func(t *testing.T) {
				url, opened, received := dribbling(t, size, pieces...)
				tr := newTransport(t)
				for range 2 { // on the same connection
					resp, err := tr.RoundTrip(request(t, "GET", url, ""))
					if err != nil {
						t.Fatal(err)
					}
					p, all, buf := newPipe(t), []byte(nil), make([]byte, 1<<20)
					for err == nil {
						var got []byte
						if reads && len(all) > 1000 {
							var n int
							n, err = resp.Body.Read(buf)
							got = buf[:n]
						} else {
							got, err = p.take(resp.Body)
						}
						all = append(all, got...)
						received <- len(all)
					}
					if err != io.EOF || !bytes.Equal(all, content(size)) {
						t.Fatalf("got %d bytes, or others; %v", len(all), err)
					}
					_ = resp.Body.Close() // read to its end
				}
				if n := opened.Load(); n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
}

// SpliceInto gives what there is, be it far less than it was asked for, once too little is to
// come for gather.
func TestSpliceDoesNotWaitForMore(t *testing.T) {
	const size = 2 * gatherSize
	url, _, received := dribbling(t, size, 1, 2, 3, 4095, gatherSize+1000, 4097)
	resp, err := newTransport(t).RoundTrip(request(t, "GET", url, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	total, p := 0, newPipe(t)
	for err == nil {
		var got []byte
		got, err = p.take(resp.Body)
		total += len(got)
		if c := resp.Body.(*body).conn; c != nil && c.least > 1 {
			t.Errorf("behind %d bytes, it waits for %d", total, c.least)
		}
		received <- total
	}
	if err != io.EOF || total != size {
		t.Errorf("got %d bytes, %v", total, err)
	}
}

// Asking for nothing is neither an end nor an error.
func TestReadNothing(t *testing.T) {
	url, _, _ := sized(t, false)
	resp, err := newTransport(t).RoundTrip(request(t, "GET", url+"/3000000", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	p := newPipe(t)
	for range 3 { // in the buffer, and in the socket
		if n, err := resp.Body.Read(nil); n != 0 || err != nil {
			t.Errorf("Read of nothing gives %d, %v", n, err)
		}
		if n, err := store.SpliceInto(resp.Body, p.w, 0); n != 0 || err != nil {
			t.Errorf("SpliceInto of nothing gives %d, %v", n, err)
		}
		if _, err := p.take(resp.Body); err != nil {
			t.Error(err)
		}
	}
}

// A body whose context ends between two reads fails at the next one that would wait.
func TestCancelBetweenReads(t *testing.T) {
	url := scripted(t, func(p *peer) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n%s", content(2e6))
		p.awaitEnd()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	resp, err := newTransport(t).RoundTrip(request(t, "GET", url, "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	p := newPipe(t)
	if _, err := p.take(resp.Body); err != nil {
		t.Fatal(err)
	}
	cancel(errWhy)
	if _, err := p.all(resp.Body); !errors.Is(err, errWhy) {
		t.Errorf("error %v, want %v", err, errWhy)
	}
	_ = resp.Body.Close() // broken
}
