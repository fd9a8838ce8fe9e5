package audit

import (
	"context"
	"fmt"
	"io"
	"os"
)

// File is a Sink that appends lines to a file, and changes to a new one when the file is
// moved away (logrotate) or its Rotation says so.
type File struct {
	lines *Writer
	file  *rotated
}

var _ Sink = (*File)(nil)

// OpenFile appends to the file at path, which is created if need be, with mode 0640. The
// file may be moved or truncated while it is open.
func OpenFile(path string, format Format, r Rotation) (*File, error) {
	file := &rotated{path: path, rotation: r}
	if err := file.open(); err != nil {
		return nil, err
	}
	return &File{lines: NewWriter("file "+path, file, format), file: file}, nil
}

// String returns "file " and the path.
func (s *File) String() string { return s.lines.String() }

// Write appends each event as a line.
func (s *File) Write(ctx context.Context, events []Event) (int, error) {
	if err := s.file.follow(); err != nil {
		return 0, err
	}
	return s.lines.Write(ctx, events)
}

// Close closes the file.
func (s *File) Close() error { return s.file.file.Close() }

// open opens or makes the file.
func (f *rotated) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640) //nolint:gosec // the operator names the file, and a group may read it
	if err != nil {
		return fmt.Errorf("open the audit file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // nothing was written
		return fmt.Errorf("open the audit file: %w", err)
	}
	if f.file != nil {
		_ = f.file.Close() // every line is written at once; there is nothing to lose
	}
	f.file, f.info, f.last = file, info, info.ModTime()
	return nil
}

// follow opens the file anew if its path no longer leads to it.
func (f *rotated) follow() error {
	now, err := os.Stat(f.path)
	if err == nil && os.SameFile(now, f.info) {
		return nil
	}
	return f.open()
}

var _ io.Writer = (*rotated)(nil)
