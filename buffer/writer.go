package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// ErrTooLarge: the data needs more or larger parts than the Options allow.
var ErrTooLarge = errors.New("file too large")

// PartSink takes what a Writer has gathered. Bodies are valid until the method returns,
// and may be read any number of times.
type PartSink interface {
	// PutPart takes part n, counted from the Writer's FirstPart. It is called
	// concurrently, in no particular order.
	PutPart(ctx context.Context, n int, body io.ReadSeeker, size int64) error
	// PutWhole takes data smaller than a part, instead of any PutPart.
	PutWhole(ctx context.Context, body io.ReadSeeker, size int64) error
}

// Options of a Writer.
type Options struct {
	PartSize  int64 // bytes of the first parts
	InFlight  int   // parts handed to the sink at a time, at most
	FirstPart int   // number of the first part; parts before it are there already
	MaxParts  int   // highest part number
	// Receiving ends when nothing more is to be received; nil: with the Writer's context.
	// What has been received is still handed over.
	Receiving context.Context
}

// readSize is how many bytes are received at a time, at most: what stays in a processor's
// own cache while it is summed up.
const readSize = 256 << 10

// growEvery is after how many parts the part size doubles, as far as the budget allows:
// large files need larger parts to stay within MaxParts.
const growEvery = 1000

// Writer gathers a stream into parts and hands them to a PartSink while it goes on
// receiving. Memory for a part is reserved before its first byte is read: when the
// budget is used up the writer stops reading, and TCP slows the client. Only a client that
// has been slow gets its memory by and by, and has to leave enough of it to the others.
//
// A Writer is used by one goroutine. Close or Abort must be called, once.
type Writer struct {
	ctx    context.Context // ends with the first failed part
	cancel context.CancelCauseFunc
	budget *Budget
	sink   PartSink
	opts   Options
	group  errgroup.Group

	current *part // being filled; nil before the first byte
	next    int   // its number
	slow    bool  // the client has been, lately
	size    int64 // bytes received
}

// NewWriter returns a Writer that works until ctx ends.
func NewWriter(ctx context.Context, budget *Budget, sink PartSink, opts Options) *Writer {
	ctx, cancel := context.WithCancelCause(ctx)
	opts.FirstPart = max(opts.FirstPart, 1)
	if opts.Receiving == nil {
		opts.Receiving = ctx
	}
	opts.PartSize = min(opts.PartSize, budget.LargestPart())
	w := &Writer{ctx: ctx, cancel: cancel, budget: budget, sink: sink, opts: opts, next: opts.FirstPart}
	w.group.SetLimit(max(opts.InFlight, 1))
	return w
}

// Size is how many bytes have been received.
func (w *Writer) Size() int64 { return w.size }

// ReadFrom implements io.ReaderFrom: it receives until r ends, straight into the parts.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	for {
		space, err := w.space()
		if err != nil {
			return total, err
		}
		n, err := r.Read(space[:min(len(space), readSize)])
		total += int64(n)
		if sendErr := w.received(n); sendErr != nil {
			return total, sendErr
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		space, err := w.space()
		if err != nil {
			return total, err
		}
		n := copy(space, p)
		p = p[n:]
		total += n
		if err := w.received(n); err != nil {
			return total, err
		}
	}
	return total, nil
}

// space returns where the next bytes go: at least one byte long.
func (w *Writer) space() ([]byte, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, w.cause()
	}
	if w.current == nil {
		if err := w.startPart(); err != nil {
			return nil, err
		}
	}
	for w.current.filled == w.current.room {
		if err := w.grow(w.current); err != nil {
			return nil, err
		}
	}
	return w.current.space(), nil
}

// startPart begins a part; the first one in a small block.
func (w *Writer) startPart() error {
	size, err := w.partSize(w.next)
	if err != nil {
		return err
	}
	p := &part{size: size}
	if w.next == w.opts.FirstPart && size > SmallBlock {
		b, err := w.budget.small(w.opts.Receiving)
		if err != nil {
			return err
		}
		p.add(b)
	}
	w.current = p
	return nil
}

