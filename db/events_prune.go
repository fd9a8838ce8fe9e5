package db

import (
	"context"
	"log/slog"
	"time"
)

const (
	pruneJob      = "events"
	pruneInterval = 10 * time.Minute
	pruneLease    = 3 * pruneInterval
	// settleAfter is when a transfer of which nothing is heard is over: its node has died.
	settleAfter = 24 * time.Hour
)

// EventPruner deletes old rows of events, and settles the traffic of nodes that have died, on
// one node at a time.
type EventPruner struct {
	DB   *DB
	Node string        // name of this node
	Keep time.Duration // age of the rows that stay; 0: all stay
	Log  *slog.Logger
}

// Run deletes what is too old now, and then every ten minutes, until ctx ends.
func (p *EventPruner) Run(ctx context.Context) {
	if p.Keep <= 0 {
		return
	}
	ticker := time.NewTicker(pruneInterval)
	defer ticker.Stop()
	for {
		p.Prune(ctx, time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Prune deletes what is too old at the time now, if no other node is at it.
func (p *EventPruner) Prune(ctx context.Context, now time.Time) {
	mine, err := p.DB.Lead(ctx, pruneJob, p.Node, now, now.Add(pruneLease))
	if err == nil && mine {
		err = p.DB.settleTraffic(ctx, now.Add(-settleAfter))
	}
	if err == nil && mine {
		var n int64
		if n, err = p.DB.PruneEvents(ctx, now.Add(-p.Keep)); n > 0 {
			p.Log.InfoContext(ctx, "old events deleted", "rows", n)
		}
	}
	if err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "old events could not be deleted", "err", err)
	}
}
