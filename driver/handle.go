package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// File is a transfer in progress. A download is an io.WriterTo, and cannot be written; an
// upload is an io.ReaderFrom, and cannot be read.
type File interface {
	io.ReadWriteCloser
	// TransferError tells of what happened to the data connection. Close follows; it does
	// not publish an upload then.
	TransferError(err error)
}

// OpenTransfer begins a transfer, which ends with ctx. os.O_RDONLY is RETR, os.O_WRONLY STOR,
// with os.O_APPEND APPE, with os.O_EXCL STOU; offset is that of REST (RFC 3659, 5).
func (d *Driver) OpenTransfer(ctx context.Context, wire string, flags int, offset int64) (File, error) {
	op := Operation{Verb: d.Client.Verb(), Started: time.Now()}
	n, err := d.resolve(wire)
	op.Path = n.path
	if err != nil {
		return nil, d.end(op, err)
	}
	if n.slash {
		return nil, d.end(op, errNotFile)
	}
	transfer, err := d.open(ctx, n, flags, offset)
	if err != nil {
		return nil, d.end(op, err)
	}
	transfer.begin(op)
	return transfer, nil
}

// handle is a transfer that has been opened.
type handle interface {
	File
	begin(Operation)
}

func (d *Driver) open(ctx context.Context, n name, flags int, offset int64) (handle, error) {
	if flags&os.O_WRONLY == 0 {
		return d.openDownload(ctx, n, offset)
	}
	return d.openUpload(ctx, n, flags, offset)
}

// transfer is what uploads and downloads have in common.
type transfer struct {
	driver *Driver
	ctx    context.Context
	cancel context.CancelFunc
	op     Operation
	err    error // the first thing that went wrong
}

func (t *transfer) begin(op Operation) {
	t.op = op
	t.driver.transfers.Add(1)
}

// stopped is why the session has ended a transfer. What then fails on the data connection
// only follows from it.
type stopped struct{ cause error }

// Error implements error.
func (s stopped) Error() string { return s.cause.Error() }

// Unwrap makes it a failure of the data connection.
func (s stopped) Unwrap() []error { return []error{errTransfer, s.cause} }

// fail remembers the first error, which those that follow from it must not hide, and
// returns it as the client's reply.
func (t *transfer) fail(err error) error {
	if cause := context.Cause(t.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = stopped{cause}
	}
	if t.err == nil {
		t.err = err
	}
	return t.driver.reply(t.op.Verb, t.err)
}

// TransferError implements File.
func (t *transfer) TransferError(err error) {
	_ = t.fail(fmt.Errorf("%w: %w", errTransfer, err)) // the session replies
	t.cancel()
}

// end reports the operation, once it is over.
func (t *transfer) end() error {
	t.cancel()
	defer t.driver.transfers.Done()
	return t.driver.end(t.op, t.err)
}
