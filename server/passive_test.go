package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// portOwner is a session that only owns ports.
func portOwner() *session {
	return &session{server: &Server{}, ip: netip.MustParseAddr("127.0.0.1"), log: slog.New(slog.DiscardHandler)}
}

// freePorts finds n free ports in a row, below those that connections are given.
func freePorts(t *testing.T, n int) (first, last int) {
	t.Helper()
	for range 1000 {
		first := 10_000 + rand.N(20_000)
		if allFree(first, first+n) {
			return first, first + n - 1
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0, 0
}

func allFree(first, end int) bool {
	for number := first; number < end; number++ {
		l := listenPassive(number)
		if l == nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

func newPorts(t *testing.T, n int) *passivePorts {
	t.Helper()
	first, last := freePorts(t, n)
	p := newPassivePorts(first, last, time.Minute)
	t.Cleanup(p.close)
	return p
}

func mustTake(t *testing.T, p *passivePorts) *passivePort {
	t.Helper()
	port, err := p.take(portOwner())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func mustFail(t *testing.T, p *passivePorts) {
	t.Helper()
	if port, err := p.take(portOwner()); !errors.Is(err, errNoPort) {
		t.Fatalf("took %v, %v", port, err)
	}
}

func dialPort(t *testing.T, port *passivePort) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port.number())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

func TestPassivePortsHaveOneOwner(t *testing.T) {
	p := newPorts(t, 3)
	a, b, c := mustTake(t, p), mustTake(t, p), mustTake(t, p)
	if a.number() == b.number() || b.number() == c.number() || a.number() == c.number() {
		t.Fatalf("%d, %d, %d", a.number(), b.number(), c.number())
	}
	mustFail(t, p)
	b.drop()
	b.drop() // once is enough
	if again := mustTake(t, p); again.number() != b.number() {
		t.Errorf("got %d, want %d", again.number(), b.number())
	}
	mustFail(t, p)
	p.close()
	a.drop()
	if _, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener outlives its ports: %v", err)
	}
	_ = c.Close()
}

func TestAnyPort(t *testing.T) {
	p := newPassivePorts(0, 0, 0)
	defer p.close()
	seen := make(map[int]bool)
	for range 3 * spareListeners {
		port := mustTake(t, p)
		seen[port.number()] = true
		port.drop()
	}
	if len(seen) != spareListeners {
		t.Errorf("%d listeners are open, want %d", len(seen), spareListeners)
	}
}

// A port that another program held once is not lost.
func TestBusyPortIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPorts(t, 2)
		other := listenPassive(p.first)
		if other == nil {
			t.Fatal("port is taken")
		}
		if port := mustTake(t, p); port.number() != p.last {
			t.Fatalf("took %d", port.number())
		}
		mustFail(t, p)
		_ = other.Close()
		mustFail(t, p) // not tried at every PASV
		time.Sleep(busyFor)
		if port := mustTake(t, p); port.number() != p.first {
			t.Fatalf("took %d", port.number())
		}
		mustFail(t, p)
	})
}

// Who says PASV and nothing more does not keep the port from others.
func TestPortWithoutTransferIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPorts(t, 2)
		idle, busy := mustTake(t, p), mustTake(t, p)
		if !busy.begin() {
			t.Fatal("no owner")
		}
		time.Sleep(p.reserve - time.Nanosecond)
		mustFail(t, p)
		time.Sleep(time.Nanosecond)
		next := mustTake(t, p)
		if next.number() != idle.number() {
			t.Fatalf("took %d, want %d", next.number(), idle.number())
		}
		mustFail(t, p) // a transfer takes the time it takes
		if _, err := idle.open(t.Context(), time.Time{}); !errors.Is(err, errPortGone) {
			t.Errorf("the first owner: %v", err)
		}
		idle.drop()
		mustFail(t, p)
		if !next.begin() {
			t.Error("the second owner has lost the port")
		}
	})
}

// A client that has connected learns at once that there will be no transfer.
func TestDroppedPortHangsUp(t *testing.T) {
	p := newPorts(t, 1)
	port := mustTake(t, p)
	waiting := dialPort(t, port)
	port.drop()
	if n, err := waiting.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("dropped: %d, %v", n, err)
	}

	port = mustTake(t, p)
	first, second := dialPort(t, port), dialPort(t, port)
	conn, err := port.open(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if n, err := second.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("one connection too many: %d, %v", n, err)
	}
	_, _ = conn.Write([]byte("x"))
	if n, err := first.Read(make([]byte, 1)); n != 1 {
		t.Errorf("the first connection: %v", err)
	}

	late := dialPort(t, port) // while nobody owns it
	mustTake(t, p)
	if n, err := late.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("connected before PASV: %d, %v", n, err)
	}
}

// The end of one transfer's context must not wake the Accept of the next.
func TestAbortedWaitIsNotHandedOn(t *testing.T) {
	var rounds sync.WaitGroup
	for range 8 {
		p := newPorts(t, 1)
		rounds.Go(func() {
			for range 300 {
				port := mustTake(t, p)
				ctx, cancel := context.WithCancel(t.Context())
				client := dialPort(t, port)
				var aborting sync.WaitGroup
				aborting.Go(cancel)
				if conn, err := port.open(ctx, time.Time{}); err == nil {
					_ = conn.Close()
				}
				_ = client.Close()
				next := mustTake(t, p)
				aborting.Go(func() { _ = dialPort(t, next).Close() })
				conn, err := next.open(t.Context(), time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.Close()
				aborting.Wait()
			}
		})
	}
	rounds.Wait()
}

// PASV costs the same however large the range is, and however much of it is taken.
func TestPassivePortsInConstantTime(t *testing.T) {
	p := newPorts(t, 200)
	for range 180 {
		mustTake(t, p)
	}
	owner := portOwner()
	if n := testing.AllocsPerRun(1000, func() {
		port, err := p.take(owner)
		if err != nil {
			t.Fatal(err)
		}
		port.drop()
	}); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func TestDataConnectionsAreKeptAlive(t *testing.T) {
	check := func(kind string, conn net.Conn) {
		t.Helper()
		err := withFD(conn, func(fd int) {
			on, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			idle, _ := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			every, _ := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
			if on != 1 || idle != keepAliveIdle || every != keepAliveEvery {
				t.Errorf("%s: on %d, idle %d s, every %d s", kind, on, idle, every)
			}
		})
		if err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
	port := mustTake(t, newPorts(t, 1))
	dialPort(t, port)
	conn, err := port.open(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	check("passive", conn)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	active := activePort{from: net.IPv4(127, 0, 0, 1), to: netip.MustParseAddrPort(l.Addr().String())}
	if conn, err = active.open(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	check("active", conn)
}
