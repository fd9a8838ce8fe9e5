package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errNoPort: all passive ports are taken.
var errNoPort = errors.New("no passive port is free")

const (
	// spareListeners is how many listeners stay open unused before one is used again. The
	// more there are, the later a port comes back to somebody else.
	spareListeners = 16
	// maxSpare bounds the listeners that stay open unused.
	maxSpare = 1024
)

// passivePorts are the ports that PASV and EPSV give out. A listener stays open when its
// transfer is over and serves another one later: binding a port is the dearest step of a
// small transfer. A port has one owner at a time. It may be used concurrently.
type passivePorts struct {
	first, last int // 0: any free port

	mu     sync.Mutex
	unused int            // the next port of the range that has not been tried yet
	spare  []*passivePort // open and without an owner, the longest unused first
	closed bool
}

func newPassivePorts(first, last int) *passivePorts {
	return &passivePorts{first: first, last: last, unused: first}
}

// take gives a port to a session. Connections that came while nobody owned it are dropped.
func (p *passivePorts) take(owner *session) (*passivePort, error) {
	port, err := p.next()
	if err != nil {
		return nil, err
	}
	port.owner = owner
	port.dropBacklog()
	return port, nil
}

func (p *passivePorts) next() (*passivePort, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.spare) < spareListeners && !p.closed {
		if port := p.bind(); port != nil {
			return port, nil
		}
	}
	if len(p.spare) == 0 {
		return nil, errNoPort
	}
	port := p.spare[0]
	p.spare = p.spare[1:]
	return port, nil
}

// bind opens a listener on a port that has none yet; nil if there is none to be had.
// Ports that other programs hold are passed over, and tried again after the others.
func (p *passivePorts) bind() *passivePort {
	if p.first == 0 {
		return p.listen(0)
	}
	for p.unused <= p.last {
		port := p.unused
		p.unused++
		if l := p.listen(port); l != nil {
			return l
		}
	}
	return nil
}

func (p *passivePorts) listen(port int) *passivePort {
	config := net.ListenConfig{KeepAlive: -1} // data connections have deadlines instead
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", (&net.TCPAddr{Port: port}).String())
	if err != nil {
		return nil
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		_ = l.Close() // never happens
		return nil
	}
	return &passivePort{ports: p, TCPListener: tcp}
}

// release takes a port back.
func (p *passivePorts) release(port *passivePort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	port.owner = nil
	if p.closed || p.first == 0 && len(p.spare) >= maxSpare {
		_ = port.Close() // nobody uses it
		return
	}
	p.spare = append(p.spare, port)
}

// close closes the listeners that nobody owns; the others follow when they are released.
func (p *passivePorts) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, port := range p.spare {
		_ = port.Close() // nobody uses it
	}
	p.spare = nil
}

// passivePort is a port that a session's client is to connect to.
type passivePort struct {
	*net.TCPListener
	ports *passivePorts
	owner *session
}

var _ dataPort = (*passivePort)(nil)

// number is the port's number.
func (p *passivePort) number() int {
	addr, _ := p.Addr().(*net.TCPAddr) // it always is
	return addr.Port
}

// dropBacklog closes connections that wait for a previous owner.
func (p *passivePort) dropBacklog() {
	raw, err := p.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // a listener that is broken shows when it is used
		for {
			conn, _, err := unix.Accept4(int(fd), unix.SOCK_CLOEXEC)
			if errors.Is(err, syscall.ECONNABORTED) {
				continue
			}
			if err != nil {
				return
			}
			_ = unix.Close(conn) // nobody knows it
		}
	})
}

// open accepts the owner's connection and turns strangers away: neither can they steal
// it, nor keep the owner out (RFC 2577, 3). The port is given back.
func (p *passivePort) open(ctx context.Context) (net.Conn, error) {
	defer p.ports.release(p)
	deadline, _ := ctx.Deadline()
	if err := p.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.SetDeadline(time.Unix(1, 0)) }) // wakes Accept
	defer stop()
	for {
		conn, err := p.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if addrOf(conn.RemoteAddr()) == p.owner.ip {
			return conn, nil
		}
		p.owner.log.Warn("stranger on a passive port turned away", "stranger", conn.RemoteAddr().String())
		_ = conn.Close() // not ours to talk to
	}
}

// drop gives the port back unused.
func (p *passivePort) drop() { p.ports.release(p) }

// addrOf is the IP address of a TCP address.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
