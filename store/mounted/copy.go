package mounted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spdscheme/spdserver/store"
)

// BufferSize is how many bytes a copy between buckets holds at a time, unless the object is
// so large that its parts must be larger.
const BufferSize = 8 << 20

// abortTimeout bounds the clean-up after a copy that failed.
const abortTimeout = 30 * time.Second

// Buffers are what copies between buckets hold their bytes in. A copy waits until it has
// one. It reads a piece and then writes it, so that it never waits for two requests at once.
type Buffers struct{ free chan []byte }

// NewBuffers returns n buffers of BufferSize. Their memory is taken when it is needed.
func NewBuffers(n int) *Buffers {
	b := &Buffers{free: make(chan []byte, n)}
	for range n {
		b.free <- nil
	}
	return b
}

func (b *Buffers) take(ctx context.Context) ([]byte, error) {
	select {
	case buf := <-b.free:
		if buf == nil {
			buf = make([]byte, BufferSize)
		}
		return buf, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a buffer: %w", ctx.Err())
	}
}

// copy copies an object from one store to another, atomically.
func (b *Buffers) copy(ctx context.Context, to store.Store, key string, from store.Store, src store.Object) (store.Object, error) {
	buf, err := b.take(ctx)
	if err != nil {
		return store.Object{}, err
	}
	defer func() { b.free <- buf[:BufferSize] }()
	if src.Size > int64(len(buf)) {
		return copyParts(ctx, to, key, from, src, buf)
	}
	piece := buf[:src.Size]
	if err := readAll(ctx, from, src, 0, piece); err != nil {
		return store.Object{}, err
	}
	return to.Put(ctx, key, bytes.NewReader(piece), src.Size, store.PutOptions{})
}

// copyParts copies an object a part at a time.
func copyParts(ctx context.Context, to store.Store, key string, from store.Store, src store.Object, buf []byte) (o store.Object, err error) {
	if least := (src.Size + store.MaxParts - 1) / store.MaxParts; least > int64(len(buf)) {
		buf = make([]byte, least)
	}
	id, err := to.Begin(ctx, key, store.PutOptions{})
	if err != nil {
		return store.Object{}, fmt.Errorf("begin copy: %w", err)
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
			defer cancel()
			err = errors.Join(err, to.Abort(ctx, key, id))
		}
	}()
	var parts []store.Part
	for off := int64(0); off < src.Size; {
		piece := buf[:min(int64(len(buf)), src.Size-off)]
		if err := readAll(ctx, from, src, off, piece); err != nil {
			return store.Object{}, err
		}
		part, err := to.PutPart(ctx, key, id, len(parts)+1, bytes.NewReader(piece), int64(len(piece)))
		if err != nil {
			return store.Object{}, fmt.Errorf("copy part %d: %w", len(parts)+1, err)
		}
		parts = append(parts, part)
		off += int64(len(piece))
	}
	if o, err = to.Complete(ctx, key, id, parts); err != nil {
		return o, fmt.Errorf("complete copy: %w", err)
	}
	o.Size = src.Size
	return o, nil
}

// readAll reads a piece of this very version of an object.
func readAll(ctx context.Context, from store.Store, src store.Object, off int64, piece []byte) error {
	body, o, err := from.Open(ctx, src.Key, off, int64(len(piece)), src.ETag)
	if err != nil {
		return fmt.Errorf("read for copy: %w", err)
	}
	_, err = io.ReadFull(body, piece)
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read for copy: %w", err)
	}
	if o.Size != src.Size {
		return fmt.Errorf("read for copy: %w", store.ErrChanged)
	}
	return nil
}
