package driver

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
)

var (
	errNameRefused = errors.New("files of such a name may not be stored here")
	errMaxFileSize = errors.New("file larger than the account allows")
)

// user is the account as it is now.
func (d *Driver) user() *auth.User { return d.account.Load() }

// Refresh makes a changed account hold from the next command on; rates change at once. It
// may be called concurrently with everything else. ok is false if the account's files are
// now elsewhere: then nothing has changed, and the session must end.
func (d *Driver) Refresh(user *auth.User) (ok bool) {
	old := d.user()
	if user.Name != old.Name || user.Bucket != old.Bucket || user.Prefix != old.Prefix ||
		!slices.EqualFunc(user.Mounts, old.Mounts, samePlace) {
		return false
	}
	changed := *user
	d.account.Store(&changed)
	setRate(&d.up, user.UploadRate)
	setRate(&d.down, user.DownloadRate)
	return true
}

// samePlace tells whether two mounts differ in no more than their rights and quotas.
func samePlace(a, b auth.Mount) bool {
	return a.Path == b.Path && a.Bucket == b.Bucket && a.Prefix == b.Prefix && a.ReadOnly == b.ReadOnly
}

// setRate changes the rate of the transfers to come and, if they have one, of those that
// are under way.
func setRate(limit *atomic.Pointer[rate.Limiter], bytesPerSecond int64) {
	changed, old := newLimiter(bytesPerSecond), limit.Load()
	if changed == nil || old == nil {
		limit.Store(changed)
		return
	}
	old.SetBurst(changed.Burst())
	old.SetLimit(changed.Limit())
}

// may is what the user may do at a path.
func (d *Driver) may(n name) auth.Permissions {
	may, _ := d.rightsAt(n)
	return may
}

func (d *Driver) hidden(n name) bool {
	_, hidden := d.rightsAt(n)
	return hidden
}

// rightsAt is what the user may do at a path, and whether it is hidden from him.
func (d *Driver) rightsAt(n name) (may auth.Permissions, hidden bool) {
	user := d.user()
	if may = user.Permissions; len(user.Paths) > 0 {
		may, hidden = user.At(n.path)
	}
	if d.readOnly(n) {
		may &= auth.ReadOnly
	}
	return may, hidden
}

// readOnly tells whether a name lies in a mount in which nothing may be changed.
func (d *Driver) readOnly(n name) bool {
	m := d.mountOf(n)
	return m != nil && m.ReadOnly
}

// permit checks a right of the user at a path.
func (d *Driver) permit(n name, right auth.Permissions) error {
	switch {
	case d.may(n).Has(right):
		return nil
	case !auth.ReadOnly.Has(right) && d.readOnly(n):
		return mounted.ErrReadOnly
	}
	return os.ErrPermission
}

// permitName checks whether a file or directory may get that name.
func (d *Driver) permitName(n name) error {
	if !d.user().AllowsName(path.Base(n.path)) {
		return errNameRefused
	}
	return nil
}

// permitSize checks the size that a file is to have.
func (d *Driver) permitSize(size int64) error {
	if size > store.MaxObjectSize {
		return store.ErrTooLarge
	}
	if most := d.user().MaxFileSize; most > 0 && size > most {
		return errMaxFileSize
	}
	return nil
}

// permitInside checks that everything below a directory may be moved with it: a rule that
// holds further down must not be got round by giving its directory another name.
func (d *Driver) permitInside(from, to name) error {
	for _, n := range []name{from, to} {
		may, hidden := d.rightsAt(n)
		if hidden || !may.Has(auth.Rename) {
			return fs.ErrPermission
		}
	}
	return nil
}
