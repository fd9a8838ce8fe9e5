package server

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"

	ftpserver "github.com/fclairamb/ftpserverlib"

	"github.com/spdscheme/spdserver/driver"
)

// arrivals is the listener from which the engine takes sessions.
type arrivals struct {
	conns   chan net.Conn
	stopped chan struct{}
	once    sync.Once
}

var _ net.Listener = (*arrivals)(nil)

func newArrivals() *arrivals {
	return &arrivals{conns: make(chan net.Conn), stopped: make(chan struct{})}
}

// hand gives a session to the engine; false if the engine has stopped.
func (a *arrivals) hand(conn net.Conn) bool {
	select {
	case a.conns <- conn:
		return true
	case <-a.stopped:
		return false
	}
}

// Accept implements net.Listener.
func (a *arrivals) Accept() (net.Conn, error) {
	select {
	case conn := <-a.conns:
		return conn, nil
	case <-a.stopped:
		return nil, &net.OpError{Op: "accept", Net: "spd", Err: net.ErrClosed}
	}
}

// Close implements net.Listener.
func (a *arrivals) Close() error {
	a.stop()
	return nil
}

func (a *arrivals) stop() { a.once.Do(func() { close(a.stopped) }) }

// Addr implements net.Listener.
func (a *arrivals) Addr() net.Addr { return &net.TCPAddr{} }

// engineDriver is what ftpserverlib asks about the server as a whole.
type engineDriver struct {
	server *Server
}

var (
	_ ftpserver.MainDriver                        = (*engineDriver)(nil)
	_ ftpserver.MainDriverExtensionPassiveWrapper = (*engineDriver)(nil)
	_ ftpserver.MainDriverExtensionQuitMessage    = (*engineDriver)(nil)
)

var (
	errNoTLS    = errors.New("TLS is not configured")
	errNotOurs  = errors.New("connection is not a session")
	errNotIPv4  = errors.New("PASV needs an IPv4 address; use EPSV")
	errNotKnown = errors.New("not logged in")
)

// GetSettings implements ftpserver.MainDriver. What the session does better is off.
func (e *engineDriver) GetSettings() (*ftpserver.Settings, error) {
	s := e.server
	return &ftpserver.Settings{
		Listener:                 s.arrivals,
		Banner:                   s.Banner,
		PassiveTransferPortRange: s.passive.getter(),
		PublicIPResolver:         e.publicIP,
		IdleTimeout:              -1, // the session's
		ConnectionTimeout:        int(s.ConnectTimeout.Seconds()),
		ActiveTransferPortNon20:  true, // port 20 needs privileges and gains nothing
		DisableActiveMode:        !s.ActiveMode,
		DisableLISTArgs:          true, // the session's
		EnableHASH:               true,
		DefaultTransferType:      ftpserver.TransferTypeBinary,
		ActiveConnectionsCheck:   ftpserver.IPMatchRequired, // no bounce (RFC 2577)
		PasvConnectionsCheck:     ftpserver.IPMatchRequired,
	}, nil
}

// publicIP is the address in the reply to PASV: the configured one, or that which the
// client has connected to.
func (e *engineDriver) publicIP(cc ftpserver.ClientContext) (string, error) {
	if e.server.PublicIP != "" {
		return e.server.PublicIP, nil
	}
	host, _, err := net.SplitHostPort(cc.LocalAddr().String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip == nil || ip.To4() == nil {
		return "", errNotIPv4
	}
	return host, nil
}

// ClientConnected implements ftpserver.MainDriver.
func (e *engineDriver) ClientConnected(ftpserver.ClientContext) (string, error) {
	return e.server.Banner, nil
}

// ClientDisconnected implements ftpserver.MainDriver: the engine has left the session,
// though a transfer may still be ending.
func (e *engineDriver) ClientDisconnected(cc ftpserver.ClientContext) {
	if s, ok := sessionOf(cc); ok {
		s.engineLeft()
	}
}

// AuthUser implements ftpserver.MainDriver. The session has checked the password; this
// gives the engine the driver.
func (e *engineDriver) AuthUser(cc ftpserver.ClientContext, _, _ string) (ftpserver.ClientDriver, error) {
	s, ok := sessionOf(cc)
	if !ok {
		return nil, errNotOurs
	}
	if s.account == nil {
		return nil, errNotKnown
	}
	files, err := s.server.Driver(s.ctx, driver.Deps{
		Client: cc,
		Log:    s.log.With("user", s.account.Name),
		Alive:  s.alive,
		Report: s.report,
	}, s.account)
	if err != nil {
		return nil, err
	}
	s.files = files
	s.fixCharset()
	return files, nil
}

// GetTLSConfig implements ftpserver.MainDriver, for data connections.
func (e *engineDriver) GetTLSConfig() (*tls.Config, error) {
	if e.server.TLS == nil {
		return nil, errNoTLS
	}
	return e.server.TLS, nil
}

// WrapPassiveListener implements ftpserver.MainDriverExtensionPassiveWrapper.
func (e *engineDriver) WrapPassiveListener(l net.Listener) (net.Listener, error) {
	return e.server.passive.wrap(l), nil
}

// QuitMessage implements ftpserver.MainDriverExtensionQuitMessage.
func (e *engineDriver) QuitMessage() string { return "Goodbye" }

// sessionAddr is a session's RemoteAddr: it leads from the engine's view of a client back
// to the session.
type sessionAddr struct {
	net.Addr
	session *session
}

func sessionOf(cc ftpserver.ClientContext) (*session, bool) {
	addr, ok := cc.RemoteAddr().(sessionAddr)
	return addr.session, ok
}
