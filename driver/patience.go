package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/socket"
)

// readDeadliner and writeDeadliner are connections that can be told to give up.
type readDeadliner interface{ SetReadDeadline(time.Time) error }
type writeDeadliner interface{ SetWriteDeadline(time.Time) error }

// patientReader reads from a data connection that must not be silent for too long, at
// the rate the user may have.
type patientReader struct {
	ctx     context.Context
	from    io.Reader
	silence time.Duration
	limit   *rate.Limiter
}

func (r *patientReader) Read(p []byte) (int, error) {
	if conn, ok := r.from.(readDeadliner); ok && r.silence > 0 {
		if err := conn.SetReadDeadline(time.Now().Add(r.silence)); err != nil {
			return 0, err
		}
	}
	if err := r.ctx.Err(); err != nil { // see wakeAfter
		return 0, err
	}
	p = p[:min(len(p), burst(r.limit, len(p)))]
	n, err := read(r.from, p)
	if waitErr := wait(r.ctx, r.limit, n); waitErr != nil {
		return n, waitErr
	}
	if err == io.EOF && cutShort(r.from) {
		return n, fmt.Errorf("%w: TLS connection ended without close_notify", errTransfer)
	}
	return n, connError(err)
}

// read is from.Read, in the way that is best for large pieces.
func read(from io.Reader, p []byte) (int, error) {
	if len(p) >= socket.Worth {
		if raw, err := socket.Of(from); err == nil {
			return socket.Read(raw, p)
		}
	}
	return from.Read(p)
}

// wakeAfter makes a read of the connection return when ctx ends, though the client is
// silent. stop undoes that.
func wakeAfter(ctx context.Context, from io.Reader) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if conn, ok := from.(readDeadliner); ok {
			_ = conn.SetReadDeadline(time.Unix(1, 0)) // one that is closed does not read
		}
	})
}

// cutShort tells whether a TLS connection ended without close_notify. crypto/tls reports
// that as io.EOF; the connection below knows better, if it is the server's own.
func cutShort(r io.Reader) bool {
	secure, ok := r.(interface{ NetConn() net.Conn })
	if !ok {
		return false
	}
	below, ok := secure.NetConn().(interface{ Ended() bool })
	return ok && below.Ended()
}

// patientWriter writes to a data connection under the same terms.
type patientWriter struct {
	ctx     context.Context
	to      io.Writer
	silence time.Duration
	limit   *rate.Limiter
}

// newPatientWriter returns a patientWriter, which is a spliceWriter if it can be.
func newPatientWriter(w patientWriter) io.Writer {
	if raw, err := socket.Of(w.to); err == nil {
		return &spliceWriter{&w, raw}
	}
	return &w
}

func (w *patientWriter) Write(p []byte) (int, error) {
	return w.inPieces(len(p), func(from, n int) (int, error) { return write(w.to, p[from:from+n]) })
}

// Corker is the connection below TLS. Each TLS record is a write to it; it can gather several.
type Corker interface {
	// Cork is called before, and Uncork after what shall be sent together. An error of
	// Uncork is that of a write.
	Cork()
	Uncork() error
}

// corkWorth is from which size in bytes on a piece is more than one TLS record (RFC 8446, 5.1).
const corkWorth = 16<<10 + 1

// write is to.Write, in the way that is best for large pieces.
func write(to io.Writer, p []byte) (int, error) {
	secure, ok := to.(interface{ NetConn() net.Conn })
	if !ok || len(p) < corkWorth {
		return to.Write(p)
	}
	below, ok := secure.NetConn().(Corker)
	if !ok {
		return to.Write(p)
	}
	below.Cork()
	n, err := to.Write(p)
	return n, cmp.Or(below.Uncork(), err)
}

// spliceWriter is a patientWriter on a plain TCP connection, which takes bytes from pipes too.
type spliceWriter struct {
	*patientWriter
	conn syscall.RawConn
}

var _ buffer.PipeReader = (*spliceWriter)(nil)

// SpliceFrom implements buffer.PipeReader.
func (w *spliceWriter) SpliceFrom(pipe, n int) (int, error) {
	return w.inPieces(n, func(_, n int) (int, error) { return socket.SpliceTo(w.conn, pipe, n) })
}

// inPieces writes n bytes, as many at a time as the rate allows. write is told where the
// next piece begins and how long it may be; it may move less.
func (w *patientWriter) inPieces(n int, write func(from, n int) (int, error)) (int, error) {
	total, allowed := 0, 0
	for total < n {
		if allowed == 0 {
			allowed = burst(w.limit, n-total)
			if err := wait(w.ctx, w.limit, allowed); err != nil {
				return total, err
			}
		}
		if conn, ok := w.to.(writeDeadliner); ok && w.silence > 0 {
			if err := conn.SetWriteDeadline(time.Now().Add(w.silence)); err != nil {
				return total, connError(err)
			}
		}
		moved, err := write(total, allowed)
		total, allowed = total+moved, allowed-moved
		if err != nil {
			return total, connError(err)
		}
	}
	return total, nil
}

// connError marks an error as the data connection's, not the store's. The end of the data
// is none, and silence has a reply of its own.
func connError(err error) error {
	if err == nil || err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", errTransfer, err)
}

// minBurst lets a slow limit still move whole packets.
const minBurst = 16 << 10

func newLimiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(bytesPerSecond/4, minBurst)))
}

// burst is how many of n bytes may be moved in one piece.
func burst(l *rate.Limiter, n int) int {
	if l == nil {
		return n
	}
	return min(n, l.Burst())
}

func wait(ctx context.Context, l *rate.Limiter, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	return l.WaitN(ctx, n)
}
