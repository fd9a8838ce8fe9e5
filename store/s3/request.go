package s3

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// The requests that move content are made here, PutObject, UploadPart and GetObject, and
// HeadObject, the most frequent of the others. Those are left to minio-go, which takes 30
// microseconds to make one: a tenth of what storing a small file costs altogether.

// home is where a bucket's objects are: "http://host:9000/bucket/", or
// "https://bucket.s3.eu-west-1.amazonaws.com/". It is the address that minio-go uses.
func (b *bucket) home() (*url.URL, error) {
	const key = "key"
	u, err := b.core.Presign(context.Background(), http.MethodGet, b.name, key, time.Hour, nil) // makes no request
	if err != nil {
		return nil, fmt.Errorf("find the bucket's address: %w", err)
	}
	u.Path, u.RawPath, u.RawQuery = strings.TrimSuffix(u.Path, key), "", ""
	return u, nil
}

// request is one request about an object.
type request struct {
	method string
	key    string
	query  string // sorted and encoded
	header http.Header
	body   *payload
	size   int64 // bytes of the body
}

// do makes a request. An answer that is not 2xx is a minio.ErrorResponse.
func (b *bucket) do(ctx context.Context, r request) (*http.Response, error) {
	home, err := b.address()
	if err != nil {
		return nil, err
	}
	u := *home
	u.Path, u.RawPath, u.RawQuery = home.Path+r.key, home.Path+encodePath(r.key), r.query
	req := &http.Request{Method: r.method, URL: &u, Host: u.Host, Header: r.header, ContentLength: r.size}
	if r.body != nil {
		sent := &closing{payload: r.body, closed: make(chan struct{})}
		defer func() { <-sent.closed }() // whose memory it is may use it again
		req.Body = sent
	}
	b.signing.sign(req, time.Now())
	resp, err := b.wrapped.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer func() { _ = resp.Body.Close() }() // it says no more
		return nil, errorOf(b.name, resp)
	}
	return resp, nil
}

// encodePath is s3utils.EncodePath, which takes a microsecond to find that there is nothing to
// be done.
func encodePath(key string) string {
	for i := range len(key) {
		if !plainInPath(key[i]) {
			return s3utils.EncodePath(key)
		}
	}
	return key
}

// plainInPath tells whether a character of a path is never encoded (RFC 3986, 2.3).
func plainInPath(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~/", c) >= 0
}

// closing is a body that tells when it is needed no longer. An http.RoundTripper may go on
// reading after it has returned, until it closes the body.
type closing struct {
	*payload
	once   sync.Once
	closed chan struct{}
}

// Close implements io.Closer.
func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// maxErrorBody is how much of an error's explanation is read, in bytes.
const maxErrorBody = 64 << 10

// errorOf reads an error (S3 API Reference, "Error responses"), or makes one of the status.
func errorOf(bucket string, resp *http.Response) error {
	answer := minio.ErrorResponse{StatusCode: resp.StatusCode}
	if xml.NewDecoder(io.LimitReader(resp.Body, maxErrorBody)).Decode(&answer) != nil || answer.Code == "" {
		answer.Code = codeOf(resp)
		answer.Message = resp.Status
	}
	answer.StatusCode, answer.BucketName = resp.StatusCode, bucket
	if code := resp.Header.Get("X-Minio-Error-Code"); code != "" {
		answer.Code = code
	}
	return answer
}

// codeOf is the code of an answer without one, as some proxies give.
func codeOf(resp *http.Response) string {
	switch resp.StatusCode {
	case http.StatusNotFound:
		return minio.NoSuchKey
	case http.StatusForbidden:
		return minio.AccessDenied
	case http.StatusPreconditionFailed:
		return minio.PreconditionFailed
	case http.StatusRequestedRangeNotSatisfiable:
		return minio.InvalidRange
	}
	return resp.Status
}
