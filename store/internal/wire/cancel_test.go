package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// Cancelling ends a request wherever it is, with the reason, and its connection.
func TestCancel(t *testing.T) {
	for name, stop := range stuck {
		for way, read := range map[string]func(testing.TB, io.Reader) error{
			"Read": func(_ testing.TB, body io.Reader) error { _, err := io.Copy(io.Discard, body); return err },
			"SpliceInto": func(t testing.TB, body io.Reader) error {
				_, err := newPipe(t).all(body)
				if errors.Is(err, errors.ErrUnsupported) {
					_, err = io.Copy(io.Discard, body)
				}
				return err
			},
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				reached, closed := make(chan struct{}), make(chan struct{})
				url := scripted(t, func(p *peer) {
					stop(p, func() { close(reached) })
					if name != "in the request's body" {
						p.awaitEnd()
					} else { // the client must notice without our reading it
						until(t, "the connection is closed", func() bool { return peerGone(p) })
					}
					close(closed)
				})
				tr := newTransport(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				req := request(t, "PUT", url, "").WithContext(ctx)
				data := make([]byte, 5)
				if name == "in the request's body" {
					data = make([]byte, 64<<20)
				}
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
				go func() {
					<-reached
					cancel(errWhy)
				}()
				resp, err := tr.RoundTrip(req)
				if err == nil {
					defer func() { _ = resp.Body.Close() }()
					err = read(t, resp.Body)
					if _, again := resp.Body.Read(make([]byte, 1)); !errors.Is(again, errWhy) {
						t.Errorf("then %v", again)
					}
					if err := resp.Body.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				}
				if !errors.Is(err, errWhy) {
					t.Errorf("error %v, want %v", err, errWhy)
				}
				await(t, "the connection is closed", closed)
				if tr.unused() != 0 {
					t.Error("the connection is kept")
				}
			})
		}
	}
}

// peerGone tells whether the other side has closed the connection, without reading it: then
// writing fails.
func peerGone(p *peer) bool {
	_, err := p.Write([]byte("x"))
	return err != nil
}

// What was cancelled before it began makes no request.
func TestCancelledBefore(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	fetch(t, tr, request(t, "GET", s.URL, ""))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errWhy)
	for range 2 { // with an idle connection, and without
		resp, err := tr.RoundTrip(request(t, "GET", s.URL, "").WithContext(ctx))
		if err == nil { // faster than the cancelling
			_ = resp.Body.Close()
		} else if !errors.Is(err, errWhy) {
			t.Errorf("error %v, want %v", err, errWhy)
		}
		tr.CloseIdleConnections()
	}
}

// A deadline in the middle of a request's life must not reach the next one.
func TestCancelAfterwards(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		fetch(t, tr, request(t, "GET", s.URL, "").WithContext(ctx))
		cancel()
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// An answer that was cancelled at its very end is whole, but its connection is not kept: its
// deadline has passed.
func TestCancelAtTheEnd(t *testing.T) {
	s := serve(t, false, mirror)
	tr := newTransport(t)
	for i := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Duration(i) * 2 * time.Microsecond)
			cancel()
		}()
		resp, err := tr.RoundTrip(request(t, "GET", s.URL, "").WithContext(ctx))
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close() // read, or broken
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		<-ctx.Done()
		fetch(t, tr, request(t, "GET", s.URL, "")) // on whatever was kept
	}
}
