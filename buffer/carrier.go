package buffer

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// carrier takes a piece of an object from a body to the client.
type carrier interface {
	// fill takes up to n bytes from body, as Read does. The carrier is empty before. If it
	// cannot carry this body's bytes, it takes none and fails with errNotCarried.
	fill(body io.Reader, n int64) (int, error)
	// empty hands all bytes that it carries, n of them, to the client.
	empty(w io.Writer, n int) (int, error)
	release()
}

// errNotCarried asks for another carrier. It is never the body's error, nor the client's.
var errNotCarried = errors.New("this cannot be carried so")

// newCarrier chooses how bytes reach w: by a pipe where many are to come and both ends can
// take part, else by memory.
func (r *Reader) newCarrier(w io.Writer) (carrier, error) {
	left := r.size - r.off
	if _, ok := w.(PipeReader); ok && left >= pipeWorth {
		if p, err := r.budget.newPipe(); err == nil {
			return p, nil
		}
	}
	return r.budget.chunk(r.ctx, min(left, copyChunk))
}

func (k *block) fill(body io.Reader, n int64) (int, error) {
	return body.Read(k.bytes[:min(int64(len(k.bytes)), n)])
}

func (k *block) empty(w io.Writer, n int) (int, error) { return w.Write(k.bytes[:n]) }

// PipeReader is a client's connection that can take bytes from a pipe (splice(2)).
type PipeReader interface {
	// SpliceFrom moves n bytes, which the pipe with this file descriptor holds, to the
	// client. It is a Write otherwise.
	SpliceFrom(pipe, n int) (int, error)
}

// splicer is a body that can put bytes into a pipe; see store.Splicer.
type splicer interface {
	SpliceInto(pipe, n int) (int, error)
}

const (
	pipeSize  = 1 << 20 // bytes; as much as the kernel allows everybody
	pipeWorth = 2 << 20 // bytes; what is shorter is copied sooner than a pipe is made
	maxPipes  = 60      // what Linux lets a user who is not root have of this size
)

// pipe carries bytes from socket to socket. They stay in the kernel.
type pipe struct {
	budget      *Budget
	read, write int // file descriptors
}

var errNoPipe = errors.New("too many pipes")

// newPipe returns a pipe; release it after use.
func (b *Budget) newPipe() (*pipe, error) {
	if b.pipes.Add(1) > maxPipes {
		b.pipes.Add(-1)
		return nil, errNoPipe
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		b.pipes.Add(-1)
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize) // a smaller one works too
	return &pipe{budget: b, read: fds[0], write: fds[1]}, nil
}

func (p *pipe) fill(body io.Reader, n int64) (int, error) {
	s, ok := body.(splicer)
	if !ok {
		return 0, errNotCarried
	}
	moved, err := s.SpliceInto(p.write, int(min(n, pipeSize)))
	if moved == 0 && errors.Is(err, errors.ErrUnsupported) {
		return 0, errNotCarried
	}
	return moved, err
}

func (p *pipe) empty(w io.Writer, n int) (int, error) {
	to, ok := w.(PipeReader)
	if !ok {
		return 0, errors.ErrUnsupported // newCarrier has looked
	}
	return to.SpliceFrom(p.read, n)
}

// release throws away what is left in it, if the client has gone.
func (p *pipe) release() {
	_ = unix.Close(p.read) // nothing waits in it for anybody
	_ = unix.Close(p.write)
	p.budget.pipes.Add(-1)
}
