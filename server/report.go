package server

import (
	"log/slog"

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
	s.logEvent(op)
}

func directionOf(verb string) string {
	switch verb {
	case "STOR", "APPE":
		return "up"
	case "RETR":
		return "down"
	}
	return ""
}

// logEvent writes an operation to the log and, if it is worth that, to the audit trail.
func (s *session) logEvent(op driver.Operation) {
	level := slog.LevelInfo
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
}

func (s *session) reportLogout() {}
