package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// writes counts what a connection is asked to write.
type writes struct {
	net.Conn
	sizes []int
	all   bytes.Buffer
	err   error
}

func (w *writes) Write(p []byte) (int, error) {
	w.sizes = append(w.sizes, len(p))
	w.all.Write(p)
	return len(p), w.err
}

func TestCorkGathersRecords(t *testing.T) {
	const record = 16<<10 + 22
	to := &writes{}
	c := &watchedConn{Conn: to, corks: &sync.Pool{}}
	want := bytes.Repeat([]byte("0123456789abcdef"), 16*record/16)
	for range 2 { // the second time with memory used before
		to.sizes = nil
		to.all.Reset()
		c.Cork()
		for rest := want; len(rest) > 0; rest = rest[record:] {
			if n, err := c.Write(rest[:record]); n != record || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		if err := c.Uncork(); err != nil {
			t.Fatal(err)
		}
		if len(to.sizes) != 3 || !bytes.Equal(to.all.Bytes(), want) {
			t.Errorf("16 records of %d bytes became writes of %v", record, to.sizes)
		}
	}
	if _, err := c.Write([]byte("alert")); err != nil || len(to.sizes) != 4 {
		t.Errorf("not corked: writes of %v, %v", to.sizes, err)
	}
	to.err = io.ErrClosedPipe
	c.Cork()
	_, _ = c.Write([]byte("x")) // Uncork tells
	if err := c.Uncork(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Uncork of a broken connection = %v", err)
	}
}

// reads gives bytes, then the end, in reads that it counts.
type reads struct {
	net.Conn
	from  io.Reader
	count int
}

func (r *reads) Read(p []byte) (int, error) {
	r.count++
	return r.from.Read(p)
}

func TestReadAheadForThoseWhoSendMuch(t *testing.T) {
	want := bytes.Repeat([]byte("abcdefgh"), 512<<10)
	from := &reads{from: bytes.NewReader(want)}
	c := &watchedConn{Conn: from}
	got, err := io.ReadAll(onlyReader{c})
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	if least := len(want) / corkSize; from.count > 2*least+aheadFrom/1000 {
		t.Errorf("%d reads", from.count)
	}
	if !c.Ended() {
		t.Error("the end was not noticed")
	}
}

// onlyReader reads 5 KiB at a time.
type onlyReader struct{ from io.Reader }

func (r onlyReader) Read(p []byte) (int, error) { return r.from.Read(p[:min(len(p), 5<<10)]) }

// heldConn takes nothing until it is told to.
type heldConn struct {
	net.Conn
	begun, held chan struct{}
}

func (c *heldConn) Write(p []byte) (int, error) {
	c.begun <- struct{}{}
	<-c.held
	return len(p), nil
}

// Close of a TLS connection writes an alert, at any time. It must not get into what the next
// connection sends.
func TestAlertWhileUncorking(t *testing.T) {
	var pool sync.Pool
	held := &heldConn{begun: make(chan struct{}), held: make(chan struct{})}
	c := &watchedConn{Conn: held, corks: &pool}
	c.Cork()
	gathered := c.cork
	_, _ = c.Write([]byte("record")) // Uncork tells
	var done sync.WaitGroup
	done.Go(func() {
		if err := c.Uncork(); err != nil {
			t.Error(err)
		}
	})
	<-held.begun
	gone := make(chan struct{})
	done.Go(func() {
		_, _ = c.Write([]byte("alert")) // it may be lost
		close(gone)
	})
	select {
	case <-held.begun:
	case <-gone:
		t.Error("the alert was gathered")
	}
	close(held.held)
	done.Wait()
	if n := len(*gathered); n != 0 {
		t.Errorf("%d bytes are left for the next connection", n)
	}
}
