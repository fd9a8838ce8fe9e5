package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

// uploading is a STOR or APPE in progress. Nothing of it is visible before Close.
type uploading struct {
	transfer
	name    name
	target  upload.Target
	session *upload.Session
	writer  *buffer.Writer
	parts   context.Context // of the requests that store parts; outlives the client
	stop    context.CancelFunc
	check   *check
	promise int64        // bytes that ALLO announced, 0: none
	before  int64        // bytes before the restart point, which clients count, too
	base    int64        // bytes that are there when the client begins to send
	turn    *quota.Turn  // to change the file, under a quota
	hold    *quota.Hold  // what is booked against the quota
	object  store.Object // what was published
	ended   time.Time    // when the client had sent everything
}

var (
	_ File          = (*uploading)(nil)
	_ io.ReaderFrom = (*uploading)(nil)
)

// check is what is found out about an upload's target while the data come in, so that
// nobody waits for it.
type check struct {
	began    time.Time
	done     chan struct{} // closed when the rest is set
	existing entry         // what the upload replaces; zero if nothing
	err      error
}

func (d *Driver) openUpload(ctx context.Context, n name, flags int, offset int64) (handle, error) {
	u := &uploading{transfer: transfer{driver: d}, name: n, promise: d.takeAllocated()}
	if n.home() {
		return nil, errIsDirectory
	}
	if offset < 0 {
		return nil, errBeyondEnd
	}
	if err := d.permitUpload(u, offset); err != nil {
		return nil, err
	}
	if err := u.setTarget(); err != nil {
		return nil, err
	}
	u.target.New = flags&os.O_EXCL != 0
	u.ctx, u.cancel = context.WithCancel(ctx)
	u.parts, u.stop = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if appending := flags&os.O_APPEND != 0; appending || offset > 0 {
		err = u.openOnto(appending, offset)
	} else {
		err = u.openNew()
	}
	if err != nil {
		u.cancel()
		u.stop()
		return nil, err
	}
	return u, nil
}

// permitUpload checks the name, and the size as far as it is known. That there is nothing at a
// restart point beyond all sizes is found out later.
func (d *Driver) permitUpload(u *uploading, offset int64) error {
	if err := d.permitName(u.name); err != nil {
		return err
	}
	return d.permitSize(max(u.promise, min(offset, store.MaxObjectSize)))
}

// openNew begins a file from nothing.
func (u *uploading) openNew() error {
	if err := u.driver.permit(u.name, auth.Upload); err != nil {
		return err
	}
	if d := u.driver; !d.asksForExisting(u.name) && d.knownFree(u.name) && len(d.unfinishedUploads(u.ctx)) == 0 {
		u.check = &check{done: make(chan struct{})}
		close(u.check.done)
	} else {
		u.check = u.startCheck(func() { d.discardUnfinished(u.ctx, u.name) })
	}
	u.session = u.driver.Uploads.Create(u.target)
	u.receive()
	return nil
}

// openOnto begins a file with bytes that are there already, all of them (APPE) or those
// before the restart point: an upload that was interrupted, or a file. To go on with one's
// own upload, the right to upload is enough.
func (u *uploading) openOnto(appending bool, offset int64) error {
	d := u.driver
	if err := d.permit(u.name, auth.Upload); err != nil && !d.may(u.name).Has(auth.Append) {
		return err
	}
	partial, unfinished, err := d.visiblePartial(u.ctx, u.name)
	if err != nil {
		return err
	}
	if !unfinished {
		if err := d.permit(u.name, auth.Append); err != nil {
			return err
		}
		return u.openPresent(appending, offset)
	}
	if appending {
		offset = partial.Size
	}
	cut, ok := partial.Upto(offset)
	if !ok { // a file of that name is what the upload replaces, not how it begins
		return fmt.Errorf("%w; use REST %d", errNotThere, partial.Size)
	}
	return u.resume(cut)
}

// resume goes on with an upload that was interrupted, here or on another node.
func (u *uploading) resume(p upload.Partial) error {
	session, err := u.driver.Uploads.Resume(u.ctx, u.target, p)
	if errors.Is(err, upload.ErrTaken) {
		return err
	}
	if err != nil {
		return store.Unavailable(err)
	}
	u.session, u.before, u.base = session, p.Size, p.Size
	u.check = u.startCheck(func() {})
	u.receive()
	return nil
}

