package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

// probeTimeout is how long a probe may take, and freshFor how long its outcome is shown to
// everybody who asks: probing must not wear the backends out.
const (
	probeTimeout = 2 * time.Second
	freshFor     = time.Second
)

// Probe is something that must work for clients to be sent here.
type Probe struct {
	Name string
	// Try returns nil if it works. It must return when ctx ends, which is after two seconds.
	// The error is logged; of its text, only a Reason is shown.
	Try func(ctx context.Context) error
}

// Reason is an error of which the text is fit to be shown: it names no host, no secret.
type Reason string

var _ error = Reason("")

// Error returns the reason.
func (r Reason) Error() string { return string(r) }

// Check is the outcome of a Probe.
type Check struct {
	Name string
	Err  error
}

// State says "ok" or what is wrong, without naming hosts or secrets.
func (c Check) State() string {
	var reason Reason
	var network net.Error
	var dns *net.DNSError
	switch {
	case c.Err == nil:
		return "ok"
	case errors.As(c.Err, &reason):
		return reason.Error()
	case errors.As(c.Err, &dns):
		return "host name not found"
	case errors.Is(c.Err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(c.Err, context.DeadlineExceeded), errors.As(c.Err, &network) && network.Timeout():
		return "timed out"
	default:
		return "failed, see the log"
	}
}

func ready(checks []Check) bool {
	for _, c := range checks {
		if c.Err != nil {
			return false
		}
	}
	return true
}

// prober runs probes, and shares one round of them among all who ask.
type prober struct {
	probes []Probe
	log    *slog.Logger

	turn chan struct{} // holds one token; who has it may use what follows
	last []Check
	when time.Time // the end of the last round
}

func newProber(probes []Probe, log *slog.Logger) *prober {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &prober{probes: probes, log: log, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// checks returns the outcomes in the order of the probes, not to be changed. If ctx ends
// while another round runs, nobody is there to be told.
func (p *prober) checks(ctx context.Context) []Check {
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return []Check{{"probes", ctx.Err()}}
	}
	if p.last == nil || time.Since(p.when) > freshFor {
		checks := p.round(ctx)
		p.report(checks)
		p.last, p.when = checks, time.Now()
	}
	return p.last
}

// round runs all probes at once. Others wait for the outcome, so it goes on when the one
// who asked has gone.
func (p *prober) round(ctx context.Context) []Check {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	checks := make([]Check, len(p.probes))
	var running sync.WaitGroup
	for i, probe := range p.probes {
		running.Go(func() { checks[i] = Check{probe.Name, probe.Try(ctx)} })
	}
	running.Wait()
	return checks
}

// report logs what has changed since the last round.
func (p *prober) report(checks []Check) {
	for i, c := range checks {
		failed := p.last != nil && p.last[i].Err != nil
		switch {
		case c.Err != nil && !failed:
			p.log.Warn("not ready", "probe", c.Name, "err", c.Err)
		case c.Err == nil && failed:
			p.log.Info("ready again", "probe", c.Name)
		}
	}
}
