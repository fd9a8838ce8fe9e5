package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/store"
)

// downloading is a RETR in progress.
type downloading struct {
	transfer
	reader *buffer.Reader
}

var (
	_ File        = (*downloading)(nil)
	_ io.WriterTo = (*downloading)(nil)
)

func (d *Driver) openDownload(ctx context.Context, n name, offset int64) (handle, error) {
	if err := d.permit(n, auth.Download); err != nil {
		return nil, err
	}
	if n.home() {
		return nil, errIsDirectory
	}
	t := &downloading{transfer: transfer{driver: d}}
	t.ctx, t.cancel = context.WithCancel(ctx)
	began := time.Now()
	body, object, err := d.Store.Open(t.ctx, n.key, offset, buffer.FirstRange, "")
	took := time.Since(began)
	if err != nil {
		t.cancel()
		return nil, d.whyNotFile(ctx, n, err)
	}
	if offset > object.Size {
		t.cancel()
		_ = body.Close() // nothing was read
		return nil, errBeyondEnd
	}
	d.files.add(n.key, object)
	source := objectSource{store: d.Store, object: object}
	t.reader = buffer.NewReader(t.ctx, d.Budget, source, body, offset, buffer.FirstRange, object.Size)
	t.reader.Latency = took
	return t, nil
}

// whyNotFile tells a directory from a name that does not exist.
func (d *Driver) whyNotFile(ctx context.Context, n name, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, dirErr := d.lookupDir(ctx, n); dirErr == nil {
			return errIsDirectory
		}
	}
	return err
}

// objectSource reads one version of an object.
type objectSource struct {
	store  store.Reader
	object store.Object
}

func (s objectSource) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	body, _, err := s.store.Open(ctx, s.object.Key, off, n, s.object.ETag)
	return body, err
}

// WriteTo implements io.WriterTo: the session hands it the data connection.
func (t *downloading) WriteTo(w io.Writer) (int64, error) {
	d := t.driver
	n, err := t.reader.WriteTo(newPatientWriter(patientWriter{ctx: t.ctx, to: w, silence: d.DataTimeout, limit: d.down.Load()}))
	t.op.Bytes += n
	if err != nil {
		return n, t.fail(brokeOff(err))
	}
	return n, nil
}

// brokeOff says that an error came when the client was receiving already.
func brokeOff(err error) error {
	switch {
	case errors.Is(err, store.ErrChanged), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errReplaced, err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return err
}

// Read implements io.Reader.
func (t *downloading) Read(p []byte) (int, error) {
	n, err := t.reader.Read(p)
	t.op.Bytes += int64(n)
	if err != nil && err != io.EOF {
		return n, t.fail(brokeOff(err))
	}
	return n, err
}

// Write implements io.Writer; a download cannot be written.
func (t *downloading) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return 0, fs.ErrPermission
}

// Close ends the download.
func (t *downloading) Close() error {
	if err := t.reader.Close(); err != nil && t.err == nil {
		t.driver.Log.Debug("object closed with an error", "err", err)
	}
	return t.end()
}
