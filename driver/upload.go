package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	ftpserver "github.com/fclairamb/ftpserverlib"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

// uploading is a STOR or APPE in progress. Nothing of it is visible before Close.
type uploading struct {
	transfer
	name    name
	session *upload.Session
	writer  *buffer.Writer
	check   *check
	base    int64        // bytes of the present file that come first
	promise int64        // bytes that ALLO announced, 0: none
	charged int64        // bytes and
	files   int64        // files booked against the quota
	object  store.Object // what was published
}

var (
	_ ftpserver.FileTransfer      = (*uploading)(nil)
	_ ftpserver.FileTransferError = (*uploading)(nil)
	_ io.ReaderFrom               = (*uploading)(nil)
)

// check is what is found out about an upload's target while the data come in, so that
// nobody waits for it.
type check struct {
	done     chan struct{} // closed when the rest is set
	existing entry         // what the upload replaces; zero if nothing
	err      error
}

func (d *Driver) openUpload(n name, appending bool, offset int64) (handle, error) {
	if n.home() {
		return nil, errIsDirectory
	}
	if offset < 0 {
		return nil, errBeyondEnd
	}
	u := &uploading{transfer: transfer{driver: d, offset: offset}, name: n, promise: d.takeAllocated()}
	u.ctx, u.cancel = context.WithCancel(d.ctx)
	var err error
	if appending || offset > 0 {
		err = u.openOnto(appending, offset)
	} else {
		err = u.openNew()
	}
	if err != nil {
		u.cancel()
		return nil, err
	}
	return u, nil
}

// openNew begins a file from nothing.
func (u *uploading) openNew() error {
	if err := u.driver.permit(auth.Upload); err != nil {
		return err
	}
	u.check = u.startCheck()
	u.write(1)
	return nil
}

// openOnto begins a file with the first bytes of the present one: all of them (APPE), or
// those before the restart point.
func (u *uploading) openOnto(appending bool, offset int64) error {
	d := u.driver
	if err := d.permit(auth.Append); err != nil {
		return err
	}
	present, err := d.lookup(u.name, false)
	if errors.Is(err, fs.ErrNotExist) && offset == 0 {
		return u.openNew()
	}
	if err != nil {
		return err
	}
	if present.isDir {
		return errIsDirectory
	}
	if appending {
		offset = present.object.Size
	}
	if offset > present.object.Size {
		return errBeyondEnd
	}
	u.base = offset
	u.check = &check{done: make(chan struct{}), existing: present}
	close(u.check.done)
	return u.copyBase(present.object)
}

// copyBase takes over the first bytes: inside the store if they can be a part of their
// own, else as if the client had sent them.
func (u *uploading) copyBase(present store.Object) error {
	if u.base >= store.MinPartSize {
		u.session = u.newSession()
		parts, err := u.session.CopyBase(u.ctx, present, u.base)
		if err != nil {
			u.session.Abort(u.driver.ctx)
			return err
		}
		u.newWriter(parts + 1)
		return nil
	}
	u.write(1)
	body, _, err := u.driver.Store.Open(u.ctx, present.Key, 0, u.base, present.ETag)
	if err == nil {
		_, err = io.Copy(u.writer, body)
		err = errors.Join(err, body.Close())
	}
	if err != nil {
		u.writer.Abort()
		u.session.Abort(u.driver.ctx)
		return fmt.Errorf("read the present file: %w", err)
	}
	return nil
}

func (u *uploading) write(firstPart int) {
	u.session = u.newSession()
	u.newWriter(firstPart)
}

func (u *uploading) newSession() *upload.Session {
	d := u.driver
	return d.Uploads.Create(upload.Target{
		Store: d.Store, Bucket: d.user.Bucket, Key: u.name.key,
		Owner: d.user.Name, PartSize: d.PartSize, Confirm: u.confirm,
	})
}

