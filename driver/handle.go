package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	ftpserver "github.com/fclairamb/ftpserverlib"
	"golang.org/x/time/rate"
)

// GetHandle implements ftpserver.ClientDriverExtentionFileTransfer: os.O_RDONLY is RETR,
// os.O_WRONLY STOR, with os.O_APPEND APPE; offset is that of REST (RFC 3659, 5).
func (d *Driver) GetHandle(wire string, flags int, offset int64) (ftpserver.FileTransfer, error) {
	op := Operation{Verb: d.Client.GetLastCommand(), Started: time.Now()}
	n, err := d.resolve(wire)
	if err != nil {
		return nil, d.end(op, err)
	}
	op.Path = n.path
	transfer, err := d.open(n, flags, offset)
	if err != nil {
		return nil, d.end(op, err)
	}
	transfer.begin(op)
	return transfer, nil
}

// handle is a transfer that has been opened.
type handle interface {
	ftpserver.FileTransfer
	begin(Operation)
}

func (d *Driver) open(n name, flags int, offset int64) (handle, error) {
	if flags&os.O_WRONLY == 0 {
		return d.openDownload(n, offset)
	}
	return d.openUpload(n, flags&os.O_APPEND != 0, offset)
}

// transfer is what uploads and downloads have in common.
type transfer struct {
	driver *Driver
	ctx    context.Context
	cancel context.CancelFunc
	op     Operation
	err    error // the first thing that went wrong
	offset int64 // where Seek is expected to go
}

func (t *transfer) begin(op Operation) {
	t.op = op
	t.driver.transfers.Add(1)
}

// fail remembers the first error, which those that follow from it must not hide, and
// returns it as the client's reply.
func (t *transfer) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return t.driver.reply(t.op.Verb, t.err)
}

// TransferError implements ftpserver.FileTransferError: the data connection failed, or
// was aborted by the client.
func (t *transfer) TransferError(err error) {
	_ = t.fail(fmt.Errorf("%w: %w", errTransfer, err)) // the session replies
	t.cancel()
}

// Seek implements io.Seeker: GetHandle was told the offset already.
func (t *transfer) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart || offset != t.offset {
		return 0, errors.New("seek elsewhere than to the restart point")
	}
	return offset, nil
}

// end reports the operation, once it is over.
func (t *transfer) end() error {
	t.cancel()
	defer t.driver.transfers.Done()
	return t.driver.end(t.op, t.err)
}

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
	p = p[:min(len(p), burst(r.limit, len(p)))]
	n, err := r.from.Read(p)
	if waitErr := wait(r.ctx, r.limit, n); waitErr != nil {
		return n, waitErr
	}
	if err == io.EOF && cutShort(r.from) {
		return n, fmt.Errorf("%w: TLS connection ended without close_notify", errTransfer)
	}
	return n, connError(err)
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

func (w *patientWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		chunk := p[:burst(w.limit, len(p))]
		if err := wait(w.ctx, w.limit, len(chunk)); err != nil {
			return total, err
		}
		if conn, ok := w.to.(writeDeadliner); ok && w.silence > 0 {
			if err := conn.SetWriteDeadline(time.Now().Add(w.silence)); err != nil {
				return total, err
			}
		}
		n, err := w.to.Write(chunk)
		total += n
		if err != nil {
			return total, connError(err)
		}
		p = p[n:]
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
