package server

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	errNoPort   = errors.New("no passive port is free")
	errPortGone = errors.New("the passive port was given to another session: it was not used in time")
)

const (
	// spareListeners is how many listeners stay open unused before one is used again. The
	// more there are, the later a port comes back to somebody else.
	spareListeners = 16
	// maxSpare bounds the listeners on any free port that stay open unused.
	maxSpare = 1024
	// maxBacklog is how many connections can wait at a listener (net.core.somaxconn).
	maxBacklog = 4096
	// busyFor is how long a port that another program holds is left alone.
	busyFor = time.Second
	// defaultReserve is how long a port is reserved where nothing is configured.
	defaultReserve = time.Minute
)

// passivePorts are the ports that PASV and EPSV give out. A listener stays open when its
// transfer is over and serves another one later: binding a port is the dearest step of a
// small transfer. A port has one owner at a time. It may be used concurrently.
type passivePorts struct {
	first, last int           // 0: any free port
	reserve     time.Duration // an owner's time to begin a transfer; then others may have the port

	mu      sync.Mutex
	untried int                // the next port of the range that has not been tried yet
	busy    []busyPort         // of the range, in the order of their time
	spare   []*net.TCPListener // without an owner, the longest unused first
	waiting *list.List         // of *passivePort: given out, no transfer yet; the oldest first
	closed  bool
}

// busyPort is a port that another program held when we tried it.
type busyPort struct {
	number int
	tried  time.Time
}

func newPassivePorts(first, last int, reserve time.Duration) *passivePorts {
	if reserve <= 0 {
		reserve = defaultReserve
	}
	return &passivePorts{first: first, last: last, reserve: reserve, untried: first, waiting: list.New()}
}

// take gives a port to a session. Connections that came while nobody owned it are dropped.
func (p *passivePorts) take(owner *session) (*passivePort, error) {
	port, err := p.give(owner)
	if err != nil {
		return nil, err
	}
	dropBacklog(port.TCPListener)
	return port, nil
}

func (p *passivePorts) give(owner *session) (*passivePort, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.next()
	if l == nil {
		return nil, errNoPort
	}
	port := &passivePort{TCPListener: l, ports: p, owner: owner, taken: time.Now()}
	port.place = p.waiting.PushBack(port)
	return port, nil
}

// next finds a listener without an owner; nil if there is none. The caller holds mu.
func (p *passivePorts) next() *net.TCPListener {
	if len(p.spare) < spareListeners && !p.closed {
		if l := p.bind(); l != nil {
			return l
		}
	}
	if len(p.spare) > 0 {
		l := p.spare[0]
		p.spare = p.spare[1:]
		return l
	}
	if oldest := p.waiting.Front(); oldest != nil {
		if port := oldest.Value.(*passivePort); time.Since(port.taken) >= p.reserve {
			port.leave()
			return port.TCPListener
		}
	}
	return nil
}

// bind opens a listener on a port that has none yet; nil if there is none to be had. Each
// port that another program holds costs one try a second. The caller holds mu.
func (p *passivePorts) bind() *net.TCPListener {
	if p.first == 0 {
		return listenPassive(0)
	}
	for p.untried <= p.last {
		number := p.untried
		p.untried++
		if l := p.tryPort(number); l != nil {
			return l
		}
	}
	for len(p.busy) > 0 && time.Since(p.busy[0].tried) >= busyFor {
		number := p.busy[0].number
		p.busy = p.busy[1:]
		if l := p.tryPort(number); l != nil {
			return l
		}
	}
	return nil
}

func (p *passivePorts) tryPort(number int) *net.TCPListener {
	l := listenPassive(number)
	if l == nil {
		p.busy = append(p.busy, busyPort{number, time.Now()})
	}
	return l
}

// listenPassive opens a port, or any free one (0); nil if it is not to be had.
func listenPassive(number int) *net.TCPListener {
	config := net.ListenConfig{
		KeepAlive: -1, // accepted connections have the listener's
		Control:   func(_, _ string, conn syscall.RawConn) error { return keepAlive(conn) },
	}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", (&net.TCPAddr{Port: number}).String())
	if err != nil {
		return nil
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		_ = l.Close() // never happens
		return nil
	}
	return tcp
}

// release takes a listener back, and lets clients that have connected to it see that
// nobody will answer.
func (p *passivePorts) release(l *net.TCPListener) {
	dropBacklog(l)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.first == 0 && len(p.spare) >= maxSpare {
		_ = l.Close() // nobody uses it
		return
	}
	p.spare = append(p.spare, l)
}

// close closes the listeners that nobody owns; the others follow when they are released.
func (p *passivePorts) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, l := range p.spare {
		_ = l.Close() // nobody uses it
	}
	p.spare = nil
}

// dropBacklog closes the connections that wait to be accepted.
func dropBacklog(l *net.TCPListener) {
	raw, err := l.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // a listener that is broken shows when it is used
		for range maxBacklog {
			if !connectionWaits(fd) {
				return
			}
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

// connectionWaits tells whether accept would return something. To ask is far cheaper than an
// accept in vain, for which the kernel makes a socket before it looks.
func connectionWaits(listener uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}} //nolint:gosec // a file descriptor is small
	n, err := unix.Poll(fds, 0)
	return n > 0 || err != nil
}

// passivePort is a port that a session's client is to connect to, for one transfer. If
// none begins in time, the port may be given to another session.
type passivePort struct {
	*net.TCPListener
	ports *passivePorts
	owner *session
	taken time.Time
	place *list.Element // in ports.waiting; nil once it has left. Guarded by ports.mu
}

var _ dataPort = (*passivePort)(nil)

// number is the port's number.
func (p *passivePort) number() int {
	addr, _ := p.Addr().(*net.TCPAddr) // it always is
	return addr.Port
}

// begin ends the waiting for a transfer; false if that has ended before.
func (p *passivePort) begin() bool {
	p.ports.mu.Lock()
	defer p.ports.mu.Unlock()
	return p.leave()
}

// leave is begin for a caller that holds ports.mu.
func (p *passivePort) leave() bool {
	if p.place == nil {
		return false
	}
	p.ports.waiting.Remove(p.place)
	p.place = nil
	return true
}

// open accepts the owner's connection and turns strangers away: neither can they steal
// it, nor keep the owner out (RFC 2577, 3). The port is given back.
func (p *passivePort) open(ctx context.Context, deadline time.Time) (net.Conn, error) {
	if !p.begin() {
		return nil, errPortGone
	}
	defer p.ports.release(p.TCPListener)
	if err := p.SetDeadline(deadline); err != nil {
		return nil, err
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = p.SetDeadline(time.Unix(1, 0)) // wakes Accept
	})
	defer func() {
		if !stop() {
			<-woken // or it would wake the next owner
		}
	}()
	for {
		conn, err := p.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if p.owner.server.clientOf(conn, deadline) == p.owner.ip {
			return conn, nil
		}
		p.owner.log.Warn("stranger on a passive port turned away", "stranger", conn.RemoteAddr().String())
		_ = conn.Close() // not ours to talk to
	}
}

// drop gives the port back unused.
func (p *passivePort) drop() {
	if p.begin() {
		p.ports.release(p.TCPListener)
	}
}

// addrOf is the IP address of a TCP address.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
