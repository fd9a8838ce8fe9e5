// Package s3 keeps objects in any service that speaks the S3 protocol.
//
// It does not retry: every method makes exactly one request, but for those that say
// otherwise. Package retry tries again. Bodies are sent with a checksum and without being
// hashed for the signature (UNSIGNED-PAYLOAD), over plain HTTP too.
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/spdscheme/spdserver/store"
)

// Options say where the service is and how to talk to it. The zero value of what follows
// the keys is a good default.
type Options struct {
	Endpoint  string // "http://host:9000" or "https://host"
	AccessKey string
	SecretKey string

	Region    string   // "" means us-east-1
	PathStyle bool     // buckets in the path even where the host name could hold them (Amazon)
	Checksum  Checksum // "" means CRC32C

	// RequestTimeout bounds a request without a body, and how long a body may stand still.
	// 0 means 15 seconds. Copies and completions get more, by their size.
	RequestTimeout time.Duration
	// Transport wraps the HTTP transport, to count requests or to make them fail.
	Transport func(http.RoundTripper) http.RoundTripper

	CopyThreshold int64 // bytes; larger objects are copied in parts. 0 means store.MaxPutSize
	CopyPartSize  int64 // bytes; of parts copied. 0 means 256 MiB
}

const (
	defaultRegion         = "us-east-1"
	defaultRequestTimeout = 15 * time.Second
	defaultCopyPartSize   = 256 << 20
)

// Client is a connection to an S3 service, shared by all its buckets.
type Client struct {
	opts      Options // with the defaults filled in
	host      string
	secure    bool
	transport transport
	wrapped   http.RoundTripper
	core      *minio.Core
	signing   *signing
}

// New returns a client. It makes no request. Close it after use.
func New(opts Options) (*Client, error) {
	u, err := url.Parse(opts.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("endpoint %q is not of the form http://host:port", opts.Endpoint)
	}
	if opts.AccessKey == "" || opts.SecretKey == "" {
		return nil, errors.New("access key or secret key is missing")
	}
	if err := opts.Checksum.valid(); err != nil {
		return nil, err
	}
	opts.Region = cmp.Or(opts.Region, defaultRegion)
	opts.Checksum = cmp.Or(opts.Checksum, CRC32C)
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, defaultRequestTimeout)
	opts.CopyThreshold = cmp.Or(opts.CopyThreshold, store.MaxPutSize)
	opts.CopyPartSize = cmp.Or(opts.CopyPartSize, defaultCopyPartSize)

	c := &Client{opts: opts, host: u.Host, secure: u.Scheme == "https", transport: newTransport(u),
		signing: &signing{accessKey: opts.AccessKey, secretKey: opts.SecretKey, region: opts.Region}}
	c.wrapped = c.transport
	if opts.Transport != nil {
		c.wrapped = opts.Transport(c.transport)
	}
	c.core, err = c.newCore(c.wrapped)
	if err != nil {
		return nil, fmt.Errorf("set up S3 client: %w", err)
	}
	return c, nil
}

// newCore makes a minio-go client over a transport.
func (c *Client) newCore(rt http.RoundTripper) (*minio.Core, error) {
	lookup := minio.BucketLookupAuto
	if c.opts.PathStyle {
		lookup = minio.BucketLookupPath
	}
	return minio.NewCore(c.host, &minio.Options{
		Creds:        credentials.NewStaticV4(c.opts.AccessKey, c.opts.SecretKey, ""),
		Secure:       c.secure,
		Region:       c.opts.Region, // known, or minio-go would ask for it first
		BucketLookup: lookup,
		Transport:    rt,
		MaxRetries:   1,
	})
}

// Close drops idle connections. Requests that are under way may finish.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
}

// Bucket returns the Store of a bucket. It makes no request.
func (c *Client) Bucket(name string) store.Store {
	b := &bucket{Client: c, name: name, invalid: checkBucket(name)}
	b.address = sync.OnceValues(b.home)
	return b
}

// MakeBucket makes a bucket. It is no error if it exists and can be used.
func (c *Client) MakeBucket(ctx context.Context, name string) error {
	err := c.makeBucket(ctx, name)
	if errors.Is(err, store.ErrExist) { // somebody's; perhaps ours
		return c.Bucket(name).Ping(ctx)
	}
	return err
}

func (c *Client) makeBucket(ctx context.Context, name string) error {
	rctx, cancel := c.deadline(ctx, 0)
	defer cancel()
	err := c.core.MakeBucket(rctx, name, minio.MakeBucketOptions{Region: c.opts.Region})
	return translate(ctx, "make bucket", err)
}

// bucket is the Store.
type bucket struct {
	*Client
	name    string
	invalid error                    // why the bucket cannot exist; nil if it can
	address func() (*url.URL, error) // see home
}

var _ store.Store = (*bucket)(nil)

// Ping asks for the bucket (S3 HeadBucket).
func (b *bucket) Ping(ctx context.Context) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	exists, err := b.core.BucketExists(rctx, b.name)
	if err == nil && !exists {
		return fmt.Errorf("head bucket: %w", store.ErrNoBucket)
	}
	return translate(ctx, "head bucket", err)
}

// check refuses, without a request, what cannot succeed.
func (b *bucket) check(ctx context.Context, key string) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	if err := store.CheckKey(key); err != nil {
		return err
	}
	if err := s3utils.CheckValidObjectName(key); err != nil { // a key of spaces only
		return fmt.Errorf("%w: %w", store.ErrBadName, err)
	}
	return nil
}

// usable refuses requests whose context has ended and buckets that cannot exist.
func (b *bucket) usable(ctx context.Context) error {
	if ctx.Err() != nil {
		return translate(ctx, "before the request", ctx.Err())
	}
	return b.invalid
}

// checkBucket refuses the names of buckets that cannot exist.
func checkBucket(name string) error {
	if err := s3utils.CheckValidBucketName(name); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNoBucket, err)
	}
	return nil
}
