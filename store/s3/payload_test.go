package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// A body that is in memory writes itself to the connection, in few pieces.
func TestBodyIsNotCopied(t *testing.T) {
	var got bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&got, r.Body) // compared below
	}))
	defer server.Close()
	host, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := newTransport(host)
	defer transport.CloseIdleConnections()
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	c := &Client{opts: Options{RequestTimeout: time.Minute}}
	ctx, stall := c.watch(t.Context())
	defer stall.end()
	spy := &spyWriter{}
	body := &spyBody{payload{body: bytes.NewReader(data), left: int64(len(data)), stall: stall}, spy}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, server.URL, io.NopCloser(body))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(data))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes arrived, or others", got.Len())
	}
	if spy.bytes != len(data) || spy.writes > len(data)/pieceSize+1 {
		t.Errorf("%d bytes went by memory, in %d writes", spy.bytes, spy.writes)
	}
}

// spyBody notes what it writes itself.
type spyBody struct {
	payload
	spy *spyWriter
}

func (b *spyBody) WriteTo(w io.Writer) (int64, error) {
	b.spy.Writer = w
	return b.payload.WriteTo(b.spy)
}

type spyWriter struct {
	io.Writer
	writes, bytes int
}

func (w *spyWriter) Write(p []byte) (int, error) {
	w.writes++
	w.bytes += len(p)
	return w.Writer.Write(p)
}

// lentBody is a store.Lendable.
type lentBody struct {
	*bytes.Reader
	out int // how often it has been lent and not been given back
}

func (b *lentBody) Lend() bool {
	b.out++
	return true
}

func (b *lentBody) GiveBack() { b.out-- }

// Memory is given back when the store has said that it has the bytes, and not otherwise.
func TestMemoryIsGivenBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		out    int
	}{
		{"stored", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, 0},
		{"refused", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 1},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			client, err := New(Options{Endpoint: server.URL, AccessKey: "access", SecretKey: "secret"})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			const size = 8 << 20
			body := &lentBody{Reader: bytes.NewReader(make([]byte, size))}
			_, err = client.Bucket("bucket").PutPart(t.Context(), "key", "id", 1, body, size)
			if (err != nil) != (c.out > 0) {
				t.Error(err)
			}
			if body.out != c.out {
				t.Errorf("lent %d times and not given back, want %d (%v)", body.out, c.out, err)
			}
		})
	}
}