func (u *uploading) newWriter(firstPart int) {
	d := u.driver
	u.writer = buffer.NewWriter(u.ctx, d.Budget, u.session, buffer.Options{
		PartSize: d.PartSize, InFlight: d.PartsInFlight,
		FirstPart: firstPart, MaxParts: store.MaxParts,
	})
}

// startCheck asks the store about the target while the client is already sending. A
// refusal stops the upload.
func (u *uploading) startCheck() *check {
	c := &check{done: make(chan struct{})}
	go func() { // Close waits for it
		defer close(c.done)
		c.existing, c.err = u.driver.checkTarget(u.ctx, u.name)
		if c.err != nil {
			u.cancel()
		}
	}()
	return c
}

// checkTarget finds what a file of that name would replace, and refuses a directory, a
// file that may not be overwritten, and a name in no directory.
func (d *Driver) checkTarget(ctx context.Context, n name) (entry, error) {
	if err := d.needParent(ctx, n); err != nil {
		return entry{}, err
	}
	existing, err := d.probe(ctx, n)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entry{}, nil
	case err != nil:
		return entry{}, err
	case existing.isDir:
		return entry{}, errIsDirectory
	case !d.user.Permissions.Has(auth.Overwrite):
		return entry{}, fmt.Errorf("%w: file exists", fs.ErrPermission)
	}
	return existing, nil
}

// ReadFrom implements io.ReaderFrom: io.Copy hands the data connection to it.
func (u *uploading) ReadFrom(r io.Reader) (int64, error) {
	d := u.driver
	n, err := u.writer.ReadFrom(&patientReader{ctx: u.ctx, from: r, silence: d.DataTimeout, limit: d.up})
	u.op.Bytes += n
	if err != nil {
		return n, u.fail(u.reason(err))
	}
	return n, nil
}

// Write implements io.Writer.
func (u *uploading) Write(p []byte) (int, error) {
	n, err := u.writer.Write(p)
	u.op.Bytes += int64(n)
	if err != nil {
		return n, u.fail(u.reason(err))
	}
	return n, nil
}

// reason is why the upload failed: the check's refusal, if it was that which stopped it.
func (u *uploading) reason(err error) error {
	if u.ctx.Err() == nil {
		return err
	}
	<-u.check.done
	if refusal := u.check.err; refusal != nil && !errors.Is(refusal, context.Canceled) {
		return refusal
	}
	return err
}

// Read implements io.Reader; an upload cannot be read.
func (u *uploading) Read([]byte) (int, error) { return 0, fs.ErrPermission }

// confirm is asked right before the file becomes visible: is it complete, is the client
// still there, may it be put here, and does the quota allow it?
func (u *uploading) confirm(ctx context.Context, size int64) error {
	d := u.driver
	if u.promise > u.op.Bytes {
		return errShortUpload
	}
	if d.Alive != nil {
		if err := d.Alive(); err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
	}
	<-u.check.done
	if u.check.err != nil {
		return u.check.err
	}
	u.charged, u.files = size-u.check.existing.object.Size, 0
	if u.check.existing.key == "" {
		u.files = 1
	}
	if err := d.charge(ctx, u.charged, u.files); err != nil {
		u.charged, u.files = 0, 0
		return err
	}
	return nil
}

// Close publishes the upload, or throws it away if anything went wrong.
func (u *uploading) Close() error {
	if u.err == nil {
		u.publish()
	}
	if u.err != nil {
		u.cancel()
		u.writer.Abort()
		u.session.Abort(u.driver.ctx)
		u.driver.refund(u.charged, u.files)
	}
	<-u.check.done
	return u.end()
}

func (u *uploading) publish() {
	err := u.writer.Close()
	if err == nil {
		u.object, err = u.session.Complete(u.ctx)
	}
	if err != nil {
		_ = u.fail(u.reason(err)) // end replies
		return
	}
	u.driver.files.add(u.name.key, u.object)
}
