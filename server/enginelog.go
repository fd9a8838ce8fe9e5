package server

import (
	"context"
	"log/slog"
)

// engineLog is the engine's log. The session logs what matters of a session, so the
// engine's warnings, many of which are a client's mistakes, are for debugging; its debug
// lines hold passwords and go nowhere. What it recovered from is an error.
type engineLog struct {
	slog.Handler
}

const enginePanic = "Internal command handling error"

// Enabled implements slog.Handler.
func (h engineLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle implements slog.Handler.
func (h engineLog) Handle(ctx context.Context, r slog.Record) error {
	level := slog.LevelDebug
	if r.Message == enginePanic {
		level = slog.LevelError
	}
	if !h.Handler.Enabled(ctx, level) {
		return nil
	}
	lowered := slog.NewRecord(r.Time, level, "engine: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		lowered.AddAttrs(a)
		return true
	})
	return h.Handler.Handle(ctx, lowered)
}

// WithAttrs implements slog.Handler.
func (h engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return engineLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h engineLog) WithGroup(name string) slog.Handler {
	return engineLog{h.Handler.WithGroup(name)}
}
