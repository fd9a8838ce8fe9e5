package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/moves"
	"github.com/spdscheme/spdserver/server"
)

// newMember makes the node one among those of the database.
func (a *App) newMember() *cluster.Member {
	return cluster.New(cluster.Options{
		Registry: a.database,
		Accounts: a.database,
		Local:    localServer{a},
		Node: cluster.Node{
			Name: a.nodeName(), Address: a.cfg.FTP.Listen, Version: version(),
			PassiveFirst: a.cfg.FTP.PassivePorts.First, PassiveLast: a.cfg.FTP.PassivePorts.Last,
		},
		Log: a.Log,
	})
}

// nodeName is what people call a node.
func nodeName(cfg config.Config) string {
	if cfg.Cluster.Node != "" {
		return cfg.Cluster.Node
	}
	return hostName()
}

func (a *App) nodeName() string { return nodeName(a.cfg) }

// holder is what this run of the node holds leases by.
func (a *App) holder() string { return a.nodeName() + "/" + a.member.ID() }

// localServer is the node's server as package cluster knows it.
type localServer struct{ app *App }

var _ cluster.Local = localServer{}

func (l localServer) State() (sessions, transfers int, draining bool) {
	s := l.app.ftp.Load().Summary()
	return s.Sessions, s.Transfers, l.app.draining.Load()
}

func (l localServer) Sessions() []cluster.Session {
	infos := l.app.ftp.Load().Sessions()
	sessions := make([]cluster.Session, len(infos))
	for i, info := range infos {
		sessions[i] = sessionOf(info)
	}
	return sessions
}

func sessionOf(s server.SessionInfo) cluster.Session {
	return cluster.Session{
		ID: s.ID, User: s.User, Remote: s.Remote, TLS: s.TLS, Since: s.Since, Verb: s.Verb, Path: s.Path, Bytes: s.Bytes,
	}
}

func (l localServer) Refresh(name string, account *auth.Account, err error) {
	l.app.ftp.Load().Refresh(name, account, err)
}

func (l localServer) Kick(id string) {
	l.app.ftp.Load().Kick(id, "The administrator has ended this session")
}

func (l localServer) Drain() {
	l.app.Log.Info("told to drain by way of the database")
	l.app.end()
}

var errDatabaseAway = errors.New("the database does not answer")

// login asks nobody while the database is known to be away: a client is told at once.
func (a *App) login(accounts *auth.Authenticator) func(context.Context, string, string, auth.Connection) (*auth.User, error) {
	return func(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error) {
		if a.watch.Failing(ctx, databaseProbe) {
			return nil, fmt.Errorf("%w: %w", auth.ErrUnavailable, errDatabaseAway)
		}
		return accounts.Login(ctx, name, password, conn)
	}
}

// admit counts a session over all nodes, where there is a limit.
func (a *App) admit(ctx context.Context, s server.SessionInfo, user *auth.User) error {
	err := a.member.Admit(ctx, sessionOf(s), cluster.Limits{OfUser: user.MaxSessions, FromAddress: a.addressLimit(s)})
	switch {
	case errors.Is(err, cluster.ErrManyOfUser):
		return server.ErrManyOfUser
	case errors.Is(err, cluster.ErrManyFromAddress):
		return server.ErrManyFromAddress
	}
	return err
}

// addressLimit spares the allow-list.
func (a *App) addressLimit(s server.SessionInfo) int {
	if a.bans.Allowed(s.Remote.Addr()) {
		return 0
	}
	return a.cfg.FTP.MaxSessionsPerIP
}

// newFinisher finishes what nodes have left that died.
func (a *App) newFinisher() *moves.Finisher {
	return &moves.Finisher{Manager: a.moves, Stores: a.files, Copies: a.copies, Times: a.database, Finished: a.countAgain}
}
