package server

import (
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
)

// Go interrupts its own threads by signals; a system call that is interrupted so says
// nothing about the connection.
func TestStateUnderSignals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // the test is over
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the test is over
	done := make(chan struct{})
	var signals sync.WaitGroup
	signals.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = syscall.Kill(os.Getpid(), syscall.SIGURG) // as the runtime does
			}
		}
	})
	for range 50_000 {
		if state := stateOf(conn); state != open {
			t.Errorf("state is %d", state)
			break
		}
	}
	close(done)
	signals.Wait()
}
