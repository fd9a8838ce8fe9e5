package server_test

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spdscheme/spdserver/server"
)

// failingListener fails some times before it accepts.
type failingListener struct {
	net.Listener
	err   error
	times atomic.Int64
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.times.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", l.err)}
	}
	return l.Listener.Accept()
}

func listenFailing(t *testing.T, err error, times int64) *failingListener {
	t.Helper()
	l, listenErr := net.Listen("tcp", "127.0.0.1:0")
	if listenErr != nil {
		t.Fatal(listenErr)
	}
	failing := &failingListener{Listener: l, err: err}
	failing.times.Store(times)
	return failing
}

// A process that has run out of file descriptors gets some back.
func TestAcceptFails(t *testing.T) {
	r := newRig(t, nil)
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM} {
		l := listenFailing(t, err, 3)
		go func() { _ = r.server.Serve(l) }() // ends with the rig
		r.dial(l.Addr().String()).expect("220")
	}
}

func TestAcceptNeverWorks(t *testing.T) {
	r := newRig(t, nil)
	l := listenFailing(t, syscall.EMFILE, 1<<60)
	done := make(chan error)
	go func() { done <- r.server.Serve(l) }()
	r.login("alice") // the other listener works
	r.server.Close()
	if err := <-done; !errors.Is(err, server.ErrClosed) {
		t.Errorf("serve: %v", err)
	}
}

func TestListenerClosedBySomebodyElse(t *testing.T) {
	r := newRig(t, nil)
	l := listenFailing(t, nil, 0)
	_ = l.Close()
	if err := r.server.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve: %v", err)
	}
}
