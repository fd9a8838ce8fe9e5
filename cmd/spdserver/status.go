package main

import (
	"context"
	"errors"
	"time"

	"github.com/spdscheme/spdserver/admin"
	"github.com/spdscheme/spdserver/store"
)

// serveAdmin answers probes, metrics and the status page, if that is on.
func (a *App) serveAdmin(ctx context.Context, servers *servers, addresses *Addresses) error {
	if a.cfg.Admin.Listen == "" {
		return nil
	}
	l, err := listen("admin.listen", a.cfg.Admin.Listen)
	if err != nil {
		return err
	}
	addresses.Admin = l.Addr()
	a.Log.Info("listening", "for", "admin", "address", l.Addr().String())
	handler := admin.Handler(admin.Options{
		Watch:    a.watch,
		Summary:  a.summary,
		Gatherer: a.registry,
		Version:  version(),
		Started:  time.Now(),
	})
	servers.run(func() error { return admin.Serve(ctx, l, handler) })
	return nil
}

// databaseProbe is the probe that logins depend on.
const databaseProbe = "database"

// newWatch watches what a node cannot do without.
func (a *App) newWatch() *admin.Watch {
	return admin.NewWatch(a.Log,
		admin.Probe{Name: "ftp", Try: a.probeFTP, Instant: true},
		admin.Probe{Name: databaseProbe, Try: a.database.Ping},
		admin.Probe{Name: "store", Try: a.probeStore},
	)
}

func (a *App) probeFTP(context.Context) error {
	switch {
	case a.ftp.Load() == nil:
		return admin.Reason("starting")
	case a.draining.Load():
		return admin.Reason("draining")
	}
	return nil
}

func (a *App) probeStore(ctx context.Context) error {
	err := a.client.Bucket(a.cfg.S3.Bucket).Ping(ctx)
	switch {
	case errors.Is(err, store.ErrNoBucket):
		return admin.Reason("the bucket does not exist")
	case errors.Is(err, store.ErrDenied):
		return admin.Reason("the keys are refused")
	case errors.Is(err, store.ErrUnavailable):
		return admin.Reason("does not answer")
	}
	return err
}

func (a *App) summary() admin.Summary {
	ftp := a.ftp.Load()
	if ftp == nil {
		return admin.Summary{}
	}
	s := ftp.Summary()
	return admin.Summary{Sessions: s.Sessions, Transfers: s.Transfers}
}
