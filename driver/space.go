package driver

import (
	"time"

	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
)

// Allocate is ALLO (RFC 959): the next upload is refused now if so many bytes can never be
// stored, when it begins if there is no room for them in place of the file that it replaces,
// and is complete only when so many have come.
func (d *Driver) Allocate(size int64) error {
	op := Operation{Verb: "ALLO", Path: d.Client.Path(), Started: time.Now()}
	return d.end(op, d.allocate(size))
}

func (d *Driver) allocate(size int64) error {
	if size < 0 {
		return syntax("ALLO wants a number of bytes")
	}
	if err := d.permitSize(size); err != nil {
		return err
	}
	here, err := d.resolve(d.Client.Path()) // where the upload will be, most likely
	if err != nil {
		return err
	}
	if _, limit := d.quotaAt(here); limit.Bytes > 0 && size > limit.Bytes {
		return quota.ErrExceeded
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allocated = size
	return nil
}

// ForgetSpace takes back what ALLO has announced.
func (d *Driver) ForgetSpace() { d.takeAllocated() }

// takeAllocated is what ALLO announced for this upload, once.
func (d *Driver) takeAllocated() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := d.allocated
	d.allocated = 0
	return size
}

// AvailableSpace is AVBL (draft-peterson-streamlined-ftp-command-extensions): how many bytes
// a file may have that is uploaded now.
func (d *Driver) AvailableSpace() (int64, error) {
	here, err := d.resolve(d.Client.Path())
	if err != nil {
		return 0, d.reply("AVBL", err)
	}
	left, limited, err := d.quotaLeft(d.ctx, here)
	if err != nil {
		return 0, d.reply("AVBL", err)
	}
	if limited {
		return min(left, store.MaxObjectSize), nil
	}
	return store.MaxObjectSize, nil
}
