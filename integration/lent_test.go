package integration

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/s3"
)

// A large upload by plain FTP to a store without TLS is not copied into the kernel again: the
// program writes hardly anything.
func TestPlainUploadsAreLent(t *testing.T) {
	t.Parallel()
	const size, hardly = 24 << 20, 4 << 20 // what has been received before the first whole part is copied
	s := start(t, spdtest.Options{})
	client := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	data := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	before := bytesWritten(t, s.Pid())
	client.Put("226", "STOR large", data)
	if written := bytesWritten(t, s.Pid()) - before; written > hardly {
		t.Errorf("the program has written %d bytes of %d", written, size)
	}
	if got := client.Get("RETR large"); got != string(data) {
		t.Errorf("got %d bytes, or others", len(got))
	}
}

// A store that has not answered in time may read what it was sent much later. Then it still
// finds the bytes of that part, not those that came into the same memory since.
func TestUnansweredPartStaysAsItWas(t *testing.T) {
	t.Parallel()
	const partSize = 8 << 20
	slow := newSlowStore(t)
	client, err := s3.New(s3.Options{Endpoint: "http://" + slow.addr, AccessKey: "access", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sink := &twiceSink{store: client.Bucket("bucket"), begun: slow.begun, stored: make(chan struct{}, 2)}
	w := buffer.NewWriter(t.Context(), buffer.NewBudget(64<<20), sink, buffer.Options{PartSize: partSize, InFlight: 1})
	first, second := bytes.Repeat([]byte("first..."), partSize/8), bytes.Repeat([]byte("second.."), partSize/8)
	for _, part := range [][]byte{first, second} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		<-sink.stored
	}
	slow.goOn()
	if got := <-slow.late; len(got) <= slow.early || !bytes.Equal(got, first[:len(got)]) {
		t.Errorf("%d bytes arrived, or others; %d had been read before; they end in %q", len(got), slow.early, got[max(0, len(got)-8):])
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// twiceSink gives up storing the first part when its request has begun, and tries again.
type twiceSink struct {
	store  store.Store
	begun  chan struct{}
	stored chan struct{}
}

func (s *twiceSink) PutPart(ctx context.Context, n int, body io.ReadSeeker, size int64) error {
	defer func() { s.stored <- struct{}{} }()
	if n == 1 {
		once, giveUp := context.WithCancel(ctx)
		go func() {
			<-s.begun
			giveUp()
		}()
		if _, err := s.store.PutPart(once, "key", "id", n, body, size); err == nil {
			return errors.New("a part was stored that nobody has read")
		}
	}
	_, err := s.store.PutPart(ctx, "key", "id", n, body, size)
	return err
}

func (s *twiceSink) PutWhole(context.Context, io.ReadSeeker, int64) error { return nil }

// slowStore leaves the first request's body unread until it is told to go on.
type slowStore struct {
	addr  string
	early int           // bytes that it reads of the first request before it waits, at most
	begun chan struct{} // closed when these have come
	wait  chan struct{}
	goOn  func()
	late  chan []byte // what came of the first body
}

func newSlowStore(t *testing.T) *slowStore {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slowStore{addr: l.Addr().String(), early: 4 << 10, begun: make(chan struct{}), wait: make(chan struct{}), late: make(chan []byte, 1)}
	s.goOn = sync.OnceFunc(func() { close(s.wait) })
	var conns sync.WaitGroup
	conns.Go(func() {
		for handle := s.readLate; ; handle = s.answer {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer func() { _ = conn.Close() }() // nothing more is to be said
				handle(bufio.NewReaderSize(conn, s.early), conn)
			})
		}
	})
	t.Cleanup(func() {
		s.goOn()
		_ = l.Close() // ends Accept
		conns.Wait()
	})
	return s
}

func (s *slowStore) readLate(in *bufio.Reader, _ io.Writer) {
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	_, _ = in.Peek(s.early) // the rest of it is under way
	close(s.begun)
	<-s.wait
	body, _ := io.ReadAll(req.Body) // it ends in the middle
	s.late <- body
}

func (s *slowStore) answer(in *bufio.Reader, out io.Writer) {
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		fmt.Fprint(out, "HTTP/1.1 200 OK\r\nEtag: \"e\"\r\nContent-Length: 0\r\n\r\n")
	}
}
