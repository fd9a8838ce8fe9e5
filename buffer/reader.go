package buffer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Source opens ranges of a stored object.
type Source interface {
	// Open returns the bytes [off, off+n). All calls give bytes of the same version of the
	// object, or fail. It is called concurrently.
	Open(ctx context.Context, off, n int64) (io.ReadCloser, error)
}

// FirstRange is how many bytes a download should ask for first: smaller files are one
// request.
const FirstRange = soloRange

// The sizes of the further ranges, in bytes. One range ahead hides the store's latency,
// and may be large. Several ranges ahead add up the throughput of several connections
// while they fill their sockets' buffers, which are a few MiB.
const (
	soloRange     = 32 << 20
	parallelRange = 4 << 20
)

// maxBroken is how often in a row a body may break without a byte of progress.
const maxBroken = 3

// Reader reads an object from an offset to its end. It opens ranges ahead of the client,
// more of them while that makes it faster. A body that breaks is opened again where it
// broke off, unseen by the client. It never ends early: fewer bytes than the object has
// are io.ErrUnexpectedEOF.
//
// What is read ahead waits in the connections to the store, where TCP bounds it. A Reader
// is used by one goroutine. Close must be called.
type Reader struct {
	// Latency is how long the store takes to open a range. It may be set before the first
	// read, to what opening the first body has taken.
	Latency time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	budget *Budget
	source Source
	size   int64 // of the object

	off     int64        // of the next byte for the client
	ranges  []*openRange // being read, and ahead, in order
	planned int64        // where the next range to be opened begins
	broken  int          // times in a row that a body broke without progress
	pace    pace
	opening sync.WaitGroup
}

// openRange is a range that is open, or being opened.
type openRange struct {
	end   int64
	ready chan struct{} // closed when body or err is set
	body  io.ReadCloser
	err   error
	took  time.Duration // to open it; 0: it was open already
}

// NewReader reads the bytes [off, size) of source. body, if not nil, holds the first n of
// them and is closed by the Reader.
func NewReader(ctx context.Context, budget *Budget, source Source, body io.ReadCloser, off, n, size int64) *Reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{ctx: ctx, cancel: cancel, budget: budget, source: source, size: size, off: off, planned: off, pace: newPace()}
	if body != nil {
		first := &openRange{end: min(off+n, size), ready: make(chan struct{}), body: body}
		close(first.ready)
		r.ranges = append(r.ranges, first)
		r.planned = first.end
	}
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	return r.take(func(body io.Reader, n int64) (int, error) { return body.Read(p[:min(int64(len(p)), n)]) })
}

