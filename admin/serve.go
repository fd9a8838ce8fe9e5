package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds of a request. A probe takes two seconds at most, metrics some milliseconds.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = 60 * time.Second
	shutdownTimeout = 3 * time.Second
	maxHeaderBytes  = 16 << 10
)

// Serve answers requests on l until ctx ends, waits a moment for those that run, and
// closes l. The error is nil if it ended because ctx did.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Scanners and broken clients are no news.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	var served error
	ended := make(chan struct{})
	go func() {
		served = s.Serve(l)
		close(ended)
	}()

	select {
	case <-ended: // without being told to
	case <-ctx.Done():
		shutdown(ctx, s)
		<-ended
	}
	if errors.Is(served, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the admin pages: %w", served)
}

// shutdown waits for running requests, and cuts off those that do not end.
func shutdown(ctx context.Context, s *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close() // the process is about to end
	}
}
