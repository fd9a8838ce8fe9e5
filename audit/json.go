package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Sink takes events, one at a time: a Log calls it from one goroutine.
type Sink interface {
	// Write records e. An error means that e is lost.
	Write(e Event) error
	// Close is called once, after the last Write.
	Close() error
}

// JSONSink writes events as JSON, one a line.
type JSONSink struct {
	lines  *json.Encoder
	closer io.Closer // nil: not ours to close
}

var _ Sink = (*JSONSink)(nil)

// NewJSONSink writes to w, which stays open.
func NewJSONSink(w io.Writer) *JSONSink {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	return &JSONSink{lines: lines}
}

// OpenJSONFile appends to the file at path, which is created if need be, with mode 0640.
// The file may be truncated while it is open (logrotate: copytruncate).
func OpenJSONFile(path string) (*JSONSink, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640) //nolint:gosec // the operator names the file, and a group may read it
	if err != nil {
		return nil, fmt.Errorf("open the audit file: %w", err)
	}
	s := NewJSONSink(f)
	s.closer = f
	return s, nil
}

// Write writes e as one line, in one write. Line breaks in names are escaped, as
// everywhere in JSON.
func (s *JSONSink) Write(e Event) error { return s.lines.Encode(newEventJSON(e)) }

// Close closes the file, if OpenJSONFile opened it.
func (s *JSONSink) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// eventJSON is how an Event is written. New keys may be added, none is ever renamed.
type eventJSON struct {
	Time       time.Time `json:"time"` // RFC 3339, UTC
	Node       string    `json:"node,omitempty"`
	Session    string    `json:"session"`
	User       string    `json:"user"`
	Remote     string    `json:"remote"`
	TLS        bool      `json:"tls"`
	Action     Action    `json:"action"`
	Path       string    `json:"path,omitempty"`
	Target     string    `json:"target,omitempty"`
	Bytes      int64     `json:"bytes"`
	DurationMS int64     `json:"duration_ms"`
	OK         bool      `json:"ok"`
	Err        string    `json:"err,omitempty"`
}

func newEventJSON(e Event) eventJSON {
	return eventJSON{
		Time:       e.Time.UTC(),
		Node:       e.Node,
		Session:    e.Session,
		User:       e.User,
		Remote:     e.Remote,
		TLS:        e.TLS,
		Action:     e.Action,
		Path:       e.Path,
		Target:     e.Target,
		Bytes:      e.Bytes,
		DurationMS: e.Duration.Milliseconds(),
		OK:         e.Err == "",
		Err:        e.Err,
	}
}
