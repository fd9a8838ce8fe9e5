package driver

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spdscheme/spdserver/auth"
)

// Remove is DELE (RFC 959).
func (d *Driver) Remove(wire string) error {
	return d.do("DELE", wire, func(_ *Operation, n name) error {
		if err := d.permit(n, auth.Delete); err != nil {
			return err
		}
		switch {
		case n.home():
			return errIsDirectory
		case n.slash:
			return errNotFile
		}
		turn, err := d.turn(d.ctx, n)
		if d.ctx.Err() != nil {
			return err
		}
		if err != nil { // what makes room must not fail
			d.recount(n, "file deleted out of turn", err)
		}
		defer turn.End(d.ctx)
		e, err := d.lookupFile(d.ctx, n)
		if discarded := d.discardUnfinished(d.ctx, n); discarded && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			if _, dirErr := d.lookupDir(d.ctx, n); dirErr == nil {
				return errIsDirectory
			}
		}
		if err != nil {
			return err
		}
		d.files.forget(n.key)
		if err := d.keepParent(n); err != nil {
			return err
		}
		hold := d.reserveRemoval(d.ctx, n, e.object.Size)
		err = d.Store.Delete(d.ctx, n.key)
		d.settle(hold, err)
		if err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		d.dropTimes(d.ctx, n.key)
		return nil
	})
}
