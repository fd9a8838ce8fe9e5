package server

import (
	"sync/atomic"
	"time"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/driver"
)

// Hooks are for those who embed the server. Each may be nil. They must not wait: sessions
// wait for them. They may be called concurrently.
type Hooks struct {
	// Connected is told of a connection that has been admitted, Disconnected of its end.
	Connected, Disconnected func(SessionInfo)
	// Statistics is told, every StatisticsEvery (0: 10 s), what the server has done so far.
	Statistics      func(Statistics)
	StatisticsEvery time.Duration
}

// Statistics are what a server has done since it was made.
type Statistics struct {
	Summary
	Connections     int64 // that were admitted
	Logins          int64 // that succeeded
	FailedLogins    int64
	Uploads         int64 // that succeeded
	Downloads       int64
	BytesUp         int64 // of transfers that have ended, failed ones included
	BytesDown       int64
	FailedTransfers int64
}

// counts are what Statistics tells. It may be used concurrently.
type counts struct {
	connections, logins, failedLogins, uploads, downloads, bytesUp, bytesDown, failedTransfers atomic.Int64
}

// operation counts what an operation was.
func (c *counts) operation(op driver.Operation) {
	var done, bytes *atomic.Int64
	switch directionOf(op.Verb) {
	case "up":
		done, bytes = &c.uploads, &c.bytesUp
	case "down":
		done, bytes = &c.downloads, &c.bytesDown
	default:
		return
	}
	if op.Err != nil {
		done = &c.failedTransfers
	}
	done.Add(1)
	bytes.Add(op.Bytes)
}

func (c *counts) login(err error) {
	if err != nil {
		c.failedLogins.Add(1)
		return
	}
	c.logins.Add(1)
}

// Statistics may be called at any time.
func (s *Server) Statistics() Statistics {
	c := &s.counts
	return Statistics{
		Summary:     s.Summary(),
		Connections: c.connections.Load(),
		Logins:      c.logins.Load(), FailedLogins: c.failedLogins.Load(),
		Uploads: c.uploads.Load(), Downloads: c.downloads.Load(), FailedTransfers: c.failedTransfers.Load(),
		BytesUp: c.bytesUp.Load(), BytesDown: c.bytesDown.Load(),
	}
}

// statisticsEvery is how often statistics are told where nothing is configured.
const statisticsEvery = 10 * time.Second

// flushEvery is how often the audit trail is told how far transfers have come. With the
// second that its sinks may gather, a crash costs no more than five.
const flushEvery = 3 * time.Second

// startReports starts what the server tells by itself, until Close.
func (s *Server) startReports() {
	if every := s.StatisticsEvery; s.Hooks.Statistics != nil {
		if every <= 0 {
			every = statisticsEvery
		}
		s.running.Go(func() { s.repeat(every, func() { s.Hooks.Statistics(s.Statistics()) }) })
	}
	if s.Audit.Followed() {
		s.running.Go(func() { s.repeat(flushEvery, s.tellProgress) })
	}
}

// repeat calls f again and again, and a last time when the server is closed.
func (s *Server) repeat(every time.Duration, f func()) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f()
		case <-s.over:
			f()
			return
		}
	}
}

// tellProgress tells how far the transfers of files have come.
func (s *Server) tellProgress() {
	for _, sess := range s.matching((*session).transferring) {
		if e, t := sess.progressEvent(); t != nil {
			t.tell(s.Audit, e)
		}
	}
}

// progressEvent is what is said about the transfer in progress, but for how far it is; nil:
// there is none of a file.
func (s *session) progressEvent() (audit.Event, *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.running
	if t == nil || s.account == nil || !movesFile(t.command.verb) {
		return audit.Event{}, nil
	}
	action := audit.Upload
	if sends(t.command.verb) {
		action = audit.Download
	}
	return audit.Event{
		Time: time.Now(), Node: s.server.Node, Session: s.id, User: s.account.Name, Remote: s.raw.RemoteAddr().String(),
		TLS: s.secure, Action: action,
	}, t
}

// tell says how far the transfer is, if that has changed and its end has not been told yet.
// With TLS its overhead counts, until the end is told.
func (t *transfer) tell(to *audit.Log, e audit.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil || t.toldEnd {
		return
	}
	received, sent := bytesMoved(t.conn)
	moved := received
	if e.Action == audit.Download {
		moved = sent
	}
	if e.Bytes = int64(moved); e.Bytes <= t.told { //nolint:gosec // no connection moves 8 EiB
		return
	}
	if t.id == "" {
		t.id = newID() + newID() // unique among all nodes, for all times
	}
	t.told, e.Transfer = e.Bytes, t.id
	to.Progress(e)
}

// tellEnd returns the id that the transfer was followed by, and keeps more from being told.
func (t *transfer) tellEnd() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.toldEnd = true
	return t.id
}
