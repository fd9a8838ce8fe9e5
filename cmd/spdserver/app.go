package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/spdscheme/spdserver/admin"
	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/guard"
	"github.com/spdscheme/spdserver/moves"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/store/s3"
	"github.com/spdscheme/spdserver/upload"
)

// App is a node: everything wired together. Tests start it on ":0", too.
type App struct {
	// Log is where the node reports. Set it, Transport and Stdout before Run.
	Log *slog.Logger
	// Transport wraps the HTTP transport to the store; nil for none.
	Transport func(http.RoundTripper) http.RoundTripper
	// Started, if not nil, is told the addresses once clients can connect.
	Started func(Addresses)

	cfg      config.Config
	registry *prometheus.Registry
	database *db.DB
	client   *s3.Client
	budget   *buffer.Budget
	files    store.Opener
	ftp      atomic.Pointer[server.Server] // nil until prepare is done
	audit    *audit.Log
	uploads  *upload.Manager
	quotas   *quota.Ledger
	counter  *quota.Counter
	copies   *mounted.Buffers
	made     driver.MadeDirs
	tickets  *ticketKeys
	hashes   driver.HashCache
	bans     *guard.Bans
	gate     *guard.Gate
	watch    *admin.Watch
	member   *cluster.Member
	moves    *moves.Manager
	draining atomic.Bool
	end      func() // drains the node, and ends Run
}

// Addresses is where a node listens. Implicit and Admin are nil if they are off.
type Addresses struct {
	FTP, Implicit, Admin net.Addr
}

// New returns a node that has not begun anything.
func New(cfg config.Config) (*App, error) {
	if err := validate(cfg); err != nil {
		return nil, err
	}
	a := &App{
		Log:      newLogger(cfg.Log, os.Stderr),
		cfg:      cfg,
		registry: prometheus.NewRegistry(),
		budget:   buffer.NewBudget(int64(cfg.Transfer.Memory)),
	}
	a.registry.MustRegister(
		newAuditMetrics(func() []audit.Status { return a.audit.Status() }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "spd_transfer_memory_bytes", Help: "Memory that transfers use.",
		}, func() float64 { return float64(a.budget.Used()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "spd_transfer_memory_limit_bytes", Help: "Memory that transfers may use (transfer.memory).",
		}, func() float64 { return float64(a.budget.Size()) }),
	)
	return a, nil
}

// validate adds what package config cannot know.
func validate(cfg config.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.S3.AccessKey == "" {
		return config.Problems{{Key: "s3.access_key", Text: "is missing: write the store's access key, and s3.secret_key"}}
	}
	for hint := range strings.SplitSeq(cfg.FTP.CharsetHint, ",") {
		if hint = strings.TrimSpace(hint); hint == "" {
			continue
		}
		if _, err := encoding.Lookup(hint); err != nil {
			return config.Problems{{Key: "ftp.charset_hint", Text: err.Error()}}
		}
	}
	return nil
}

// Run serves until ctx ends, then drains. It waits for database and store first; only
// what waiting cannot cure is an error.
func (a *App) Run(ctx context.Context) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	defer a.close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	a.end = func() { fail(nil) }
	servers := servers{fail: fail}
	defer servers.wait()
	addresses := Addresses{}

	// The admin listener answers from the start to the end, drain included.
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin()
	if err := a.serveAdmin(adminCtx, &servers, &addresses); err != nil {
		return err
	}
	if err := a.prepare(ctx); err != nil {
		return unlessStopped(ctx, err)
	}
	stopJobs := a.startJobs(adminCtx)
	defer stopJobs() // after the last session has ended
	defer func() { a.ftp.Load().Close() }()
	if err := a.serveFTP(&servers, &addresses); err != nil {
		return err
	}
	if a.Started != nil {
		a.Started(addresses)
	}
	<-ctx.Done()
	a.drain()
	return unlessStopped(ctx, nil)
}

// unlessStopped is err, or what made the node end by itself; nil if it was told to end.
func unlessStopped(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return err
	case errors.Is(cause, context.Canceled):
		return nil
	default:
		return cause
	}
}

// servers are the accept loops of a node; the first that fails ends it.
type servers struct {
	fail    context.CancelCauseFunc
	running sync.WaitGroup
}

func (s *servers) run(serve func() error) {
	s.running.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, server.ErrClosed) {
			s.fail(err)
		}
	})
}

func (s *servers) wait() { s.running.Wait() }

