package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/guard"
)

// newBans returns who must not log in, as the nodes know it together.
func (a *App) newBans() *guard.Bans {
	cfg := a.cfg.Guard
	return guard.NewBans(guard.BanOptions{
		AddressFailures: cfg.AddressFailures,
		AccountFailures: cfg.AccountFailures,
		Window:          cfg.Window,
		First:           cfg.BanTime,
		Longest:         cfg.BanTimeMax,
		Allow:           cfg.Allow,
		Journal:         a.database.Bans(),
		Node:            a.nodeName(),
		Holder:          a.holder(),
		Log:             a.Log,
		Report:          a.reportBan,
	})
}

// newGate returns the limits before the login.
func (a *App) newGate() *guard.Gate {
	cfg := a.cfg.Guard
	return guard.NewGate(guard.Limits{
		Pending:           cfg.MaxPending,
		PendingPerNetwork: cfg.MaxPendingPerIP,
		Rate:              float64(cfg.ConnectionRate),
		Burst:             cfg.ConnectionBurst,
		Handshakes:        cfg.MaxHandshakes,
	}, cfg.Allow, cfg.Deny, a.bans.Denied)
}

// loginFunc is how the server asks who a client is.
type loginFunc func(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error)

// guarded counts the logins that fail, and does not look at those of who is banned. They are
// answered like any other that fails, and as late.
func (a *App) guarded(login loginFunc) loginFunc {
	return func(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error) {
		attempt, err := a.bans.Begin(ctx, name, conn.From)
		switch {
		case errors.Is(err, guard.ErrBanned):
			a.Log.InfoContext(ctx, "login refused", "user", name, "from", conn.From, "reason", err)
			if !a.bans.Refuse(ctx) {
				return login(ctx, "", "", conn) // nobody is called that; it takes the time it takes
			}
			return nil, auth.ErrDenied
		case err != nil:
			return nil, fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
		}
		user, err := login(ctx, name, password, conn)
		switch {
		case err == nil:
			attempt.Good(ctx)
		case errors.Is(err, auth.ErrDenied):
			attempt.Bad(ctx)
		default:
			attempt.Undecided(ctx)
		}
		return user, err
	}
}

// reportBan writes the beginning or the end of a ban into the audit trail.
func (a *App) reportBan(b guard.Ban, ended bool) {
	e := audit.Event{Time: time.Now(), Node: a.nodeName(), Action: audit.Ban, Reason: b.Reason}
	if ended {
		e.Action = audit.Unban
	}
	if b.Kind == guard.Account {
		e.User = b.Name
	} else {
		e.Remote = b.Name
	}
	if !b.Until.IsZero() {
		e.Duration = b.Until.Sub(b.Since)
	}
	a.audit.Log(context.Background(), e)
	a.Log.Info("ban", "ended", ended, "kind", b.Kind, "subject", b.Name, "reason", b.Reason, "until", b.Until)
}

// refusalsEvery is how often is logged what the gate has refused: a flood must not fill the
// log.
const refusalsEvery = time.Minute

// logRefusals tells, until ctx ends, how many connections were refused before their login.
func (a *App) logRefusals(ctx context.Context) {
	ticker := time.NewTicker(refusalsEvery)
	defer ticker.Stop()
	var before guard.GateStatus
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := a.gate.Status()
		denied, often, open := now.Denied-before.Denied, now.TooOften-before.TooOften, now.TooManyOpen-before.TooManyOpen
		if denied+often+open > 0 {
			a.Log.WarnContext(ctx, "connections refused before their login", "denied", denied, "rate", often, "pending", open, "within", refusalsEvery)
		}
		before = now
	}
}

// guardMetrics are numbers of bans and of refused connections.
type guardMetrics struct {
	app                    *App
	bans, pending, refused *prometheus.Desc
}

var _ prometheus.Collector = (*guardMetrics)(nil)

func newGuardMetrics(a *App) *guardMetrics {
	return &guardMetrics{
		app:     a,
		bans:    prometheus.NewDesc("spd_bans", "Bans in force, by kind (address, account).", []string{"kind"}, nil),
		pending: prometheus.NewDesc("spd_connections_pending", "Connections that are not logged in.", nil, nil),
		refused: prometheus.NewDesc("spd_guard_refused_total",
			"Connections refused before their login, by reason (denied, rate, pending).", []string{"reason"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *guardMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.bans
	to <- m.pending
	to <- m.refused
}

// Collect implements prometheus.Collector.
func (m *guardMetrics) Collect(to chan<- prometheus.Metric) {
	addresses, accounts := m.app.bans.Active()
	s := m.app.gate.Status()
	to <- prometheus.MustNewConstMetric(m.bans, prometheus.GaugeValue, float64(addresses), string(guard.Address))
	to <- prometheus.MustNewConstMetric(m.bans, prometheus.GaugeValue, float64(accounts), string(guard.Account))
	to <- prometheus.MustNewConstMetric(m.pending, prometheus.GaugeValue, float64(s.Pending))
	for reason, n := range map[string]uint64{"denied": s.Denied, "rate": s.TooOften, "pending": s.TooManyOpen} {
		to <- prometheus.MustNewConstMetric(m.refused, prometheus.CounterValue, float64(n), reason)
	}
}
