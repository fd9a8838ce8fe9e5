package buffer

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Source opens a stored object for reading.
type Source interface {
	// Open returns the bytes from off to the end. All calls give bytes of the same
	// version of the object, or fail.
	Open(ctx context.Context, off int64) (io.ReadCloser, error)
}

// maxBroken is how often in a row a body may break without a byte of progress.
const maxBroken = 3

// Reader reads an object from an offset to its end. A body that breaks is opened again
// where it broke off, unseen by the client. It never ends early: fewer bytes than the
// object has are io.ErrUnexpectedEOF.
//
// A Reader is used by one goroutine. Close must be called.
type Reader struct {
	ctx    context.Context
	budget *Budget
	source Source
	body   io.ReadCloser // nil: to be opened at off
	off    int64
	size   int64
	broken int // times in a row that a body broke without progress
}

// NewReader reads the bytes [off, size) of source. body, if not nil, is already open at
// off and closed by the Reader.
func NewReader(ctx context.Context, budget *Budget, source Source, body io.ReadCloser, off, size int64) *Reader {
	return &Reader{ctx: ctx, budget: budget, source: source, body: body, off: off, size: size}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for {
		if r.off >= r.size {
			return 0, io.EOF
		}
		if err := r.open(); err != nil {
			return 0, err
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.size-r.off)])
		r.off += int64(n)
		if n > 0 {
			r.broken = 0
		}
		if err != nil && r.off < r.size {
			if err := r.broke(err); err != nil {
				return n, err
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// open makes sure there is a body.
func (r *Reader) open() error {
	if r.body != nil {
		return nil
	}
	body, err := r.source.Open(r.ctx, r.off)
	if err != nil {
		return fmt.Errorf("open at %d: %w", r.off, err)
	}
	r.body = body
	return nil
}

// broke drops a body that ended too early. It returns an error once that has happened
// too often in a row, or if nobody waits for the rest.
func (r *Reader) broke(err error) error {
	_ = r.body.Close() // it is broken already
	r.body = nil
	r.broken++
	if ctxErr := r.ctx.Err(); ctxErr != nil {
		return context.Cause(r.ctx)
	}
	if r.broken >= maxBroken {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read at %d: %w", r.off, err)
	}
	return nil
}

// WriteTo implements io.WriterTo: it sends the rest of the object to w.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	small, err := r.budget.small(r.ctx)
	if err != nil {
		return 0, err
	}
	defer small.release()
	var total int64
	for {
		n, err := r.Read(small.bytes)
		if n > 0 {
			sent, writeErr := w.Write(small.bytes[:n])
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

// Close ends the reading.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
