package socket_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/socket"
)

// connected returns the two ends of a connection over the loopback interface.
func connected(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialed.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

func raw(t *testing.T, c *net.TCPConn) syscall.RawConn {
	t.Helper()
	r, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p) // never fails
	return p
}

// TestWriteThenRead moves more than sockets hold, so that both ends have to wait.
func TestWriteThenRead(t *testing.T) {
	from, to := connected(t)
	want := random(32 << 20)
	done := make(chan error, 1)
	go func() {
		_, err := socket.Write(raw(t, from), want)
		done <- errors.Join(err, from.CloseWrite())
	}()
	var got bytes.Buffer
	p := make([]byte, 256<<10)
	for {
		n, err := socket.Read(raw(t, to), p)
		got.Write(p[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes arrived, not the %d that were sent", got.Len(), len(want))
	}
}

// TestSplice moves bytes from one connection to another through a pipe.
func TestSplice(t *testing.T) {
	from, in := connected(t)
	out, to := connected(t)
	want := random(8 << 20)
	go func() {
		_, _ = from.Write(want) // the reader notices what is missing
		_ = from.CloseWrite()
	}()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(unix.Close(pipe[0]), unix.Close(pipe[1])) }()
	done := make(chan error, 1)
	go func() { done <- relay(raw(t, in), raw(t, out), pipe, out.CloseWrite) }()
	got, err := io.ReadAll(to)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived, not the %d that were sent", len(got), len(want))
	}
}

func relay(in, out syscall.RawConn, pipe [2]int, end func() error) error {
	for {
		n, err := socket.SpliceFrom(in, pipe[1], 64<<10)
		if err == io.EOF {
			return end()
		}
		for n > 0 && err == nil {
			var moved int
			moved, err = socket.SpliceTo(out, pipe[0], n)
			n -= moved
		}
		if err != nil {
			return err
		}
	}
}

func TestDeadlines(t *testing.T) {
	a, _ := connected(t)
	_ = a.SetDeadline(time.Unix(1, 0))
	if _, err := socket.Read(raw(t, a), make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	if _, err := socket.Write(raw(t, a), []byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %v", err)
	}
}

func TestBrokenConnection(t *testing.T) {
	a, b := connected(t)
	_ = b.SetLinger(0)
	_ = b.Close() // resets the connection
	if _, err := socket.Read(raw(t, a), make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read: %v", err)
	}
	if _, err := socket.Write(raw(t, a), []byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write: %v", err)
	}
	_ = a.Close()
	if _, err := socket.Read(raw(t, a), make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
}

// What is lent reaches the reader as it is when it reads, not as it was.
func TestLend(t *testing.T) {
	from, to := connected(t)
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	}()
	memory, err := unix.Mmap(-1, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(memory) }()
	copy(memory, "lent")
	n, err := socket.Lend(fds[1], memory[:4])
	if err != nil || n != 4 {
		t.Fatalf("%d bytes lent, %v", n, err)
	}
	copy(memory, "used")
	if _, err := socket.SpliceTo(raw(t, from), fds[0], n); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(to, got); err != nil || string(got) != "used" {
		t.Errorf("%q, %v: the bytes were copied", got, err)
	}
	if _, err := socket.Lend(fds[0], memory[:4]); err == nil {
		t.Error("lent to the end of a pipe that is read from")
	}
}
