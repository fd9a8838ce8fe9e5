package driver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/buffer"
)

// dataConnection is a plain one: our end, and the client's.
func dataConnection(t *testing.T) (ours, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = near.Close() // the test may have closed it
		_ = far.Close()
	})
	return near.(*net.TCPConn), far.(*net.TCPConn)
}

// kernelPipe is a pipe that data can be put into.
type kernelPipe struct {
	t    *testing.T
	r, w int
}

func newKernelPipe(t *testing.T) *kernelPipe {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	return &kernelPipe{t, fds[0], fds[1]}
}

// put fills the empty pipe, with 64 KiB at most.
func (p *kernelPipe) put(data []byte) {
	p.t.Helper()
	if n, err := unix.Write(p.w, data); err != nil || n != len(data) {
		p.t.Fatalf("put %d bytes into a pipe: %d, %v", len(data), n, err)
	}
}

// send sends data through a pipe, 64 KiB at a time.
func (p *kernelPipe) send(to io.Writer, data []byte) (int, error) {
	p.t.Helper()
	total := 0
	for total < len(data) {
		piece := data[total:min(total+64<<10, len(data))]
		p.put(piece)
		n, err := to.(buffer.PipeReader).SpliceFrom(p.r, len(piece))
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

func testBytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return data
}

// Every byte reaches the client, by Write and by SpliceFrom.
func TestPatientWriterSends(t *testing.T) {
	ours, client := dataConnection(t)
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(client)
		got <- all
	}()
	w := newPatientWriter(patientWriter{ctx: t.Context(), to: ours, silence: time.Minute})
	data := testBytes(3<<20 + 7)
	n, err := newKernelPipe(t).send(w, data)
	if n != len(data) || err != nil {
		t.Errorf("spliced %d bytes, %v", n, err)
	}
	if n, err := w.Write(data); n != len(data) || err != nil {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	_ = ours.Close()
	if all := <-got; !bytes.Equal(all, append(data, data...)) {
		t.Errorf("the client got %d bytes, or others", len(all))
	}
}

// Only a plain TCP connection can take bytes from a pipe.
func TestPatientWriterOfOthers(t *testing.T) {
	ours, _ := dataConnection(t)
	secure := tls.Server(ours, &tls.Config{MinVersion: tls.VersionTLS12})
	for name, c := range map[string]struct {
		to   io.Writer
		want bool
	}{"TCP": {ours, true}, "TLS": {secure, false}, "converted": {struct{ net.Conn }{ours}, false}, "memory": {&bytes.Buffer{}, false}} {
		if _, ok := newPatientWriter(patientWriter{to: c.to}).(buffer.PipeReader); ok != c.want {
			t.Errorf("%s: takes from pipes: %v", name, ok)
		}
	}
}

// The user's rate holds, in fake time, however the bytes go.
func TestPatientWriterRate(t *testing.T) {
	const perSecond, size = 16 << 10, 64 << 10
	for name, send := range map[string]func(*testing.T, io.Writer, []byte) (int, error){
		"Write":      func(_ *testing.T, w io.Writer, data []byte) (int, error) { return w.Write(data) },
		"SpliceFrom": func(t *testing.T, w io.Writer, data []byte) (int, error) { return newKernelPipe(t).send(w, data) },
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, client := dataConnection(t)
			w := newPatientWriter(patientWriter{ctx: t.Context(), to: ours, silence: time.Minute, limit: newLimiter(perSecond)})
			began := time.Now()
			n, err := send(t, w, testBytes(size))
			if n != size || err != nil {
				t.Errorf("%s: %d bytes, %v", name, n, err)
			}
			if took := time.Since(began); took != 3*time.Second { // the first 16 KiB at once
				t.Errorf("%s took %v", name, took)
			}
			got := make([]byte, size)
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, testBytes(size)) {
				t.Errorf("%s: other bytes arrived; %v", name, err)
			}
		})
	}
}

// A connection that takes less than the rate allows is not charged for the rest.
func TestPatientWriterRateOfPartialWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, size = 100_000, 1_025_000
		w := &patientWriter{ctx: t.Context(), to: io.Discard, limit: newLimiter(perSecond)}
		began, next := time.Now(), 0
		n, err := w.inPieces(size, func(from, n int) (int, error) {
			if from != next || n < 1 || n > w.limit.Burst() || from+n > size {
				t.Fatalf("%d bytes from %d, want some from %d", n, from, next)
			}
			n = min(n, 999)
			next += n
			return n, nil
		})
		if n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		took := time.Since(began).Round(time.Millisecond)
		if want := time.Duration(size-w.limit.Burst()) * time.Second / perSecond; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

// Who waits for the rate gives up with the session. That is no fault of the connection.
func TestPatientWriterRateCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		w := &patientWriter{ctx: ctx, to: io.Discard, limit: newLimiter(1)}
		n, err := w.Write(make([]byte, 100_000))
		if n != w.limit.Burst() || !errors.Is(err, context.Canceled) || errors.Is(err, errTransfer) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// A client that takes nothing is given up after a while; the reply says so.
func TestPatientWriterSilence(t *testing.T) {
	for name, send := range map[string]func(*testing.T, io.Writer) error{
		"Write": func(_ *testing.T, w io.Writer) error { _, err := w.Write(make([]byte, 64<<20)); return err },
		"SpliceFrom": func(t *testing.T, w io.Writer) error {
			_, err := newKernelPipe(t).send(w, make([]byte, 64<<20))
			return err
		},
	} {
		ours, _ := dataConnection(t)
		err := send(t, newPatientWriter(patientWriter{ctx: t.Context(), to: ours, silence: 50 * time.Millisecond}))
		if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errTransfer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A connection that breaks is the client's fault, not the store's.
func TestPatientWriterBroken(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(ours, client *net.TCPConn)
		want []error
	}{
		"client gone":     {func(_, client *net.TCPConn) { _ = client.SetLinger(0); _ = client.Close() }, []error{syscall.ECONNRESET, syscall.EPIPE}},
		"closed by ABOR":  {func(ours, _ *net.TCPConn) { _ = ours.Close() }, []error{net.ErrClosed}},
		"client has left": {func(_, client *net.TCPConn) { _ = client.Close() }, []error{syscall.ECONNRESET, syscall.EPIPE}},
	} {
		ours, client := dataConnection(t)
		timer := time.AfterFunc(20*time.Millisecond, func() { c.end(ours, client) }) // when it is full
		w := newPatientWriter(patientWriter{ctx: t.Context(), to: ours, silence: time.Minute})
		_, err := newKernelPipe(t).send(w, make([]byte, 64<<20))
		timer.Stop()
		known := false
		for _, want := range c.want {
			known = known || errors.Is(err, want)
		}
		if !known || !errors.Is(err, errTransfer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