// open makes what needs no answer from anybody yet.
func (a *App) open(ctx context.Context) error {
	var err error
	if a.database, err = db.Open(ctx, a.cfg.Database.DSN.Reveal(), db.Options{Logger: a.Log}); err != nil {
		return fmt.Errorf("database.dsn: %w", err)
	}
	if a.audit, err = openAudit(a.cfg.Audit, a.database, a.Log); err != nil {
		return err
	}
	if a.client, err = newS3Client(a.cfg.S3, a.Transport); err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	a.files, err = newStores(a.cfg, a.client, a.registry, a.Log)
	a.watch = a.newWatch()
	return err
}

func (a *App) close() {
	a.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), auditFlush)
	defer cancel()
	if err := a.audit.Close(ctx); err != nil { // before the database, which may be one of its sinks
		a.Log.Warn("audit trail not written to its end", "err", err)
	}
	if err := a.database.Close(); err != nil {
		a.Log.Warn("database not closed cleanly", "err", err)
	}
}

// prepare waits for database and store, brings the schema up to date, and makes the
// server that listeners can be given to.
func (a *App) prepare(ctx context.Context) error {
	if err := a.database.Wait(ctx); err != nil {
		return fmt.Errorf("database.dsn: %w: check user, password and name of the database", err)
	}
	if err := a.database.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if err := a.waitForStore(ctx); err != nil {
		return err
	}
	a.member = a.newMember()
	a.bans = a.newBans()
	a.bans.Sync(ctx)
	a.gate = a.newGate()
	a.registry.MustRegister(newGuardMetrics(a))
	a.moves = moves.NewManager(moves.Options{Journal: a.database, Node: a.member.ID(), Held: a.member.AliveSince, Log: a.Log})
	a.uploads = upload.NewManager(upload.Options{Journal: a.database, Node: a.nodeName(), Log: a.Log})
	a.counter = newCounter(a.database, a.files, a.nodeName(), a.Log)
	a.quotas = quota.NewLedger(quota.Options{
		Counts: a.database.Counts(), Counter: a.counter, Node: a.nodeName(), Log: a.Log,
	})
	a.copies = mounted.NewBuffers(mountCopies)
	opts, err := a.serverOptions()
	if err != nil {
		return err
	}
	a.tickets = newTicketKeys(a.database, opts, a.Log)
	a.tickets.refresh(ctx)
	ftp, err := server.New(opts)
	if err != nil {
		return err
	}
	a.ftp.Store(ftp)
	return nil
}

func (a *App) serverOptions() (server.Options, error) {
	cfg := a.cfg.FTP
	tlsConfig, err := loadTLS(a.cfg.TLS, a.Log)
	if err != nil {
		return server.Options{}, err
	}
	accounts := auth.New(a.database, auth.Options{
		Logger: a.Log, Scheme: a.cfg.Auth.Scheme, Rehash: a.cfg.Auth.Rehash, Now: a.bans.Now,
	})
	return server.Options{
		Banner:           cfg.Banner,
		PassiveFirst:     cfg.PassivePorts.First,
		PassiveLast:      cfg.PassivePorts.Last,
		PublicIP:         cfg.PublicIP.For,
		ActiveMode:       cfg.ActiveMode,
		ASCIIBinary:      cfg.ASCII == "binary",
		IdleTimeout:      cfg.IdleTimeout,
		LoginTimeout:     cfg.LoginTimeout,
		ConnectTimeout:   cfg.ConnectTimeout,
		DataTimeout:      cfg.DataTimeout,
		MaxSessions:      cfg.MaxSessions,
		MaxSessionsPerIP: cfg.MaxSessionsPerIP,
		LoginAttempts:    cfg.LoginAttempts,

		CommandsBeforeLogin: a.cfg.Guard.CommandsBeforeLogin,
		BytesBeforeLogin:    int64(a.cfg.Guard.BytesBeforeLogin),
		ProxyProtocolFrom:   cfg.ProxyProtocolFrom,

		TLS:             tlsConfig,
		TLSRequired:     a.cfg.TLS.Required,
		TLSSessionReuse: sessionReuse(a.cfg.TLS.SessionReuse),
		Gate:            a.gate,
		Login:           a.guarded(a.login(accounts)),
		Now:             a.bans.Now,
		Admit:           a.admit,
		Left:            a.member.Left,
		LoggedOut:       a.noteCharset,
		Driver:          a.newDriver(a.uploads),
		Audit:           a.audit,
		Node:            a.nodeName(),
		Metrics:         a.registry,
		Log:             a.Log,
	}, nil
}

// mountCopies is how many files are copied between buckets at a time, for clients that rename
// across mounts. Each takes mounted.BufferSize of memory.
const mountCopies = 4

