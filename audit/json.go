package audit

import (
	"bytes"
	"encoding/json"
	"time"
)

// JSON is a Format: an object with the keys of eventJSON. Line breaks in names are
// escaped, as everywhere in JSON.
func JSON(line []byte, e Event) []byte {
	out := bytes.NewBuffer(line)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(newEventJSON(e)); err != nil {
		return line // only times beyond the year 9999 have no JSON
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// eventJSON is how an Event is written. New keys may be added, none is ever renamed.
type eventJSON struct {
	Time       time.Time `json:"time"` // RFC 3339, UTC
	ID         string    `json:"id,omitempty"`
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
	Reason     string    `json:"reason,omitempty"`
}

func newEventJSON(e Event) eventJSON {
	return eventJSON{
		Time:       e.Time.UTC(),
		ID:         e.ID,
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
		Reason:     e.Reason,
	}
}