// openPresent begins a file with the first bytes of the present one.
func (u *uploading) openPresent(appending bool, offset int64) error {
	began := time.Now()
	present, err := u.driver.lookup(u.ctx, u.name, false)
	if errors.Is(err, fs.ErrNotExist) && offset == 0 {
		return u.openNew()
	}
	if err != nil {
		return err
	}
	if present.isDir {
		return errIsDirectory
	}
	u.before = offset
	if appending {
		offset = present.object.Size
	}
	if offset > present.object.Size {
		return errBeyondEnd
	}
	u.base = offset
	if err := u.driver.permitSize(u.base - u.before + max(u.promise, u.before)); err != nil {
		return err
	}
	if err := u.keepsPromise(u.ctx, present); err != nil {
		return err
	}
	u.check = &check{began: began, done: make(chan struct{}), existing: present}
	close(u.check.done)
	u.session = u.driver.Uploads.Create(u.target)
	return u.copyBase(present.object, offset)
}

// copyBase takes over the first bytes: inside the store if they can be a part of their
// own, else as if the client had sent them.
func (u *uploading) copyBase(present store.Object, n int64) error {
	if n >= store.MinPartSize {
		present.Key = u.driver.place(present.Key).Key
		if err := u.session.CopyBase(u.ctx, present, n); err != nil {
			u.session.Abort(u.driver.ctx)
			return err
		}
		u.receive()
		return nil
	}
	u.receive()
	body, _, err := u.driver.Store.Open(u.ctx, present.Key, 0, n, present.ETag)
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

// setTarget sets what the upload is to become, where that really is.
func (u *uploading) setTarget() error {
	d := u.driver
	if d.notMountPoint(u.name) != nil {
		return errIsDirectory
	}
	at, err := d.storeAt(u.name.key)
	if err != nil {
		return err
	}
	place, first := d.place(u.name.key), d.partSizeFor(u.promise)
	u.target = upload.Target{
		Store: at, Bucket: place.Bucket, Key: place.Key,
		Owner: d.user().Name, PartSize: first, Largest: d.Budget.GrownPart(first, d.PartsInFlight),
		Confirm: u.confirm, Alive: u.alive,
	}
	return nil
}

// partSizeFor is how large the first parts of a file are, of a size that was announced: so
// that it needs no segments, as far as memory allows.
func (d *Driver) partSizeFor(size int64) int64 {
	direct := int64(d.Uploads.DirectParts)
	return max(d.PartSize, min((size+direct-1)/direct, d.Budget.GrownPart(d.PartSize, d.PartsInFlight)))
}

// receive makes the writer that takes what the client sends, behind what the session has.
func (u *uploading) receive() {
	d := u.driver
	sink := &growth{Session: u.session, upload: u}
	firstPart := u.session.NextPart()
	if firstPart > 1 {
		sink.size = u.base
	}
	u.writer = buffer.NewWriter(u.parts, d.Budget, sink, buffer.Options{
		PartSize: u.target.PartSize, InFlight: d.PartsInFlight,
		FirstPart: firstPart, MaxParts: u.session.LastPart(), Receiving: u.ctx,
	})
}

// startCheck asks the store about the target while the client is already sending. A
// refusal stops the upload; after anything else, then is called.
func (u *uploading) startCheck(then func()) *check {
	c := &check{began: time.Now(), done: make(chan struct{})}
	go func() { // Close waits for it
		defer close(c.done)
		c.existing, c.err = u.driver.checkTarget(u.ctx, u.name)
		if c.err == nil {
			c.err = u.keepsPromise(u.ctx, c.existing)
		}
		if c.err != nil {
			u.cancel()
			return
		}
		then()
	}()
	return c
}

// keepsPromise checks that what ALLO announced fits into the quota.
func (u *uploading) keepsPromise(ctx context.Context, replaced entry) error {
	if u.promise > 0 && u.base-u.before+u.promise > u.driver.roomFor(ctx, u.name, replaced) {
		return quota.ErrExceeded
	}
	return nil
}

// asksForExisting tells whether it matters what file an upload replaces.
func (d *Driver) asksForExisting(n name) bool {
	return d.hasQuota(n) || !d.may(n).Has(auth.Overwrite)
}

// checkTarget finds what a file of that name would replace, and refuses a directory, a
// file that may not be overwritten, and a name in no directory.
func (d *Driver) checkTarget(ctx context.Context, n name) (entry, error) {
	if err := d.needParent(ctx, n); err != nil {
		return entry{}, err
	}
	if !d.asksForExisting(n) {
		return entry{}, d.notDirectory(ctx, n)
	}
	existing, err := d.probe(ctx, n)
	if err == nil && existing.isDir {
		// MinIO lists a file that is being stored or deleted as a directory with nothing in it.
		existing, err = d.lookupDir(ctx, n)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entry{}, nil
	case err != nil:
		return entry{}, err
	case existing.isDir:
		return entry{}, errIsDirectory
	case !d.may(n).Has(auth.Overwrite):
		return entry{}, fmt.Errorf("%w: file exists", fs.ErrPermission)
	}
	return existing, nil
}

// ReadFrom implements io.ReaderFrom: the session hands it the data connection.
func (u *uploading) ReadFrom(r io.Reader) (int64, error) {
	d := u.driver
	defer wakeAfter(u.ctx, r)()
	patient := &patientReader{ctx: u.ctx, from: r, silence: d.DataTimeout, limit: d.up.Load()}
	n, err := u.writer.ReadFrom(&sizedReader{from: patient, size: u.base + u.op.Bytes, permit: d.permitSize})
	u.op.Bytes += n
	if err != nil {
		return n, u.fail(u.reason(err))
	}
	return n, nil
}

// Write implements io.Writer.
func (u *uploading) Write(p []byte) (int, error) {
	if err := u.driver.permitSize(u.base + u.op.Bytes + int64(len(p))); err != nil {
		return 0, u.fail(err)
	}
	n, err := u.writer.Write(p)
	u.op.Bytes += int64(n)
	if err != nil {
		return n, u.fail(u.reason(err))
	}
	return n, nil
}

// sizedReader stops a file that grows larger than it may be.
type sizedReader struct {
	from   io.Reader
	size   int64 // bytes so far
	permit func(size int64) error
}

// Read implements io.Reader.
func (r *sizedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.size += int64(n)
	if refusal := r.permit(r.size); refusal != nil {
		return n, refusal
	}
	return n, err
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

// alive is asked last: is the client still there?
func (u *uploading) alive() error {
	if u.driver.Alive == nil {
		return nil
	}
	if err := u.driver.Alive(u.ended, u.op.Bytes); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// confirm is asked right before the file becomes visible: is it complete, may it be put
// here, and does the quota allow it?
func (u *uploading) confirm(ctx context.Context, size int64) error {
	d := u.driver
	<-u.check.done
	if u.check.err != nil {
		return u.check.err
	}
	if u.promise > u.before+u.op.Bytes {
		return errShortUpload
	}
	if err := d.permitSize(size); err != nil {
		return err
	}
	var err error
	if u.turn, err = d.turn(ctx, u.name); err != nil {
		return err
	}
	replaced, err := u.replaced(ctx, size)
	if err != nil {
		return err
	}
	change := quota.Amount{Bytes: size - replaced.object.Size}
	if replaced.key == "" {
		change.Files = 1
	}
	u.hold, err = d.reserve(ctx, u.name, change)
	return err
}

// replaced is the file that this one takes the place of. What was there when it began may
// have been deleted or replaced meanwhile, and must not be taken off the quota's account
// twice. An upload in parts takes long; of a small one the turn tells.
func (u *uploading) replaced(ctx context.Context, size int64) (entry, error) {
	fresh := size < u.driver.PartSize && (u.turn == nil || u.turn.Unchanged(u.check.began))
	if fresh || !u.driver.asksForExisting(u.name) {
		return u.check.existing, nil
	}
	return u.driver.checkTarget(ctx, u.name)
}

// Close publishes the upload. One that broke off is kept for its owner to resume; one
// that was refused is thrown away.
func (u *uploading) Close() error {
	defer u.stop()
	u.ended = time.Now()
	if u.err == nil {
		u.publish()
	}
	if u.err != nil {
		u.keepOrDiscard()
	}
	u.driver.settle(u.hold, u.err)
	u.turn.End(u.driver.ctx)
	u.cancel()
	<-u.check.done
	return u.end()
}

func (u *uploading) publish() {
	err := u.writer.Close()
	if err == nil {
		u.object, err = u.session.Complete(u.parts)
	}
	if err != nil {
		_ = u.fail(u.reason(err)) // end replies
		return
	}
	u.object.Key = u.name.key
	u.driver.files.add(u.name.key, u.object)
	u.driver.replaceTime(u.name)
}

// flushTimeout is how long an upload that broke off waits for the parts in flight.
const flushTimeout = 15 * time.Second

func (u *uploading) keepOrDiscard() {
	if !interrupted(u.err) {
		u.stop()
		u.writer.Abort()
		u.session.Abort(u.driver.ctx)
		return
	}
	timer := time.AfterFunc(flushTimeout, u.stop)
	defer timer.Stop()
	u.writer.Flush(store.MinPartSize)
	u.session.Interrupt(u.driver.ctx)
	u.driver.unfinished.forget()
}

// interrupted tells an upload that broke off from one that was refused.
func interrupted(err error) bool {
	for _, reason := range []error{
		errTransfer, errGone, errShortUpload, store.ErrUnavailable,
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded, net.ErrClosed,
	} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}