// newDriver returns how a session gets its user's files.
func (a *App) newDriver(uploads *upload.Manager) func(context.Context, driver.Deps, *auth.User) (*driver.Driver, error) {
	return func(ctx context.Context, deps driver.Deps, user *auth.User) (*driver.Driver, error) {
		bucket, err := a.files(user.Bucket)
		if err != nil {
			return nil, err
		}
		if deps.Names == nil {
			deps.Names = encoding.NewDetector(encoding.Hints{
				Account: user.Charset, Seen: user.CharsetSeen, Server: a.cfg.FTP.CharsetHint,
			})
		}
		deps.Store = bucket
		deps.Uploads = uploads
		deps.Moves = a.moves
		deps.Budget = a.budget
		deps.Times = a.database
		deps.Quota = a.quotas
		deps.Stores, deps.Copies = a.files, a.copies
		deps.Made, deps.Hashes = &a.made, &a.hashes
		deps.PartSize = int64(a.cfg.Transfer.PartSize)
		deps.PartsInFlight = a.cfg.Transfer.PartsInFlight
		deps.DataTimeout = a.cfg.FTP.DataTimeout
		return driver.New(ctx, deps, user), nil
	}
}

// noteTimeout bounds what is written at the end of a session.
const noteTimeout = 5 * time.Second

// noteCharset keeps the charset of a session for the account's next one. An account with a
// charset of its own needs none.
func (a *App) noteCharset(user *auth.User, charset string) {
	if charset == "" || charset == user.CharsetSeen || user.Charset != "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	if err := a.database.SetCharsetSeen(ctx, user.Name, charset); err != nil {
		a.Log.Warn("charset not stored", "user", user.Name, "err", err)
	}
}

func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// startJobs runs what goes on beside the sessions, until the returned function ends it.
func (a *App) startJobs(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	janitor := &upload.Janitor{
		Journal: a.database,
		Node:    a.holder(),
		Keep:    a.cfg.Upload.Keep,
		Stores:  a.files,
		Buckets: []string{a.cfg.S3.Bucket},
		Log:     a.Log,
	}
	var jobs sync.WaitGroup
	jobs.Go(func() { a.watch.Run(ctx) })
	jobs.Go(func() { a.member.Run(ctx) })
	jobs.Go(func() { a.bans.Run(ctx) })
	jobs.Go(func() { a.logRefusals(ctx) })
	jobs.Go(func() { a.uploads.Run(ctx) })
	jobs.Go(func() { a.newFinisher().Run(ctx) })
	jobs.Go(func() { janitor.Run(ctx) })
	jobs.Go(func() { a.quotas.Run(ctx) })
	jobs.Go(func() { a.counter.Run(ctx) })
	jobs.Go(func() { a.tickets.run(ctx) })
	jobs.Go(func() { a.pruneEvents(ctx) })
	return func() {
		cancel()
		jobs.Wait()
	}
}

// serveFTP listens for clients.
func (a *App) serveFTP(servers *servers, addresses *Addresses) error {
	ftp := a.ftp.Load()
	plain, err := listen("ftp.listen", a.cfg.FTP.Listen)
	if err != nil {
		return err
	}
	addresses.FTP = plain.Addr()
	a.Log.Info("listening", "for", "ftp", "address", plain.Addr().String())
	servers.run(func() error { return ftp.Serve(plain) })
	if a.cfg.TLS.ImplicitListen == "" {
		return nil
	}
	implicit, err := listen("tls.implicit_listen", a.cfg.TLS.ImplicitListen)
	if err != nil {
		return err
	}
	addresses.Implicit = implicit.Addr()
	a.Log.Info("listening", "for", "ftps", "address", implicit.Addr().String())
	servers.run(func() error { return ftp.ServeTLS(implicit) })
	return nil
}

// listen opens a TCP port; its errors name the key that says which.
func listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(address) // it was good enough to listen on
		return nil, fmt.Errorf("%s: port %s is already in use (%s): stop the other program, or choose another port with %s",
			key, port, address, key)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: no permission to listen on %s: run with CAP_NET_BIND_SERVICE or set a port above 1023", key, address)
	case err != nil:
		return nil, fmt.Errorf("%s: listen: %w", key, err)
	}
	return l, nil
}

// drain lets balancers notice, then transfers finish. Whoever is sent here meanwhile is let
// in, and one who is sent away goes to another node.
func (a *App) drain() {
	a.draining.Store(true) // probeFTP tells balancers
	a.member.Beat()        // and this the other nodes
	summary := a.ftp.Load().Summary()
	a.Log.Info("draining", "sessions", summary.Sessions, "transfers", summary.Transfers,
		"delay", a.cfg.FTP.DrainDelay.String(), "timeout", a.cfg.FTP.DrainTimeout.String())
	time.Sleep(a.cfg.FTP.DrainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.FTP.DrainTimeout)
	defer cancel()
	if err := a.ftp.Load().Shutdown(ctx); err != nil {
		a.Log.Warn("transfers cut off at the end of the drain timeout")
	}
	a.Log.Info("stopped")
}
