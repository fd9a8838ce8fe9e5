package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/metrics"
	"github.com/spdscheme/spdserver/store/storetest"
)

func newMetrics(t testing.TB) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	m, err := metrics.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

// values returns the counters, and the histograms' counts, as "name{labels}".
func values(t testing.TB, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			var labels []string
			for _, l := range metric.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			name := fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ","))
			got[name] = metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return got
}

func TestStore(t *testing.T) {
	m, _ := newMetrics(t)
	storetest.Test(t, func(testing.TB) store.Store {
		return m.Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Body: storetest.Spliced})
	}, storetest.Properties{Splices: true})
}

func TestCounts(t *testing.T) {
	m, r := newMetrics(t)
	ctx := t.Context()
	broken := false
	s := m.Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Before: func(context.Context, storetest.Call) error {
		if broken {
			return store.Unavailable(io.ErrUnexpectedEOF)
		}
		return nil
	}})
	for i := range 1500 {
		if _, err := s.Put(ctx, fmt.Sprintf("k%04d", i), strings.NewReader("12345"), 5, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range s.List(ctx, "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _ = s.Stat(ctx, "absent") // counted, not looked at
	body, _, err := s.Open(ctx, "k0000", 1, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := s.Ping(ctx); err == nil {
		t.Error("the error is lost")
	}
	_, err = s.Put(ctx, "x", strings.NewReader("12345"), 5, store.PutOptions{})
	if err == nil {
		t.Error("the error is lost")
	}
	got := values(t, r)
	for name, want := range map[string]float64{
		"spd_s3_requests_total{put,ok}":           1500,
		"spd_s3_requests_total{put,unavailable}":  1,
		"spd_s3_requests_total{list,ok}":          2,
		"spd_s3_requests_total{stat,absent}":      1,
		"spd_s3_requests_total{open,ok}":          1,
		"spd_s3_requests_total{ping,unavailable}": 1,
		"spd_s3_request_seconds{put}":             1501,
		"spd_s3_request_seconds{list}":            2,
		"spd_s3_bytes_total{sent}":                7500,
		"spd_s3_bytes_total{received}":            4,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// Bytes count once, whether they are spliced, or cannot be and are read.
func TestCountsSplicedBytes(t *testing.T) {
	m, r := newMetrics(t)
	inner := memory.New().Bucket("b")
	want := 0
	for _, bodies := range []func(io.ReadCloser) io.ReadCloser{storetest.Spliced, nil} {
		s := m.Wrap(&storetest.Faulty{Store: inner, Body: bodies})
		if _, err := s.Put(t.Context(), "a", strings.NewReader("12345"), 5, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		body, _, err := s.Open(t.Context(), "a", 1, -1, "")
		if err != nil {
			t.Fatal(err)
		}
		data, spliced, err := storetest.ReadSpliced(body)
		if err := errors.Join(err, body.Close()); err != nil || string(data) != "2345" || (spliced > 0) != (bodies != nil) {
			t.Errorf("read %q, %d bytes of it spliced; %v", data, spliced, err)
		}
		want += len(data)
		if got := values(t, r)["spd_s3_bytes_total{received}"]; got != float64(want) {
			t.Errorf("%v bytes received, want %d", got, want)
		}
	}
}

func TestResult(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("put part 3: %w", err) }
	for want, err := range map[string]error{
		"ok": nil, "absent": wrap(store.ErrNotExist), "exists": wrap(store.ErrExist), "changed": wrap(store.ErrChanged),
		"too_large": wrap(store.ErrTooLarge), "full": wrap(store.ErrFull), "bad_name": wrap(store.ErrBadName),
		"denied": wrap(store.ErrDenied), "no_bucket": wrap(store.ErrNoBucket),
		"unavailable": store.Unavailable(context.DeadlineExceeded), "cancelled": wrap(context.Canceled), "error": io.EOF,
	} {
		if got := metrics.Result(err); got != want {
			t.Errorf("Result(%v) = %q, want %q", err, got, want)
		}
	}
}
