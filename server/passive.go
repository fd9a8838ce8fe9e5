package server

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	ftpserver "github.com/fclairamb/ftpserverlib"
)

// passivePorts knows the passive listeners: which ports of the range are taken, and which
// session each belongs to. The engine opens a listener without saying for whom; the
// session claims it when the reply with its port passes by.
type passivePorts struct {
	first, last int // 0: any free port

	mu   sync.Mutex
	next int
	open map[int]*passiveListener // by port
}

func newPassivePorts(first, last int) *passivePorts {
	return &passivePorts{first: first, last: last, next: first, open: make(map[int]*passiveListener)}
}

// getter is the engine's source of ports; nil lets the kernel choose.
func (p *passivePorts) getter() ftpserver.PasvPortGetter {
	if p.first == 0 {
		return nil
	}
	return p
}

// FetchNext implements ftpserver.PasvPortGetter: the ports in turn, without those taken.
func (p *passivePorts) FetchNext() (exposed, listened int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.last - p.first + 1 {
		port := p.next
		if p.next++; p.next > p.last {
			p.next = p.first
		}
		if p.open[port] == nil {
			return port, port, true
		}
	}
	return 0, 0, false
}

// portAttempts is how many ports the engine tries to listen on: another process may have
// taken some.
const portAttempts = 10

// NumberAttempts implements ftpserver.PasvPortGetter.
func (p *passivePorts) NumberAttempts() int { return portAttempts }

func (p *passivePorts) wrap(l net.Listener) net.Listener {
	w := &passiveListener{Listener: l, ports: p}
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		w.port = addr.Port
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[w.port] = w
	return w
}

// claim says whose a listener is.
func (p *passivePorts) claim(port int, s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.open[port]; l != nil {
		l.owner = s
	}
}

// passiveListener accepts the owner's data connection and turns strangers away: neither
// can they steal it, nor keep the owner out (RFC 2577, 3).
type passiveListener struct {
	net.Listener
	ports *passivePorts
	port  int
	owner *session // guarded by ports.mu; nil until claimed
}

// Accept implements net.Listener.
func (l *passiveListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		owner := l.claimed()
		if owner != nil && addrOf(conn.RemoteAddr()) == owner.ip {
			return newDataConn(owner.ctx, conn), nil
		}
		if owner != nil {
			owner.log.Warn("stranger on a passive port turned away", "stranger", conn.RemoteAddr().String())
		}
		_ = conn.Close() // not ours to talk to
	}
}

func (l *passiveListener) claimed() *session {
	l.ports.mu.Lock()
	defer l.ports.mu.Unlock()
	return l.owner
}

// Close implements net.Listener and gives the port back.
func (l *passiveListener) Close() error {
	l.ports.mu.Lock()
	if l.ports.open[l.port] == l {
		delete(l.ports.open, l.port)
	}
	l.ports.mu.Unlock()
	return l.Listener.Close()
}

// dataConn is a data connection that ends with its session. Being no bare TCPConn, it is
// what the driver's ReadFrom and WriteTo see.
type dataConn struct {
	net.Conn
	stop  func() bool
	ended atomic.Bool
}

// Read implements net.Conn.
func (c *dataConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

// Ended tells whether the connection itself has been read to its end. Under TLS it is not
// when the client has said close_notify, as one that is killed has not (RFC 4217, 12.4).
func (c *dataConn) Ended() bool { return c.ended.Load() }

func newDataConn(ctx context.Context, conn net.Conn) *dataConn {
	c := &dataConn{Conn: conn}
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // cuts off the transfer
	return c
}

// Close implements net.Conn.
func (c *dataConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// addrOf is the IP address of a TCP address.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
