package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/spdscheme/spdserver/store"
)

// Stat asks for an object's properties (S3 HeadObject).
func (b *bucket) Stat(ctx context.Context, key string) (store.Object, error) {
	o, _, err := b.head(ctx, key, make(http.Header, 6))
	return o, err
}

// head asks with these headers, and returns those of the answer, too.
func (b *bucket) head(ctx context.Context, key string, header http.Header) (store.Object, http.Header, error) {
	if err := b.check(ctx, key); err != nil {
		return store.Object{}, nil, err
	}
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	resp, err := b.do(rctx, request{method: http.MethodHead, key: key, header: header})
	if err != nil {
		return store.Object{}, nil, translate(ctx, "head object", err)
	}
	_ = resp.Body.Close() // there is none
	o, err := answered(key, resp)
	if err == nil && o.Size < 0 {
		err = errNoSize
	}
	return o, resp.Header, translate(ctx, "head object", err)
}

var errNoSize = errors.New("the store does not tell the size")

// answered is the object that an answer is about.
func answered(key string, resp *http.Response) (store.Object, error) {
	o := store.Object{Key: key, Size: resp.ContentLength, ETag: unquote(resp.Header.Get("Etag"))}
	var err error
	if o.ModTime, err = http.ParseTime(resp.Header.Get("Last-Modified")); err != nil { // some proxy's page
		err = fmt.Errorf("this is not an object: %w", err)
	}
	return o, err
}

// Open asks for an object's bytes (S3 GetObject). An empty range cannot be asked for: it
// is answered by a Stat, and so, with a second request, is a range beyond the end.
func (b *bucket) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	if err := b.check(ctx, key); err != nil {
		return nil, store.Object{}, err
	}
	if off < 0 {
		return nil, store.Object{}, fmt.Errorf("open at offset %d", off)
	}
	if n == 0 {
		return b.openEmpty(ctx, key, ifMatch)
	}
	rctx, stall := b.watch(ctx)
	rc, o, err := b.get(rctx, key, off, n, ifMatch)
	if err != nil {
		stall.end()
		if isCode(err, minio.InvalidRange) {
			return b.openEmpty(ctx, key, ifMatch)
		}
		return nil, store.Object{}, translate(ctx, "get object", cause(rctx, err))
	}
	stall.pause()
	left := o.Size - off
	if n > 0 {
		left = min(left, n)
	}
	return &body{rc: rc, left: left, caller: ctx, request: rctx, stall: stall}, o, nil
}

// openEmpty returns an empty body and the object's properties.
func (b *bucket) openEmpty(ctx context.Context, key, ifMatch string) (io.ReadCloser, store.Object, error) {
	header := make(http.Header, 6)
	if ifMatch != "" {
		header.Set("If-Match", quote(ifMatch))
	}
	o, _, err := b.head(ctx, key, header)
	if err != nil {
		return nil, store.Object{}, err
	}
	return io.NopCloser(strings.NewReader("")), o, nil
}

func (b *bucket) get(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	header := make(http.Header, 8)
	if ifMatch != "" {
		header.Set("If-Match", quote(ifMatch))
	}
	if off > 0 || n > 0 {
		header.Set("Range", rangeOf(off, n))
	}
	resp, err := b.do(ctx, request{method: http.MethodGet, key: key, header: header})
	if err != nil {
		return nil, store.Object{}, err
	}
	o, err := answered(key, resp)
	switch answer := resp.Header.Get("Content-Range"); {
	case err != nil:
	case answer != "":
		o.Size, err = sizeOf(answer, off)
	case off > 0:
		err = errors.New("the store ignores the range")
	case o.Size < 0:
		err = errNoSize
	}
	if err != nil {
		_ = resp.Body.Close() // not read
		return nil, store.Object{}, err
	}
	return resp.Body, o, nil
}

// rangeOf asks for [off, off+n), or to the end if n < 0 (RFC 9110, section 14.1.2).
func rangeOf(off, n int64) string {
	if n < 0 || off > math.MaxInt64-n {
		return fmt.Sprintf("bytes=%d-", off)
	}
	return fmt.Sprintf("bytes=%d-%d", off, off+n-1)
}

// sizeOf returns the object's size from "bytes first-last/size" (RFC 9110, section 14.4).
func sizeOf(contentRange string, off int64) (int64, error) {
	var first, last int64
	span, total, _ := strings.Cut(contentRange, "/")
	_, err := fmt.Sscanf(span, "bytes %d-%d", &first, &last)
	size, sizeErr := strconv.ParseInt(total, 10, 64)
	if err != nil || sizeErr != nil || first != off {
		return 0, fmt.Errorf("the store answers with range %q", contentRange)
	}
	return size, nil
}

// body is the content of an object on its way.
type body struct {
	rc      io.ReadCloser
	left    int64           // bytes that the store has promised and not sent yet
	caller  context.Context // of Open
	request context.Context // ends when the body stands still
	stall   *stall
}

// Read waits RequestTimeout for the store, but any time for its caller.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	b.stall.moved()
	n, err := b.rc.Read(p[:min(int64(len(p)), b.left)])
	return n, b.received(n, err)
}

// SpliceInto implements store.Splicer, with the same patience.
func (b *body) SpliceInto(pipe, n int) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	b.stall.moved()
	n, err := store.SpliceInto(b.rc, pipe, int(min(int64(n), b.left)))
	if errors.Is(err, errors.ErrUnsupported) {
		b.stall.pause()
		return 0, err
	}
	return n, b.received(n, err)
}

func (b *body) received(n int, err error) error {
	b.stall.pause()
	b.left -= int64(n)
	switch {
	case err == nil || err == io.EOF && b.left == 0:
		return err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return translate(b.caller, "read object", cause(b.request, err))
}

// Close ends the request. A body that was not read to its end costs the connection.
func (b *body) Close() error {
	err := b.rc.Close()
	b.stall.end()
	if err != nil {
		return fmt.Errorf("close object: %w", err)
	}
	return nil
}

// cause replaces "context canceled" by the reason why we cancelled.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); errors.Is(why, errStalled) {
		return why
	}
	return err
}

func quote(etag string) string { return `"` + etag + `"` }

func objectOf(key string, info minio.ObjectInfo) store.Object {
	return store.Object{Key: key, Size: info.Size, ModTime: info.LastModified, ETag: unquote(info.ETag)}
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }
