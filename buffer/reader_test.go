package buffer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// brokenSource breaks every body after so many bytes.
type brokenSource struct {
	data   []byte
	each   int64 // bytes of a body; 0: nothing but an error
	opened atomic.Int64
}

func (s *brokenSource) Open(_ context.Context, off, n int64) (io.ReadCloser, error) {
	s.opened.Add(1)
	end := off + min(n, s.each)
	return io.NopCloser(io.MultiReader(bytes.NewReader(s.data[off:end]), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
}

func TestReaderGoesOnWhereBodyBroke(t *testing.T) {
	source := &brokenSource{data: randomBytes(1000), each: 90}
	r := NewReader(t.Context(), NewBudget(testPart), source, nil, 10, 0, 1000)
	var got bytes.Buffer
	n, err := r.WriteTo(&got)
	if err != nil || n != 990 || !bytes.Equal(got.Bytes(), source.data[10:]) {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if got := source.opened.Load(); got != 11 {
		t.Errorf("opened %d times", got)
	}
	_ = r.Close()
}

func TestReaderGivesUp(t *testing.T) {
	source := &brokenSource{data: randomBytes(1000)}
	r := NewReader(t.Context(), NewBudget(testPart), source, nil, 0, 0, 1000)
	if _, err := r.WriteTo(io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if got := source.opened.Load(); got != maxBroken {
		t.Errorf("opened %d times, want %d", got, maxBroken)
	}
	_ = r.Close()
}

// A body that ends early without an error must not end the download.
func TestReaderShortBodies(t *testing.T) {
	data := randomBytes(1000)
	r := NewReader(t.Context(), NewBudget(testPart), shortSource{data}, io.NopCloser(bytes.NewReader(data[:7])), 0, 500, 1000)
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	_ = r.Close()
}

type shortSource struct{ data []byte }

func (s shortSource) Open(_ context.Context, off, n int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.data[off : off+min(n, 100)])), nil
}

// slowSource is a store in fake time: each request takes latency, each connection moves
// rate bytes a second and buffers some on the way.
type slowSource struct {
	latency time.Duration
	rate    int64
	most    atomic.Int64 // connections open at a time
	open    atomic.Int64
}

const socketBuffer = 4 << 20

func (s *slowSource) Open(ctx context.Context, _, n int64) (io.ReadCloser, error) {
	open := s.open.Add(1)
	for most := s.most.Load(); open > most && !s.most.CompareAndSwap(most, open); most = s.most.Load() {
	}
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		s.open.Add(-1)
		return nil, ctx.Err()
	}
	return &slowBody{source: s, left: n, at: time.Now()}, nil
}

// slowBody has received rate x time bytes, but never more than its buffer ahead of Read.
type slowBody struct {
	source *slowSource
	left   int64
	ready  float64 // bytes received and not read, at time at
	at     time.Time
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), b.left)
	rate := float64(b.source.rate)
	b.ready = min(b.ready+rate*time.Since(b.at).Seconds(), socketBuffer)
	if missing := float64(n) - b.ready; missing > 0 {
		time.Sleep(time.Duration(missing / rate * float64(time.Second)))
		b.ready = float64(n)
	}
	b.ready -= float64(n)
	b.at = time.Now()
	b.left -= n
	return int(n), nil
}

func (b *slowBody) Close() error {
	b.source.open.Add(-1)
	return nil
}

// slowWriter is a client in fake time.
type slowWriter struct{ rate int64 }

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(float64(len(p)) / float64(w.rate) * float64(time.Second)))
	return len(p), nil
}

func TestReaderAdapts(t *testing.T) {
	const size = 1 << 30
	for _, test := range []struct {
		name          string
		latency       time.Duration
		store, client int64 // bytes a second
		atMost        time.Duration
		conns         int64 // open at a time, at most
	}{
		{"slow client", 20 * time.Millisecond, 100 << 20, 20 << 20, 52 * time.Second, 2},
		{"slow store", 20 * time.Millisecond, 20 << 20, 1 << 30, 22 * time.Second, maxAhead + 1},
		{"both fast", 20 * time.Millisecond, 500 << 20, 500 << 20, 5 * time.Second, maxAhead + 1},
		{"distant store", 10 * time.Millisecond, 1 << 30, 1 << 40, time.Second, 5}, // few, but large ranges
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := &slowSource{latency: test.latency, rate: test.store}
				r := NewReader(t.Context(), NewBudget(64<<20), source, nil, 0, 0, size)
				began := time.Now()
				n, err := r.WriteTo(slowWriter{test.client})
				took := time.Since(began)
				if err := errors.Join(err, r.Close()); err != nil || n != size {
					t.Fatalf("%d bytes, %v", n, err)
				}
				if took > test.atMost {
					t.Errorf("took %v, want at most %v", took, test.atMost)
				}
				if most := source.most.Load(); most > test.conns {
					t.Errorf("%d connections at a time, want at most %d", most, test.conns)
				}
				t.Logf("took %v with up to %d connections", took, source.most.Load())
			})
		})
	}
}

// When the client leaves, requests end at once.
func TestReaderCloseCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowSource{latency: time.Hour, rate: 1}
		r := NewReader(t.Context(), NewBudget(64<<20), source, nil, 0, 0, 1<<30)
		go func() { _, _ = r.current() }() // ends with the request
		synctest.Wait()
		began := time.Now()
		_ = r.Close()
		if took := time.Since(began); took > 0 || source.open.Load() != 0 {
			t.Errorf("closed after %v, %d requests left", took, source.open.Load())
		}
	})
}
