package buffer

import (
	"bytes"
	"context"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// lendable is store.Lendable.
type lendable interface {
	Lend() bool
	GiveBack()
}

// lendingSink puts the beginning of each part into a pipe, without copying it.
type lendingSink struct {
	t              *testing.T
	lend, giveBack int // how often
	pipe           *pipe
}

func (s *lendingSink) PutPart(_ context.Context, _ int, body io.ReadSeeker, _ int64) error {
	lent, ok := body.(lendable)
	if !ok {
		s.t.Fatal("a part cannot be lent")
	}
	for range s.lend {
		if !lent.Lend() {
			s.t.Error("a part is not lent")
		}
	}
	_, err := body.(io.WriterTo).WriteTo(s)
	for range s.giveBack {
		lent.GiveBack()
	}
	return err
}

// Write implements io.Writer.
func (s *lendingSink) Write(p []byte) (int, error) {
	v := unix.Iovec{Base: &p[0]}
	v.SetLen(8)
	_, err := unix.Vmsplice(s.pipe.write, []unix.Iovec{v}, 0)
	return len(p), err
}

func (s *lendingSink) PutWhole(_ context.Context, _ io.ReadSeeker, _ int64) error { return nil }

// What has been lent and not been given back stays as it is for whoever reads it, and is not
// used again.
func TestLentMemory(t *testing.T) {
	const size = 8 << 20
	for _, c := range []struct {
		name           string
		lend, giveBack int
		again          bool
	}{
		{"never lent", 0, 0, true},
		{"given back", 1, 1, true},
		{"not given back", 1, 0, false},
		{"lent twice, given back once", 2, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			budget := NewBudget(64 << 20)
			pipe, err := budget.newPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.release()
			w := NewWriter(t.Context(), budget, &lendingSink{t, c.lend, c.giveBack, pipe}, Options{PartSize: size, InFlight: 1})
			for _, text := range []string{"1st part", "2nd part"} { // the second one when the first has been put
				if _, err := w.Write(bytes.Repeat([]byte(text), size/len(text))); err != nil {
					t.Fatal(err)
				}
				if err := w.group.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			var read [16]byte
			if _, err := unix.Read(pipe.read, read[:]); err != nil {
				t.Fatal(err)
			}
			if got := string(read[:8]) == "2nd part"; got != c.again || string(read[8:]) != "2nd part" {
				t.Errorf("the pipe holds %q", read)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			budget.unused(t)
			kept := int64(0)
			for size, list := range budget.memory.free {
				kept += size * int64(len(list))
			}
			if kept != budget.memory.allocated {
				t.Errorf("%d bytes count as allocated, %d are there", budget.memory.allocated, kept)
			}
		})
	}
}

// Memory from Go's heap would be used again by others: it is not lent.
func TestHeapIsNotLent(t *testing.T) {
	p := &part{size: SmallBlock}
	p.add(&block{region: allocate(SmallBlock)})
	p.take(10)
	if p.body().(lendable).Lend() {
		t.Error("a small block was lent")
	}
}
