package store

import (
	"errors"
	"io"
)

// Splicer is a body, as Open returns it, whose bytes can reach another socket without
// passing through this process (splice(2)).
type Splicer interface {
	// SpliceInto moves up to n bytes into the pipe with this file descriptor, which is
	// empty, and otherwise does what Read does. Where that is impossible it does nothing,
	// and fails with errors.ErrUnsupported: the body must be read.
	SpliceInto(pipe, n int) (int, error)
}

// SpliceInto splices from a body that may be a Splicer.
func SpliceInto(body io.Reader, pipe, n int) (int, error) {
	if s, ok := body.(Splicer); ok {
		return s.SpliceInto(pipe, n)
	}
	return 0, errors.ErrUnsupported
}
