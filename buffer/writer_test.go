package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink keeps what a Writer hands over.
type sink struct {
	mu    sync.Mutex
	parts map[int][]byte
	whole []byte
	put   func(n int) error // called before a part is taken
}

func newSink() *sink { return &sink{parts: make(map[int][]byte)} }

func (s *sink) PutPart(_ context.Context, n int, body io.ReadSeeker, size int64) error {
	if s.put != nil {
		if err := s.put(n); err != nil {
			return err
		}
	}
	data, err := readAll(body)
	if err != nil || int64(len(data)) != size {
		return fmt.Errorf("part %d: %d bytes of %d: %w", n, len(data), size, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[n] = data
	return nil
}

func (s *sink) PutWhole(_ context.Context, body io.ReadSeeker, size int64) error {
	data, err := readAll(body)
	if err != nil || int64(len(data)) != size {
		return fmt.Errorf("whole: %d bytes of %d: %w", len(data), size, err)
	}
	s.whole = data
	return nil
}

// readAll also checks the sum that a body comes with. One of nothing needs none.
func readAll(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(body)
	if err != nil || len(data) == 0 {
		return data, err
	}
	said := body.(interface{ CRC32C() uint32 }).CRC32C()
	if sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)); sum != said {
		return data, fmt.Errorf("its CRC-32C is said to be %x, and is %x", said, sum)
	}
	return data, nil
}

// content is all that was handed over, in order.
func (s *sink) content(first int) []byte {
	if s.whole != nil {
		return s.whole
	}
	var all []byte
	for n := first; n < first+len(s.parts); n++ {
		all = append(all, s.parts[n]...)
	}
	return all
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(rand.Uint32())}).Read(data) // never fails
	return data
}

const testPart = 3 * SmallBlock

func TestWriterSizes(t *testing.T) {
	for _, part := range []int{SmallBlock, testPart, 3 * mediumBlock} {
		for _, size := range edgesOf(part) {
			t.Run(fmt.Sprint(part, " ", size), func(t *testing.T) { testWriterSize(t, part, size) })
		}
	}
}

// edgesOf are the sizes at which an upload in such parts changes its ways.
func edgesOf(part int) []int {
	sizes := []int{0, 1}
	for _, edge := range []int{SmallBlock, mediumBlock, 2 * mediumBlock, part, part + mediumBlock, 2 * part, 5 * part} {
		sizes = append(sizes, edge-1, edge, edge+1)
	}
	return sizes
}

