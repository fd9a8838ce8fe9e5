package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/server"
)

// sessionReuse is what tls.session_reuse means.
func sessionReuse(value string) server.SessionReuse {
	switch value {
	case "require":
		return server.ReuseRequire
	case "off":
		return server.ReuseOff
	default:
		return server.ReusePrefer
	}
}

// ticketKeysEvery is how often a node looks for the keys of the others.
const ticketKeysEvery = time.Minute

// ticketKeys keeps the keys of TLS session tickets those of all nodes.
type ticketKeys struct {
	database *db.DB
	config   *tls.Config // nil: nobody needs keys
	log      *slog.Logger
}

func newTicketKeys(database *db.DB, opts server.Options, log *slog.Logger) *ticketKeys {
	k := &ticketKeys{database: database, config: opts.TLS, log: log}
	if opts.TLSSessionReuse == server.ReuseOff {
		k.config = nil
	}
	return k
}

// refresh takes over the keys of the database. If it is away, those of before stay.
func (k *ticketKeys) refresh(ctx context.Context) {
	if k.config == nil {
		return
	}
	keys, err := k.database.TicketKeys(ctx, time.Now())
	if err != nil {
		k.log.Warn("keys of TLS session tickets not shared with other nodes; next try in a minute", "err", err)
		return
	}
	k.config.SetSessionTicketKeys(keys)
}

// run refreshes until ctx ends.
func (k *ticketKeys) run(ctx context.Context) {
	ticker := time.NewTicker(ticketKeysEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}
