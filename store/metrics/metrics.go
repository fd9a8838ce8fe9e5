// Package metrics counts and times the requests to a store, for Prometheus.
//
//	spd_s3_requests_total{op,result}   requests; result "ok", "absent", "unavailable", ...
//	spd_s3_request_seconds{op}         how long they took
//	spd_s3_bytes_total{direction}      content "sent" and "received"
//
// An Open is timed until the answer's headers: the body is read at the client's pace. A
// List counts once for each page. An object that does not exist is no failure, and neither
// is a request whose caller has gone; see Result.
package metrics

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/internal/pages"
)

// Metrics are shared by all stores they wrap. They may be used concurrently.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sent     prometheus.Counter
	received prometheus.Counter
}

// New makes the metrics and registers them.
func New(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spd_s3_requests_total", Help: "Requests to the object store.",
		}, []string{"op", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spd_s3_request_seconds", Help: "Duration of requests to the object store.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16), // 1 ms to 33 s
		}, []string{"op"}),
	}
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "spd_s3_bytes_total", Help: "Content sent to and received from the object store.",
	}, []string{"direction"})
	m.sent, m.received = bytes.WithLabelValues("sent"), bytes.WithLabelValues("received")
	for _, c := range []prometheus.Collector{m.requests, m.seconds, bytes} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Wrap returns s with its requests counted.
func (m *Metrics) Wrap(s store.Store) store.Store {
	return &measured{Store: s, metrics: m}
}

// Result is the label for how a request ended: "ok", or one of the contract's errors.
// Failures of the store are "unavailable", "full", "denied", "no_bucket" and "error".
func Result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, store.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, store.ErrNotExist):
		return "absent"
	case errors.Is(err, store.ErrExist):
		return "exists"
	case errors.Is(err, store.ErrChanged):
		return "changed"
	case errors.Is(err, store.ErrBadName):
		return "bad_name"
	case errors.Is(err, store.ErrTooLarge):
		return "too_large"
	case errors.Is(err, store.ErrFull):
		return "full"
	case errors.Is(err, store.ErrDenied):
		return "denied"
	case errors.Is(err, store.ErrNoBucket):
		return "no_bucket"
	}
	return "error"
}

type measured struct {
	store.Store
	metrics *Metrics
}

var _ store.Store = (*measured)(nil)

// Unwrap returns the store inside.
func (m *measured) Unwrap() store.Store { return m.Store }

func (m *measured) observe(op string, start time.Time, err error) {
	m.metrics.requests.WithLabelValues(op, Result(err)).Inc()
	m.metrics.seconds.WithLabelValues(op).Observe(time.Since(start).Seconds())
}

// do measures fn.
func (m *measured) do(op string, fn func() error) error {
	start := time.Now()
	err := fn()
	m.observe(op, start, err)
	return err
}

// get measures fn.
func get[T any](m *measured, op string, fn func() (T, error)) (T, error) {
	start := time.Now()
	v, err := fn()
	m.observe(op, start, err)
	return v, err
}

func (m *measured) Ping(ctx context.Context) error {
	return m.do("ping", func() error { return m.Store.Ping(ctx) })
}

func (m *measured) Stat(ctx context.Context, key string) (store.Object, error) {
	return get(m, "stat", func() (store.Object, error) { return m.Store.Stat(ctx, key) })
}

func (m *measured) Digests(ctx context.Context, key string) (store.Digests, error) {
	return get(m, "digests", func() (store.Digests, error) { return m.Store.Digests(ctx, key) })
}

func (m *measured) Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, store.Object, error) {
	start := time.Now()
	rc, o, err := m.Store.Open(ctx, key, off, n, ifMatch)
	m.observe("open", start, err)
	if err != nil {
		return nil, o, err
	}
	return &body{rc, m.metrics.received}, o, nil
}

// body counts the bytes read.
type body struct {
	io.ReadCloser
	received prometheus.Counter
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received.Add(float64(n))
	return n, err
}

func (b *body) SpliceInto(pipe, n int) (int, error) {
	n, err := store.SpliceInto(b.ReadCloser, pipe, n)
	b.received.Add(float64(n))
	return n, err
}

func (m *measured) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		var start time.Time
		begin := func() error { start = time.Now(); return nil }
		end := func(err error) { m.observe("list", start, err) }
		pages.Watch(m.Store.List(ctx, prefix, opts), begin, end)(yield)
	}
}

func (m *measured) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts store.PutOptions) (store.Object, error) {
	o, err := get(m, "put", func() (store.Object, error) { return m.Store.Put(ctx, key, body, size, opts) })
	if err == nil {
		m.metrics.sent.Add(float64(size))
	}
	return o, err
}

func (m *measured) Copy(ctx context.Context, dst string, src store.Object) (store.Object, error) {
	return get(m, "copy", func() (store.Object, error) { return m.Store.Copy(ctx, dst, src) })
}

func (m *measured) Delete(ctx context.Context, key string) error {
	return m.do("delete", func() error { return m.Store.Delete(ctx, key) })
}

func (m *measured) Begin(ctx context.Context, key string, opts store.PutOptions) (string, error) {
	return get(m, "begin", func() (string, error) { return m.Store.Begin(ctx, key, opts) })
}

func (m *measured) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	p, err := get(m, "put_part", func() (store.Part, error) { return m.Store.PutPart(ctx, key, id, n, body, size) })
	if err == nil {
		m.metrics.sent.Add(float64(size))
	}
	return p, err
}

func (m *measured) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	return get(m, "copy_part", func() (store.Part, error) { return m.Store.CopyPart(ctx, key, id, n, src, off, size) })
}

func (m *measured) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	return get(m, "parts", func() ([]store.Part, error) { return m.Store.Parts(ctx, key, id) })
}

func (m *measured) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	return get(m, "complete", func() (store.Object, error) { return m.Store.Complete(ctx, key, id, parts) })
}

func (m *measured) Abort(ctx context.Context, key, id string) error {
	return m.do("abort", func() error { return m.Store.Abort(ctx, key, id) })
}

func (m *measured) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	return get(m, "uploads", func() ([]store.Upload, error) { return m.Store.Uploads(ctx, prefix) })
}