// grow makes room in a part that has none: in place of a small block a medium one, and
// then a whole part, or if the client is slow one block after the other.
func (w *Writer) grow(p *part) error {
	ctx := w.opts.Receiving
	switch {
	case p.chain:
		blocks, err := w.budget.more(ctx, p.size-p.filled)
		if err == nil {
			p.add(blocks...)
		}
		return err
	case p.room == SmallBlock && mediumBlock < p.size:
		b, err := w.budget.medium(ctx, w.slow)
		if err == nil {
			p.move(b)
		}
		return err
	case w.slow && w.budget.growsByBlocks(p.size):
		blocks, err := w.budget.more(ctx, p.size)
		if err == nil {
			p.chain = true
			p.move(blocks[0])
			p.add(blocks[1:]...)
		}
		return err
	}
	b, err := w.budget.part(ctx, p.size)
	if err == nil {
		p.move(b)
	}
	return err
}

// received counts n bytes put into space, and sends the part if that filled it.
func (w *Writer) received(n int) error {
	p := w.current
	p.take(n)
	w.size += int64(n)
	if p.filled == p.room || p.filled == p.size {
		w.slow = p.slow()
	}
	if p.filled < p.size {
		return nil
	}
	return w.send()
}

// send hands the current part to the sink and returns as soon as a worker is free.
func (w *Writer) send() error {
	p, n := w.current, w.next
	w.current = nil
	w.next++
	w.group.Go(func() error {
		defer p.release()
		if err := w.sink.PutPart(w.ctx, n, p.body(), p.filled); err != nil {
			err = fmt.Errorf("put part %d: %w", n, err)
			w.cancel(err)
			return err
		}
		return nil
	})
	if w.ctx.Err() != nil {
		return w.cause()
	}
	return nil
}

// partSize is the size of part n: doubled every growEvery parts, up to the Budget's GrownPart.
func (w *Writer) partSize(n int) (int64, error) {
	if w.opts.MaxParts > 0 && n > w.opts.MaxParts {
		return 0, fmt.Errorf("%w: more than %d parts", ErrTooLarge, w.opts.MaxParts)
	}
	largest := w.budget.GrownPart(w.opts.PartSize, w.opts.InFlight)
	size := w.opts.PartSize
	for range (n - 1) / growEvery { // those before FirstPart count against MaxParts, too
		size = min(size*2, largest)
	}
	return size, nil
}

// Close hands over what is left and waits for all parts. nil: the sink has taken every
// byte.
func (w *Writer) Close() error {
	defer w.cancel(nil)
	defer w.drop()
	if w.ctx.Err() != nil {
		_ = w.group.Wait() // cause tells it
		return w.cause()
	}
	if w.next == w.opts.FirstPart && w.opts.FirstPart == 1 {
		return w.putWhole()
	}
	if w.current != nil && w.current.filled > 0 {
		_ = w.send() // Wait tells it
	}
	if w.group.Wait() != nil { // perhaps with the error of a part that was cancelled
		return w.cause()
	}
	return nil
}

func (w *Writer) putWhole() error {
	if w.current == nil {
		return w.sink.PutWhole(w.ctx, bytes.NewReader(nil), 0)
	}
	return w.sink.PutWhole(w.ctx, w.current.body(), w.current.filled)
}

// Flush hands over what is left, if that is at least enough for a part that others can
// follow, and waits for all parts; an error means that some were not taken. It takes the
// place of Close when no more is to come, though more was expected.
func (w *Writer) Flush(enough int64) {
	if p := w.current; w.ctx.Err() == nil && p != nil && p.filled > 0 && p.filled >= enough {
		_ = w.send() // the sink knows what it has taken
	}
	_ = w.group.Wait() // likewise
	w.cancel(nil)
	w.drop()
}

// Abort stops at once: parts in flight are cancelled and waited for.
func (w *Writer) Abort() {
	w.cancel(context.Canceled)
	_ = w.group.Wait() // cancelled on purpose
	w.drop()
}

func (w *Writer) drop() {
	w.current.release()
	w.current = nil
}

// cause is why the writer's context ended: the first failed part, if one failed.
func (w *Writer) cause() error { return context.Cause(w.ctx) }
