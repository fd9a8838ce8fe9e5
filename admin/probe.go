package admin

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// A probe is tried once a second. One failure, or one success, may be chance: readiness
// changes when several have come in a row. A fault shows after 3.4 seconds at most, so that
// balancers, which take up to 1.5 seconds to see it, send nobody here after five.
const (
	probeEvery   = time.Second
	probeTimeout = 1200 * time.Millisecond
	fallAfter    = 2 // failures in a row
	riseAfter    = 3 // successes in a row
)

// Probe is something that must work for clients to be sent here.
type Probe struct {
	Name string
	// Try returns nil if it works. It must return when ctx ends, which is after 1.2 seconds.
	// The error is logged; of its text, only a Reason is shown.
	Try func(ctx context.Context) error
	// Instant: Try knows without asking anybody. It is tried whenever somebody wants to know,
	// and what it says holds at once.
	Instant bool
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
