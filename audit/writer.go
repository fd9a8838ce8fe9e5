package audit

import (
	"context"
	"io"
)

// Writer is a Sink that writes lines to an io.Writer, such as standard output.
type Writer struct {
	name   string
	to     io.Writer
	format Format
	line   []byte
	torn   bool // the last line was not written to its end
}

var _ Sink = (*Writer)(nil)

// NewWriter returns a sink called name; w stays open.
func NewWriter(name string, w io.Writer, format Format) *Writer {
	return &Writer{name: name, to: w, format: format}
}

// String returns the sink's name.
func (s *Writer) String() string { return s.name }

// Write writes each event as one line, in one write. A line that was cut off, as by a full
// disk, is ended and written again.
func (s *Writer) Write(_ context.Context, events []Event) (int, error) {
	for i, e := range events {
		s.line = s.format(s.line[:0], e)
		if len(s.line) == 0 {
			continue
		}
		if err := s.writeLine(); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

func (s *Writer) writeLine() error {
	if s.torn {
		if _, err := s.to.Write([]byte("\n")); err != nil {
			return err
		}
		s.torn = false
	}
	n, err := s.to.Write(append(s.line, '\n'))
	s.torn = 0 < n && n <= len(s.line)
	return err
}

// Close does nothing: what is written to belongs to others.
func (s *Writer) Close() error { return nil }
