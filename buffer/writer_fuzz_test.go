package buffer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// FuzzWriter: whatever the chunks, sizes and failures, what was handed over is what came
// in; and the memory is given back.
func FuzzWriter(f *testing.F) {
	for _, size := range []uint32{0, 1, SmallBlock - 1, SmallBlock, SmallBlock + 1, testPart - 1, testPart, testPart + 1, 4 * testPart, 5*testPart - 1} {
		f.Add(size, uint8(2), uint8(1), uint8(0), uint64(1), false)
		f.Add(size, uint8(1), uint8(7), uint8(2), uint64(2), true)
	}
	f.Fuzz(func(t *testing.T, size uint32, inFlight, first, fails uint8, seed uint64, byRead bool) {
		w := fuzzedWriter{
			random: rand.New(rand.NewPCG(seed, 0)), fails: int(fails), failed: errors.New("no luck"),
			first: max(int(first), 1), sink: newSink(), budget: NewBudget(8 * testPart),
			data: make([]byte, size%(6*testPart)),
		}
		for i := range w.data {
			w.data[i] = byte(i ^ i>>8 ^ i>>16)
		}
		w.run(t, Options{PartSize: testPart, InFlight: int(inFlight % 6), FirstPart: int(first)}, byRead)
	})
}

type fuzzedWriter struct {
	random *rand.Rand
	data   []byte
	first  int
	fails  int // the part that fails; 0: none
	failed error
	sink   *sink
	budget *Budget
}

func (f *fuzzedWriter) run(t *testing.T, opts Options, byRead bool) {
	f.sink.put = func(n int) error {
		if n == f.fails {
			return f.failed
		}
		return nil
	}
	w := NewWriter(t.Context(), f.budget, f.sink, opts)
	var err error
	if byRead {
		_, err = w.ReadFrom(&chunks{bytes.NewReader(f.data), f.random})
	} else {
		err = f.writeChunks(w)
	}
	if err == nil && w.Size() != int64(len(f.data)) {
		t.Errorf("size %d of %d bytes", w.Size(), len(f.data))
	}
	if err == nil || f.random.IntN(2) == 0 {
		err = errors.Join(err, w.Close())
	} else {
		w.Abort()
	}
	f.judge(t, err)
}

func (f *fuzzedWriter) judge(t *testing.T, err error) {
	if used := f.budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget still used", used)
	}
	reached := f.fails >= f.first && f.fails < f.first+(len(f.data)+testPart-1)/testPart && (f.first > 1 || len(f.data) >= testPart)
	if reached != errors.Is(err, f.failed) || !reached && err != nil {
		t.Fatalf("error %v; part %d reached: %v", err, f.fails, reached)
	}
	if reached {
		return
	}
	if got := f.sink.content(f.first); !bytes.Equal(got, f.data) {
		t.Errorf("%d bytes handed over, of %d, or others", len(got), len(f.data))
	}
	for n, part := range f.sink.parts {
		if len(part) != testPart && n != f.first+len(f.sink.parts)-1 {
			t.Errorf("part %d of %d has %d bytes", n, len(f.sink.parts), len(part))
		}
	}
}

func (f *fuzzedWriter) writeChunks(w *Writer) error {
	for rest := f.data; len(rest) > 0; {
		n := chunk(f.random, len(rest))
		written, err := w.Write(rest[:n])
		if err != nil {
			return err
		}
		rest = rest[written:]
	}
	return nil
}

// chunk is how many of n bytes come next: mostly a packet, sometimes one byte or all.
func chunk(random *rand.Rand, n int) int {
	switch random.IntN(10) {
	case 0:
		return 1
	case 1:
		return n
	}
	return min(n, 1+random.IntN(2*SmallBlock))
}

// chunks is a connection: reads return what has come, some of them nothing.
type chunks struct {
	from   *bytes.Reader
	random *rand.Rand
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.from.Len() == 0 {
		return 0, io.EOF
	}
	if c.random.IntN(20) == 0 {
		return 0, nil
	}
	n, err := c.from.Read(p[:min(len(p), chunk(c.random, c.from.Len()))])
	if c.from.Len() == 0 && c.random.IntN(2) == 0 {
		err = io.EOF // together with the last bytes
	}
	return n, err
}

// FuzzReader: whatever breaks, a Reader gives the object's bytes, or an error.
func FuzzReader(f *testing.F) {
	f.Add(uint16(1000), uint16(10), uint16(90), uint16(100))
	f.Add(uint16(0), uint16(0), uint16(0), uint16(0))
	f.Add(uint16(1000), uint16(0), uint16(0), uint16(1000))
	f.Add(uint16(1000), uint16(999), uint16(1), uint16(0))
	f.Fuzz(func(t *testing.T, size, off, each, first uint16) {
		if off > size {
			return
		}
		source := &brokenSource{data: make([]byte, size), each: int64(each)}
		for i := range source.data {
			source.data[i] = byte(i ^ i>>8)
		}
		var body io.ReadCloser
		if first > 0 {
			end := min(int(off)+int(first), int(size))
			body = io.NopCloser(bytes.NewReader(source.data[off:end]))
		}
		r := NewReader(t.Context(), NewBudget(testPart), source, body, int64(off), int64(first), int64(size))
		defer func() { _ = r.Close() }()
		var got bytes.Buffer
		_, err := r.WriteTo(&got)
		want := source.data[off:]
		switch {
		case err == nil && !bytes.Equal(got.Bytes(), want):
			t.Errorf("%d bytes, want %d, or others, and no error", got.Len(), len(want))
		case !bytes.HasPrefix(want, got.Bytes()):
			t.Errorf("%d bytes that are not the first ones", got.Len())
		case err != nil && each > 0:
			t.Errorf("given up after %d bytes: %v", got.Len(), err)
		}
	})
}
