package server

import (
	"log/slog"
	"time"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/driver"
)

// report is told by the driver of every operation on a file.
func (s *session) report(op driver.Operation) {
	m := s.server.metrics
	m.seconds.WithLabelValues(op.Verb).Observe(op.Duration.Seconds())
	if direction := directionOf(op.Verb); direction != "" {
		result := "ok"
		if op.Err != nil {
			result = "failed"
		}
		m.transfers.WithLabelValues(direction, result).Inc()
		m.bytes.WithLabelValues(direction).Add(float64(op.Bytes))
	}
	s.server.counts.operation(op)
	s.noteActivity(op)
	s.logOperation(op)
}

func directionOf(verb string) string {
	switch verb {
	case "STOR", "STOU", "APPE":
		return "up"
	case "RETR":
		return "down"
	}
	return ""
}

// actionOf is what an operation is in the audit trail; "" if it changes nothing.
func actionOf(op driver.Operation) audit.Action {
	switch op.Verb {
	case "PASS":
		if op.Err != nil {
			return audit.LoginFailed
		}
		return audit.Login
	case "QUIT":
		return audit.Logout
	case "STOR", "STOU", "APPE":
		return audit.Upload
	case "RETR":
		return audit.Download
	case "DELE":
		return audit.Delete
	case "RNTO":
		return audit.Rename
	case "MKD":
		return audit.Mkdir
	case "RMD":
		return audit.Rmdir
	}
	return ""
}

// logOperation writes an operation to the log and, if it is worth that, to the audit
// trail. What changes nothing and works is for debugging.
func (s *session) logOperation(op driver.Operation) {
	action := actionOf(op)
	level := slog.LevelInfo
	if action == "" && op.Err == nil {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("user", s.name), slog.String("verb", op.Verb), slog.String("path", op.Path),
		slog.Int64("bytes", op.Bytes), slog.Duration("duration", op.Duration),
	}
	if op.Target != "" {
		attrs = append(attrs, slog.String("target", op.Target))
	}
	if op.Err != nil {
		attrs = append(attrs, slog.Any("err", op.Err))
	}
	s.log.LogAttrs(s.ctx, level, "command", attrs...)
	if action != "" {
		s.audit(action, op)
	}
}

func (s *session) audit(action audit.Action, op driver.Operation) {
	var transfer string
	if t := s.current(); t != nil && directionOf(op.Verb) != "" {
		transfer = t.tellEnd()
	}
	s.server.Audit.Log(s.ctx, audit.Event{
		Time:     time.Now(),
		Node:     s.server.Node,
		Session:  s.id,
		User:     s.name,
		Remote:   s.raw.RemoteAddr().String(),
		TLS:      s.isSecure(),
		Action:   action,
		Path:     op.Path,
		Target:   op.Target,
		ASCII:    s.ascii,
		Bytes:    op.Bytes,
		Duration: op.Duration,
		Err:      op.Told,
		Transfer: transfer,
	})
}

// reportLogout closes the session's entries in log and audit trail.
func (s *session) reportLogout() {
	if s.account == nil {
		return
	}
	if s.server.Left != nil {
		s.server.Left(s.id)
	}
	if s.server.LoggedOut != nil && s.files != nil {
		s.server.LoggedOut(s.account, s.files.Names.Seen())
	}
	s.logOperation(driver.Operation{Verb: "QUIT", Started: s.began, Duration: time.Since(s.began)})
}
