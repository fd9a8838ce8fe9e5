package admin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Watch tries probes again and again, so that whoever asks is answered at once, and
// readiness does not flap. Its methods may be called concurrently.
type Watch struct {
	probes []Probe
	log    *slog.Logger

	mu     sync.Mutex
	states []state // of the probes
}

// state is what a probe has said so far.
type state struct {
	shown  error // what holds
	last   error // of the last try
	streak int   // how many tries in a row have failed, or succeeded, as the last
	worked bool  // it has succeeded once
}

// errUntried is what holds before the first try.
const errUntried = Reason("not tried yet")

// NewWatch returns a Watch whose Run must be running. log is told when a probe begins or
// ceases to fail; nil: nobody is.
func NewWatch(log *slog.Logger, probes ...Probe) *Watch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w := &Watch{probes: probes, log: log, states: make([]state, len(probes))}
	for i := range w.states {
		w.states[i].shown = errUntried
	}
	return w
}

// Run tries the probes until ctx ends. None waits for another.
func (w *Watch) Run(ctx context.Context) {
	var running sync.WaitGroup
	for i, p := range w.probes {
		if !p.Instant {
			running.Go(func() { w.watch(ctx, i) })
		}
	}
	running.Wait()
}

func (w *Watch) watch(ctx context.Context, i int) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		err := w.try(ctx, w.probes[i])
		if ctx.Err() != nil {
			return
		}
		w.note(i, err)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *Watch) try(ctx context.Context, p Probe) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return p.Try(ctx)
}

// note takes the outcome of a try into account. Until a probe has succeeded once, whatever
// it says holds at once.
func (w *Watch) note(i int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, before := &w.states[i], w.states[i].shown
	if (err == nil) != (s.last == nil) {
		s.streak = 0
	}
	s.streak++
	enough := fallAfter
	if err == nil {
		enough = riseAfter
	}
	if !s.worked || s.streak >= enough || (err == nil) == (before == nil) {
		s.shown = err
	}
	s.last, s.worked = err, s.worked || err == nil
	w.report(w.probes[i].Name, before, s.shown)
}

// report logs that a probe begins or ceases to hold for failed.
func (w *Watch) report(name string, before, now error) {
	switch known := !errors.Is(before, errUntried); {
	case now != nil && (before == nil || !known):
		w.log.Warn("not ready", "probe", name, "err", now)
	case now == nil && before != nil && known:
		w.log.Info("ready again", "probe", name)
	}
}

// Checks returns what holds, in the order of the probes. A nil Watch has none.
func (w *Watch) Checks(ctx context.Context) []Check {
	if w == nil {
		return nil
	}
	checks := make([]Check, len(w.probes))
	for i, p := range w.probes {
		checks[i] = Check{p.Name, w.outcome(ctx, i)}
	}
	return checks
}

func (w *Watch) outcome(ctx context.Context, i int) error {
	w.mu.Lock()
	shown := w.states[i].shown
	w.mu.Unlock()
	if p := w.probes[i]; p.Instant || errors.Is(shown, errUntried) {
		return w.try(ctx, p)
	}
	return shown
}

// Failing tells whether a probe holds for failed.
func (w *Watch) Failing(ctx context.Context, name string) bool {
	for i, p := range w.probes {
		if p.Name == name {
			return w.outcome(ctx, i) != nil
		}
	}
	return false
}
