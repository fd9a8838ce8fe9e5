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
