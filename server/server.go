// Package server is the FTP side of SPD: listeners, sessions, limits and drain.
//
// A session (session.go) is one client's control connection: it assembles command lines,
// speaks Telnet and TLS, logs users in, executes commands (commands.go) and runs transfers
// (transfer.go) over data connections (data.go, passive.go).
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/guard"
)

// Options of a Server. The zero value of a limit means none.
type Options struct {
	Banner           string
	PassiveFirst     int                                        // first and
	PassiveLast      int                                        // last port for passive data connections; 0: any free one
	PublicIP         func(client netip.Addr) (netip.Addr, bool) // IPv4 address for PASV, if there is one; nil: none
	ASCIIBinary      bool                                       // TYPE A keeps bytes as they are
	ActiveMode       bool                                       // allow PORT and EPRT
	IdleTimeout      time.Duration                              // between commands
	LoginTimeout     time.Duration                              // from connecting to being logged in
	ConnectTimeout   time.Duration                              // for a data connection to come about, and for PASV to lead to one
	DataTimeout      time.Duration                              // silence on a data connection that ends a listing
	MaxSessions      int
	MaxSessionsPerIP int
	LoginAttempts    int // wrong passwords on one connection; one more ends it

	TLS             *tls.Config // nil: no FTPS. Its session ticket keys may be set at any time
	TLSRequired     bool
	TLSSessionReuse SessionReuse // of data connections

	// Gate limits connections before their login; nil: it does not.
	Gate                *guard.Gate
	CommandsBeforeLogin int            // of one connection; one more ends it
	BytesBeforeLogin    int64          // of its command lines
	ProxyProtocolFrom   []netip.Prefix // balancers whose connections begin with a PROXY header

	// Login tells who a client is; auth.Authenticator has it.
	Login func(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error)
	// Now is what the expiry and the hours of accounts go by in sessions; nil: time.Now.
	Now func() time.Time
	// LoggedOut, if not nil, is told when a user's session is over, and which charset its file
	// names turned out to be in; "": that is not sure.
	LoggedOut func(user *auth.User, charset string)
	// Admit, if not nil, is asked at every login whether there may be one more session, where
	// that is counted over all nodes: ErrManyOfUser, ErrManyFromAddress, or it is not known.
	// Left is told when a session's user has logged out, or is gone.
	Admit func(ctx context.Context, s SessionInfo, user *auth.User) error
	Left  func(sessionID string)
	// Driver makes the file system of a user's session. deps holds what the session
	// knows: Client, Alive, Report and Log, and Names if it is not the session's first.
	Driver func(ctx context.Context, deps driver.Deps, user *auth.User) (*driver.Driver, error)

	Hooks

	Audit   *audit.Log // nil: no audit trail
	Node    string     // this node's name in it
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// ErrClosed is what Serve returns after Shutdown or Close.
var ErrClosed = errors.New("server closed")

// Server serves FTP on any number of listeners.
type Server struct {
	Options
	passive *passivePorts
	metrics *metrics
	corks   sync.Pool // see watchedConn
	counts  counts

	mu        sync.Mutex
	listeners map[net.Listener]bool
	sessions  map[*session]bool
	draining  bool
	drained   chan struct{} // closed when draining begins
	over      chan struct{} // closed when the last session has ended
	isOver    bool

	lookout lookout

	active  sync.WaitGroup // sessions
	running sync.WaitGroup // accept loops
}

// New returns a Server that does not listen yet. Close it when done.
func New(opts Options) (*Server, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{
		Options:   opts,
		passive:   newPassivePorts(opts.PassiveFirst, opts.PassiveLast, opts.ConnectTimeout),
		metrics:   newMetrics(opts.Metrics),
		listeners: make(map[net.Listener]bool),
		sessions:  make(map[*session]bool),
		drained:   make(chan struct{}),
		over:      make(chan struct{}),
	}
	s.startReports()
	return s, nil
}

// Serve accepts sessions from l until Shutdown or Close, and returns ErrClosed then.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, false) }

// ServeTLS is Serve for implicit FTPS: the client begins with a TLS handshake.
func (s *Server) ServeTLS(l net.Listener) error { return s.serve(l, true) }

// Why a connection is refused, as the client reads it.
var (
	errDraining     = errors.New("server is going down; connect again")
	errManySessions = errors.New("too many sessions; try again later")
	errManyFromYou  = errors.New("too many sessions from your address; try again later")
)

// admit counts a session in, within the limits, and starts it.
func (s *Server) admit(sess *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return errDraining
	case s.MaxSessions > 0 && len(s.sessions) >= s.MaxSessions:
		return errManySessions
	case s.MaxSessionsPerIP > 0 && !s.Gate.Allows(sess.ip) && s.countLocked(func(o *session) bool { return o.ip == sess.ip }) >= s.MaxSessionsPerIP:
		return errManyFromYou
	}
	s.sessions[sess] = true
	s.metrics.sessions.Inc()
	s.active.Go(func() {
		defer s.leave(sess)
		sess.run()
	})
	return nil
}

// admitUser checks the user's own limit of sessions on this node.
func (s *Server) admitUser(sess *session, user *auth.User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user.MaxSessions > 0 && s.countLocked(func(o *session) bool { return o.user == user.Name }) >= user.MaxSessions {
		return false
	}
	sess.user = user.Name
	return true
}

// dismissUser takes a session off its user's count.
func (s *Server) dismissUser(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess.user = ""
}

func (s *Server) countLocked(match func(*session) bool) int {
	n := 0
	for sess := range s.sessions {
		if match(sess) {
			n++
		}
	}
	return n
}

// leave counts a session out.
func (s *Server) leave(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess)
	s.metrics.sessions.Dec()
	sess.visit.Leave()
}

// Summary is what the server is doing.
type Summary struct {
	Sessions  int
	Transfers int
}

// Summary may be called at any time.
func (s *Server) Summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Summary{
		Sessions:  len(s.sessions),
		Transfers: s.countLocked((*session).transferring),
	}
}

// Drain stops accepting. Sessions without a command in progress are ended with 421, the
// others as soon as theirs is done.
func (s *Server) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draining {
		s.draining = true
		close(s.drained)
	}
	for l := range s.listeners {
		_ = l.Close() // accept loops end
	}
	clear(s.listeners)
	for sess := range s.sessions {
		sess.endSoon("421 Server is going down; connect again")
	}
}

// Shutdown drains and waits for the transfers in progress. When ctx ends first, those
// left are cut off, and the error is that of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	idle := make(chan struct{})
	go func() { // ends when Close has ended all sessions, at the latest
		s.active.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	s.Close()
	<-idle
	return ctx.Err()
}

// Close ends everything at once and waits for it.
func (s *Server) Close() {
	s.Drain()
	s.mu.Lock()
	for sess := range s.sessions {
		sess.cut(errOver)
	}
	s.mu.Unlock()
	s.active.Wait()
	s.passive.close()
	s.endReports()
	s.running.Wait()
}

func (s *Server) endReports() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isOver {
		s.isOver = true
		close(s.over)
	}
}
