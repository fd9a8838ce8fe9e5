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
	_ ftpserver.MainDriver                     = (*engineDriver)(nil)
	_ ftpserver.MainDriverExtensionQuitMessage = (*engineDriver)(nil)
)

var (
	errNoTLS    = errors.New("the engine speaks no TLS")
	errNotOurs  = errors.New("connection is not a session")
	errNotKnown = errors.New("not logged in")
)

// GetSettings implements ftpserver.MainDriver. What the session does better is off.
func (e *engineDriver) GetSettings() (*ftpserver.Settings, error) {
	s := e.server
	return &ftpserver.Settings{
		Listener:            s.arrivals,
		Banner:              s.Banner,
		IdleTimeout:         -1,   // the session's
		DisableActiveMode:   true, // transfers are the session's
		EnableHASH:          true,
		DefaultTransferType: ftpserver.TransferTypeBinary,
	}, nil
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
	s.engine = cc
	files, err := s.server.Driver(s.ctx, driver.Deps{
		Client: s,
		Log:    s.log.With("user", s.account.Name),
		Alive:  s.alive,
		Report: s.report,
	}, s.account)
	if err != nil {
		return nil, err
	}
	s.files = files
	s.tellCharset()
	return files, nil
}

// GetTLSConfig implements ftpserver.MainDriver. TLS is the session's.
func (e *engineDriver) GetTLSConfig() (*tls.Config, error) { return nil, errNoTLS }

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
