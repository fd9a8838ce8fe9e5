package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/internal/wire"
)

// transport carries requests, each on a connection, with a window, of its own.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// newTransport returns a transport to a host. It speaks HTTP/1.1. What has to go through a
// proxy (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) goes by net/http, which knows how.
func newTransport(host *url.URL) transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	dialer.SetMultipathTCP(false)
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: host}); proxy == nil && err == nil {
		return &wire.Transport{DialContext: dialer.DialContext, TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   256,
		DisableCompression:    true, // objects come as they are stored
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
}

// bound ties requests to a context. minio-go's low-level listing has no context parameter.
type bound struct {
	ctx context.Context
	rt  http.RoundTripper
}

func (b bound) RoundTrip(req *http.Request) (*http.Response, error) {
	return b.rt.RoundTrip(req.WithContext(b.ctx))
}

// minCopyRate is what a store must manage when it copies inside itself, in bytes a second.
const minCopyRate = 10 << 20

// deadline gives a request RequestTimeout, less if the caller has no patience, and more if
// the store has bytes to move.
func (c *Client) deadline(ctx context.Context, moved int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, store.Patience(ctx, c.opts.RequestTimeout)+time.Duration(moved/minCopyRate)*time.Second)
}

// errStalled is why a request was given up whose body stood still.
var errStalled = errors.New("the transfer stands still")

// stall ends a request when nothing has moved for a while. A body of any size may take any
// time, as long as it moves.
type stall struct {
	cancel context.CancelFunc
	timer  *time.Timer
	limit  time.Duration
}

// watch returns the context of a request, and its stall, whose clock runs already.
func (c *Client) watch(ctx context.Context) (context.Context, *stall) {
	rctx, cancel := context.WithCancelCause(ctx)
	limit := c.opts.RequestTimeout
	return rctx, &stall{
		cancel: func() { cancel(nil) },
		timer:  time.AfterFunc(limit, func() { cancel(errStalled) }),
		limit:  limit,
	}
}

// moved starts the clock again.
func (s *stall) moved() { s.timer.Reset(s.limit) }

// pause stops the clock while it is not the store that is waited for.
func (s *stall) pause() { s.timer.Stop() }

// end releases the request's context.
func (s *stall) end() {
	s.timer.Stop()
	s.cancel()
}
