package spdtest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a server, until a test says otherwise. Its methods
// may be called concurrently. It keeps its port whatever happens.
type Proxy struct {
	Addr string // "127.0.0.1:port"

	listener net.Listener
	running  sync.WaitGroup // the accept loop, and two copiers for each connection

	mu      sync.Mutex
	target  string // of new connections
	changed *sync.Cond
	state   proxyState
	conns   map[net.Conn]bool // both sides of each
}

type proxyState int

const (
	proxyPasses proxyState = iota
	proxyHangs
	proxyCut
)

// NewProxy starts a proxy to target ("host:port"). It ends in t.Cleanup.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, conns: make(map[net.Conn]bool)}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close() // ends the accept loop
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Cut resets all connections, and every new one.
func (p *Proxy) Cut() {
	p.set(proxyCut)
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		reset(conn)
	}
}

// Hang lets connections be, and accepts new ones, but no byte passes.
func (p *Proxy) Hang() { p.set(proxyHangs) }

// Restore passes bytes and connections again.
func (p *Proxy) Restore() { p.set(proxyPasses) }

// Turn makes new connections go to another server, as a balancer does when one has died.
func (p *Proxy) Turn(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *Proxy) destination() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

func (p *Proxy) set(s proxyState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	p.changed.Broadcast()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.destination())
	if err != nil || !p.track(client, server) {
		reset(client)
		if server != nil {
			reset(server)
		}
		return
	}
	p.running.Go(func() { p.copy(client, server) })
	p.running.Go(func() { p.copy(server, client) })
}

// track notes a pair of connections; false if there are to be none.
func (p *Proxy) track(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == proxyCut {
		return false
	}
	p.conns[client], p.conns[server] = true, true
	return true
}

// copy passes on what one side says. When that side ends, both do.
func (p *Proxy) copy(to, from net.Conn) {
	_, _ = io.Copy(gate{p, to}, struct{ io.Reader }{from}) // how it ended does not matter
	_ = to.Close()
	_ = from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, to)
	delete(p.conns, from)
}

// gate is a writer that waits while the proxy hangs.
type gate struct {
	proxy *Proxy
	to    io.Writer
}

func (g gate) Write(b []byte) (int, error) {
	p := g.proxy
	p.mu.Lock()
	for p.state == proxyHangs {
		p.changed.Wait()
	}
	cut := p.state == proxyCut
	p.mu.Unlock()
	if cut {
		return 0, net.ErrClosed
	}
	return g.to.Write(b)
}

// reset closes a connection as a crashed host does: at once, with RST.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0) // a closed one needs it no more
	_ = conn.Close()
}