func testWriterSize(t *testing.T, part, size int) {
	data := randomBytes(size)
	for name, send := range map[string]func(*Writer) error{
		"ReadFrom": func(w *Writer) error { _, err := w.ReadFrom(iotest.HalfReader(bytes.NewReader(data))); return err },
		"Write":    func(w *Writer) error { _, err := w.Write(data); return err },
	} {
		budget := NewBudget(20 << 20)
		s := newSink()
		w := NewWriter(t.Context(), budget, s, Options{PartSize: int64(part), InFlight: 2})
		if err := send(w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := w.Close(); err != nil {
			t.Fatalf("%s: close: %v", name, err)
		}
		if !bytes.Equal(s.content(1), data) {
			t.Errorf("%s: content differs", name)
		}
		if got := len(s.parts); got != (size+part-1)/part && size >= part || got != 0 && size < part {
			t.Errorf("%s: %d bytes made %d parts", name, size, got)
		}
		if used := budget.Used(); used != 0 {
			t.Errorf("%s: %d bytes of the budget still used", name, used)
		}
	}
}

func TestWriterAfterBase(t *testing.T) {
	s := newSink()
	w := NewWriter(t.Context(), NewBudget(20*testPart), s, Options{PartSize: testPart, InFlight: 2, FirstPart: 4})
	if _, err := w.Write([]byte("tail")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := string(s.parts[4]); got != "tail" || s.whole != nil {
		t.Errorf("part 4 is %q, whole %q", got, s.whole)
	}
}

func TestWriterStopsAtFailedPart(t *testing.T) {
	failed := errors.New("no luck")
	budget := NewBudget(20 * testPart)
	s := newSink()
	s.put = func(n int) error {
		if n == 2 {
			return failed
		}
		return nil
	}
	w := NewWriter(t.Context(), budget, s, Options{PartSize: testPart, InFlight: 2})
	_, err := w.ReadFrom(endless{})
	if !errors.Is(err, failed) {
		t.Errorf("ReadFrom: %v, want %v", err, failed)
	}
	if err := w.Close(); !errors.Is(err, failed) {
		t.Errorf("Close: %v, want %v", err, failed)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget still used", used)
	}
}

// However many parts fail, and in whatever order they end, the first is told of: those that
// were cancelled because of it say nothing.
func TestWriterTellsTheFirstFailure(t *testing.T) {
	failed := errors.New("no luck")
	for range 2000 {
		var both sync.WaitGroup
		both.Add(2)
		s := &cancelled{sink: newSink(), both: &both, err: failed}
		w := NewWriter(t.Context(), NewBudget(20*testPart), s, Options{PartSize: testPart, InFlight: 2})
		if _, err := w.Write(make([]byte, testPart+1)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); !errors.Is(err, failed) {
			t.Fatalf("Close: %v, want %v", err, failed)
		}
	}
}

// cancelled fails with the first part, and cancels those under way.
type cancelled struct {
	*sink
	both *sync.WaitGroup // of the parts under way
	err  error
}

func (s *cancelled) PutPart(ctx context.Context, n int, _ io.ReadSeeker, _ int64) error {
	s.both.Done()
	s.both.Wait()
	if n == 1 {
		return s.err
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestWriterAbort(t *testing.T) {
	budget := NewBudget(20 * testPart)
	w := NewWriter(t.Context(), budget, newSink(), Options{PartSize: testPart, InFlight: 2})
	if _, err := w.Write(randomBytes(2*testPart + 5)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget still used", used)
	}
}

func TestWriterTooManyParts(t *testing.T) {
	w := NewWriter(t.Context(), NewBudget(20*testPart), newSink(), Options{PartSize: testPart, InFlight: 1, MaxParts: 3})
	_, err := w.ReadFrom(endless{})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadFrom: %v, want %v", err, ErrTooLarge)
	}
	w.Abort()
}

// An upload that goes on behind many parts is allowed no more of them, and so needs parts
// as large as if it had never stopped.
func TestWriterFarBehind(t *testing.T) {
	budget := NewBudget(512 << 20)
	opts := Options{PartSize: 8 << 20, InFlight: 4, MaxParts: 10_000}
	whole := NewWriter(t.Context(), budget, newSink(), opts)
	defer whole.Abort()
	opts.FirstPart = 9_500
	resumed := NewWriter(t.Context(), budget, newSink(), opts)
	defer resumed.Abort()
	want, err := whole.partSize(9_600)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := resumed.partSize(9_600); err != nil || got != want {
		t.Errorf("a part of %d bytes, %v; want %d", got, err, want)
	}
}

// Behind the last part there is no room, not even for a byte.
func TestWriterBehindTheLastPart(t *testing.T) {
	budget := NewBudget(20 * testPart)
	for first, want := range map[int]error{3: nil, 4: ErrTooLarge} {
		s := newSink()
		w := NewWriter(t.Context(), budget, s, Options{PartSize: testPart, InFlight: 1, FirstPart: first, MaxParts: 3})
		_, err := w.Write([]byte("x"))
		if err == nil {
			err = w.Close()
		} else {
			w.Abort()
		}
		if !errors.Is(err, want) || want != nil && len(s.parts) > 0 {
			t.Errorf("part %d: %v, %d parts", first, err, len(s.parts))
		}
	}
}

// Exactly as many full parts as there may be are no error; a byte more is.
func TestWriterLastPartIsFull(t *testing.T) {
	for _, more := range []int{-1, 0, 1} {
		s := newSink()
		w := NewWriter(t.Context(), NewBudget(20*testPart), s, Options{PartSize: testPart, InFlight: 2, MaxParts: 3})
		data := randomBytes(3*testPart + more)
		_, err := w.Write(data)
		if more > 0 {
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%d bytes: %v", len(data), err)
			}
			w.Abort()
			continue
		}
		if err = errors.Join(err, w.Close()); err != nil || !bytes.Equal(s.content(1), data) {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
}

func TestWriterFlush(t *testing.T) {
	for _, test := range []struct{ size, enough, taken int }{
		{0, 1, 0},
		{1, 1, 1},
		{100, 101, 0},
		{SmallBlock, SmallBlock, SmallBlock},
		{testPart, 1, testPart},
		{testPart + 99, 100, testPart},
		{testPart + 100, 100, testPart + 100},
		{3*testPart - 1, testPart, 2 * testPart},
	} {
		budget, s := NewBudget(20*testPart), newSink()
		w := NewWriter(t.Context(), budget, s, Options{PartSize: testPart, InFlight: 2})
		data := randomBytes(test.size)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		w.Flush(int64(test.enough))
		if !bytes.Equal(s.content(1), data[:test.taken]) || s.whole != nil {
			t.Errorf("%d bytes: %d taken, want %d", test.size, len(s.content(1)), test.taken)
		}
		if used := budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget still used", used)
		}
	}
}

// After a failed part, those that were taken stay so.
func TestWriterFlushAfterFailure(t *testing.T) {
	budget, s := NewBudget(20*testPart), newSink()
	s.put = func(n int) error {
		if n == 2 {
			return errors.New("no luck")
		}
		return nil
	}
	w := NewWriter(t.Context(), budget, s, Options{PartSize: testPart, InFlight: 1})
	if _, err := w.ReadFrom(endless{}); err == nil {
		t.Fatal("no error")
	}
	w.Flush(1)
	if s.parts[1] == nil || s.parts[2] != nil {
		t.Errorf("part 1 taken: %v, part 2: %v", s.parts[1] != nil, s.parts[2] != nil)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget still used", used)
	}
}

// What has been received is handed over though nothing more is to be received.
func TestWriterStopsReceiving(t *testing.T) {
	receiving, stop := context.WithCancel(t.Context())
	s := newSink()
	w := NewWriter(t.Context(), NewBudget(20*testPart), s, Options{PartSize: testPart, InFlight: 2, Receiving: receiving})
	data := randomBytes(2*testPart + SmallBlock)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	stop()
	_, err := w.ReadFrom(endless{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ReadFrom: %v", err)
	}
	w.Flush(1)
	if got := s.content(1); len(got) < len(data) || !bytes.Equal(got[:len(data)], data) {
		t.Errorf("%d bytes taken", len(got))
	}
}

// A part may be as large as the memory allows while InFlight others are on their way.
func TestWriterPartSizes(t *testing.T) {
	budget := NewBudget(512 << 20)
	w := NewWriter(t.Context(), budget, newSink(), Options{PartSize: 8 << 20, InFlight: 4, MaxParts: 10_000})
	defer w.Abort()
	var total int64
	last := int64(0)
	for n := 1; n <= 10_000; n++ {
		size, err := w.partSize(n)
		if err != nil || size < last || 5*size > budget.partBytes {
			t.Fatalf("part %d: %d bytes after %d, %v", n, size, last, err)
		}
		last = size
		total += size
	}
	if total < 400<<30 {
		t.Errorf("10,000 parts hold only %d GiB", total>>30)
	}
}

// Parts double every thousand, until they have what the budget says, and never more.
func TestWriterPartsGrow(t *testing.T) {
	for _, memory := range []int64{10 << 20, 64 << 20, 512 << 20, 64 << 30} {
		for _, first := range []int64{5 << 20, 8 << 20, 1 << 30, 5 << 30} {
			budget := NewBudget(memory)
			grown := budget.GrownPart(first, 4)
			w := NewWriter(t.Context(), budget, newSink(), Options{PartSize: first, InFlight: 4})
			want := min(first, budget.LargestPart())
			for n := 1; n < 20*growEvery; n += growEvery {
				from, errFrom := w.partSize(n)
				to, errTo := w.partSize(n + growEvery - 1)
				if err := errors.Join(errFrom, errTo); err != nil || from != want || to != want {
					t.Fatalf("%d MiB of memory: parts from %d on have %d to %d bytes, %v; want %d", memory>>20, n, from, to, err, want)
				}
				want = min(2*want, grown)
			}
			if want != grown || grown > max(first, maxGrown) {
				t.Errorf("%d MiB of memory: parts become %d bytes, not %d", memory>>20, want, grown)
			}
			w.Abort()
		}
	}
}

// Any number of writers of any sizes finish on any budget that holds one part.
func TestWritersShareBudget(t *testing.T) {
	for range 20 {
		shareBudget(t, testPart, int64(2+rand.IntN(8))*testPart)
	}
	for range 4 { // parts so large that medium blocks come before them
		shareBudget(t, 3*mediumBlock, int64(8+rand.IntN(16))*mediumBlock)
	}
}

func shareBudget(t *testing.T, part int, memory int64) {
	t.Helper()
	budget := NewBudget(memory)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			data := randomBytes(rand.IntN(4 * part))
			s := newSink()
			w := NewWriter(t.Context(), budget, s, Options{PartSize: int64(part), InFlight: 1 + rand.IntN(3)})
			_, err := w.ReadFrom(bytes.NewReader(data))
			if err = errors.Join(err, w.Close()); err != nil {
				t.Errorf("memory %d: %v", memory, err)
			}
			if !bytes.Equal(s.content(1), data) {
				t.Errorf("memory %d: content differs", memory)
			}
		})
	}
	wg.Wait()
	if used := budget.Used(); used != 0 {
		t.Fatalf("memory %d: %d bytes of the budget still used", memory, used)
	}
	if budget.memory.allocated > max(budget.size, int64(part)) {
		t.Fatalf("memory %d: %d bytes allocated, budget %d", memory, budget.memory.allocated, budget.size)
	}
}

func TestBudgetWaitEndsWithContext(t *testing.T) {
	budget := NewBudget(8 << 20)
	held, err := budget.part(t.Context(), budget.LargestPart())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := budget.part(ctx, testPart); !errors.Is(err, context.Canceled) {
		t.Errorf("part: %v, want %v", err, context.Canceled)
	}
	held.release()
}

// endless is a reader without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
