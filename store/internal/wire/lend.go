package wire

import (
	"io"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/socket"
)

// Lender is a request's body whose memory can be lent to the kernel, which then sends the
// bytes from where they lie: they must stay as they are until the store has confirmed that it
// has them. What lies in a connection that has failed may still be read.
type Lender interface {
	// Lend tells that the memory is lent; false: it cannot be.
	Lend() bool
}

const (
	lendWorth = 1 << 20   // bytes of a body; what is shorter is copied sooner than a pipe is made
	lentSize  = 128 << 10 // bytes that are on loan at a time, besides those in the socket
)

// lending writes a body that has been lent (vmsplice(2)). Copying it would be a fifth of the
// CPU that a large upload takes.
type lending struct {
	bulk
	read, write int  // file descriptors of a pipe
	refused     bool // the pipe is of no use any more
}

// lend returns a writer that takes the body's memory on loan; false if that cannot be, or is
// not worth it. Close it after use.
func (c *conn) lend(body io.Reader, size int64) (*lending, bool) {
	lender, ok := body.(Lender)
	if !ok || size < lendWorth || !c.plain() {
		return nil, false
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil { // copying needs none
		return nil, false
	}
	l := &lending{bulk: bulk{c}, read: fds[0], write: fds[1]}
	if _, err := unix.FcntlInt(uintptr(l.write), unix.F_SETPIPE_SZ, lentSize); err != nil || !lender.Lend() {
		l.close()
		return nil, false
	}
	return l, true
}

// Write implements io.Writer. What cannot be lent is copied: the system may forbid it. If it is
// the connection that has failed, copying tells that as well.
func (l *lending) Write(p []byte) (int, error) {
	total := 0
	for !l.refused && len(p)-total >= socket.Worth {
		n, err := socket.Lend(l.write, p[total:])
		if err == nil {
			n, err = l.pass(n)
		}
		total += n
		l.refused = err != nil
	}
	n, err := l.bulk.Write(p[total:])
	return total + n, err
}

// pass moves the n bytes that the pipe holds to the connection.
func (l *lending) pass(n int) (int, error) {
	total := 0
	for total < n {
		moved, err := socket.SpliceTo(l.system, l.read, n-total)
		total += moved
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// close throws away what is left in the pipe, if it could not be passed on.
func (l *lending) close() {
	_ = unix.Close(l.read) // nothing waits in it for anybody
	_ = unix.Close(l.write)
}
