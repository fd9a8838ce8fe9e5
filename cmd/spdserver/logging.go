package main

import (
	"io"
	"log/slog"

	"github.com/spdscheme/spdserver/config"
)

// newLogger returns the program's log. The configuration has been validated.
func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // info if it were unknown
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}