// take lets fill take bytes from the range that the next one comes from, of which n are
// left.
func (r *Reader) take(fill func(body io.Reader, n int64) (int, error)) (int, error) {
	for {
		if r.off >= r.size {
			return 0, io.EOF
		}
		current, err := r.current()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		n, err := fill(current.body, current.end-r.off)
		r.pace.store += time.Since(began)
		if errors.Is(err, errNotCarried) {
			return 0, err
		}
		r.received(n)
		switch {
		case r.off == current.end:
			r.drop()
		case err != nil:
			if err := r.broke(current, err); err != nil {
				return n, err
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (r *Reader) received(n int) {
	r.off += int64(n)
	r.pace.bytes += int64(n)
	if n > 0 {
		r.broken = 0
	}
}

// current is the range that the next byte comes from, open; those ahead are on their way.
func (r *Reader) current() (*openRange, error) {
	r.pace.adapt(r.planned - r.off)
	for len(r.ranges) <= r.ahead() && r.planned < r.size {
		end := min(r.planned+r.rangeSize(), r.size)
		r.ranges = append(r.ranges, r.open(r.planned, end))
		r.planned = end
	}
	first := r.ranges[0]
	began := time.Now()
	<-first.ready
	r.pace.store += time.Since(began)
	if first.err != nil {
		return nil, fmt.Errorf("open at %d: %w", r.off, first.err)
	}
	r.Latency = cmp.Or(first.took, r.Latency)
	return first, nil
}

// soon is how many bytes before the end of a range the next one is opened, when one ahead
// is enough: twice as many as the client takes while it is being opened. What waits in a
// socket for longer has left the processor's caches.
func (r *Reader) soon() int64 {
	return max(minSoon, int64(2*r.Latency.Seconds()*r.pace.rate()))
}

const minSoon = 2 << 20

// rangeSize is how large the next range is to be. The more distant the store, the larger.
func (r *Reader) rangeSize() int64 {
	if r.pace.ahead > 1 {
		return min(max(parallelRange, r.soon()), soloRange)
	}
	return soloRange
}

// ahead is how many ranges should be open ahead of the current one now.
func (r *Reader) ahead() int {
	if r.pace.ahead == 1 && len(r.ranges) > 0 && r.ranges[0].end-r.off > r.soon() {
		return 0
	}
	return r.pace.ahead
}

func (r *Reader) open(off, end int64) *openRange {
	o := &openRange{end: end, ready: make(chan struct{})}
	r.opening.Go(func() {
		defer close(o.ready)
		began := time.Now()
		o.body, o.err = r.source.Open(r.ctx, off, end-off)
		o.took = time.Since(began)
	})
	return o
}

// drop closes the range that has been read to its end.
func (r *Reader) drop() {
	_ = r.ranges[0].body.Close() // every byte has come
	r.ranges = r.ranges[1:]
}

// broke replaces a body that ended too early by one of the rest. It returns an error once
// that has happened too often in a row, or if nobody waits for the rest.
func (r *Reader) broke(o *openRange, err error) error {
	_ = o.body.Close() // it is broken already
	r.broken++
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if r.broken >= maxBroken {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read at %d: %w", r.off, err)
	}
	r.ranges[0] = r.open(r.off, o.end)
	return nil
}

// WriteTo implements io.WriterTo: it sends the rest of the object to w.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	c, err := r.newCarrier(w)
	if err != nil {
		return 0, err
	}
	total, err := r.carry(c, w)
	c.release()
	if !errors.Is(err, errNotCarried) {
		return total, err
	}
	// Such as a body under TLS, which has to come through memory.
	memory, err := r.budget.chunk(r.ctx, min(r.size-r.off, copyChunk))
	if err != nil {
		return total, err
	}
	defer memory.release()
	rest, err := r.carry(memory, w)
	return total + rest, err
}

// carry sends the rest of the object to w, a piece after another.
func (r *Reader) carry(c carrier, w io.Writer) (int64, error) {
	var total int64
	for {
		n, err := r.take(c.fill)
		if n > 0 {
			began := time.Now()
			sent, writeErr := c.empty(w, n)
			r.pace.client += time.Since(began)
			total += int64(sent)
			if writeErr != nil {
				return total, writeErr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Close ends the reading: requests under way are cancelled at once, and waited for.
func (r *Reader) Close() error {
	r.cancel()
	r.opening.Wait()
	var failed error
	for _, o := range r.ranges {
		if o.body != nil {
			failed = errors.Join(failed, o.body.Close())
		}
	}
	r.ranges = nil
	return failed
}

// maxAhead is the most ranges that are open ahead of the one being read.
const maxAhead = 8

// paceWindow is after how many bytes the pace is looked at.
const paceWindow = 32 << 20

// pace decides how many ranges to open ahead. It begins with one, which hides latency.
// While the store is what the client waits for, it tries twice as many, and keeps them if
// that was faster.
type pace struct {
	ahead int

	last   float64       // bytes a second in the window before
	began  time.Time     // of this window
	bytes  int64         // delivered in this window
	store  time.Duration // spent waiting for the store in this window
	client time.Duration // spent waiting for the client in this window

	settle int64   // bytes still to come from ranges opened before the last step
	before float64 // bytes a second before the last step up; 0: none is being tried
	done   bool    // a step up has not helped
}

func newPace() pace { return pace{ahead: 1, began: time.Now()} }

// worthIt is how much faster twice the connections must be.
const worthIt = 1.2

// adapt looks at the window, once it is full. opened is how many bytes are still to come
// from the ranges that are open: they tell nothing of a step taken now.
func (p *pace) adapt(opened int64) {
	switch {
	case p.settle > 0 && p.bytes >= p.settle:
		p.settle = 0
	case p.settle > 0 || p.bytes < paceWindow:
		return
	default:
		p.step(p.current(), opened)
	}
	p.last = p.current()
	p.began, p.bytes, p.store, p.client = time.Now(), 0, 0, 0
}

// current is how many bytes a second the client takes in this window.
func (p *pace) current() float64 { return float64(p.bytes) / max(time.Since(p.began).Seconds(), 1e-9) }

// rate is how many bytes a second the client takes, as far as is known.
func (p *pace) rate() float64 {
	if p.last > 0 {
		return p.last
	}
	return p.current()
}

// step changes how many ranges are opened ahead, given the rate of the last window.
func (p *pace) step(rate float64, opened int64) {
	switch {
	case p.before > 0 && rate < worthIt*p.before:
		p.ahead, p.before, p.done = p.ahead/2, 0, true
	case !p.done && p.store > 2*p.client && p.ahead < maxAhead:
		p.ahead, p.before, p.settle = p.ahead*2, rate, opened
	default:
		p.before = 0
	}
}
