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

// growEvery is after how many parts the part size doubles, as far as the budget allows:
// large files need larger parts to stay within MaxParts.
const growEvery = 1000

// Writer gathers a stream into parts and hands them to a PartSink while it goes on
// receiving. Memory for a part is reserved before its first byte is read: when the
// budget is used up the writer stops reading, and TCP slows the client.
//
// A Writer is used by one goroutine. Close or Abort must be called, once.
type Writer struct {
	ctx    context.Context // ends with the first failed part
	cancel context.CancelCauseFunc
	budget *Budget
	sink   PartSink
	opts   Options
	group  *errgroup.Group

	current *block // being filled; nil before the first byte
	filled  int64  // bytes of current in use
	next    int    // number of the part being filled
	size    int64  // bytes received
}

// NewWriter returns a Writer that works until ctx ends.
func NewWriter(ctx context.Context, budget *Budget, sink PartSink, opts Options) *Writer {
	ctx, cancel := context.WithCancelCause(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(opts.InFlight, 1))
	opts.FirstPart = max(opts.FirstPart, 1)
	if opts.Receiving == nil {
		opts.Receiving = ctx
	}
	opts.PartSize = min(opts.PartSize, budget.LargestPart())
	return &Writer{ctx: ctx, cancel: cancel, budget: budget, sink: sink, opts: opts, group: group, next: opts.FirstPart}
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
		n, err := r.Read(space)
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
	switch {
	case w.current == nil:
		return w.startPart()
	case w.filled == int64(len(w.current.bytes)): // only a small or medium block is ever left full
		return w.grow()
	}
	return w.current.bytes[w.filled:], nil
}

// startPart begins a part; the first one in a small block.
func (w *Writer) startPart() ([]byte, error) {
	size, err := w.partSize(w.next)
	if err != nil {
		return nil, err
	}
	if w.next == w.opts.FirstPart && size > SmallBlock {
		return w.start(w.budget.small(w.opts.Receiving))
	}
	return w.start(w.budget.part(w.opts.Receiving, size))
}

func (w *Writer) start(b *block, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	w.current, w.filled = b, 0
	return b.bytes, nil
}

// grow moves a full block into a larger one: a medium one, and then a whole part.
func (w *Writer) grow() ([]byte, error) {
	full := w.current
	larger, err := w.larger(int64(len(full.bytes)))
	if err != nil {
		return nil, err
	}
	copy(larger.bytes, full.bytes)
	full.release()
	w.current = larger
	return larger.bytes[w.filled:], nil
}

// larger waits for the block that follows one of so many bytes.
func (w *Writer) larger(than int64) (*block, error) {
	if than < mediumBlock && mediumBlock < w.opts.PartSize {
		return w.budget.medium(w.opts.Receiving)
	}
	size, err := w.partSize(w.next)
	if err != nil {
		return nil, err
	}
	return w.budget.part(w.opts.Receiving, size)
}

// received counts n bytes put into space, and sends the part if that filled it.
func (w *Writer) received(n int) error {
	w.filled += int64(n)
	w.size += int64(n)
	if w.filled < int64(len(w.current.bytes)) || w.growing() {
		return nil
	}
	return w.send()
}

// growing tells whether a larger block would follow the current one.
func (w *Writer) growing() bool {
	return int64(len(w.current.bytes)) < w.opts.PartSize
}

// send hands the current part to the sink and returns as soon as a worker is free.
func (w *Writer) send() error {
	part, n, size := w.current, w.next, w.filled
	w.current, w.filled = nil, 0
	w.next++
	w.group.Go(func() error {
		defer part.release()
		if err := w.sink.PutPart(w.ctx, n, bytes.NewReader(part.bytes[:size]), size); err != nil {
			return fmt.Errorf("put part %d: %w", n, err)
		}
		return nil
	})
	if w.ctx.Err() != nil {
		return w.cause()
	}
	return nil
}

// partSize is the size of part n: doubled every growEvery parts, within the memory that
// the parts in flight and the one being filled can have.
func (w *Writer) partSize(n int) (int64, error) {
	if w.opts.MaxParts > 0 && n > w.opts.MaxParts {
		return 0, fmt.Errorf("%w: more than %d parts", ErrTooLarge, w.opts.MaxParts)
	}
	largest := max(w.budget.LargestPart()/int64(max(w.opts.InFlight, 1)+1), w.opts.PartSize)
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
	if err := w.ctx.Err(); err != nil {
		_ = w.group.Wait() // cause tells it
		return w.cause()
	}
	if w.next == w.opts.FirstPart && w.opts.FirstPart == 1 {
		return w.putWhole()
	}
	if w.filled > 0 {
		if err := w.send(); err != nil {
			_ = w.group.Wait() // cause tells it
			return err
		}
	}
	return w.group.Wait()
}

func (w *Writer) putWhole() error {
	var body []byte
	if w.current != nil {
		body = w.current.bytes[:w.filled]
	}
	return w.sink.PutWhole(w.ctx, bytes.NewReader(body), int64(len(body)))
}

// Flush hands over what is left, if that is at least enough for a part that others can
// follow, and waits for all parts; an error means that some were not taken. It takes the
// place of Close when no more is to come, though more was expected.
func (w *Writer) Flush(enough int64) {
	if w.ctx.Err() == nil && w.filled >= enough {
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
