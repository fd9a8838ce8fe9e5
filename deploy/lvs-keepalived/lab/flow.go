package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// content is a file's bytes, which follow from a number: so that any part of it can be
// made again, and checked.
type content struct {
	seed uint64
	size int64
}

// reader returns the bytes from an offset on.
func (c content) reader(offset int64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], c.seed)
	r := io.LimitReader(rand.NewChaCha8(key), c.size)
	_, _ = io.CopyN(io.Discard, r, offset) // it has as many
	return r
}

func (c content) sum() [sha256.Size]byte {
	h := sha256.New()
	_, _ = io.Copy(h, c.reader(0)) // a hash takes everything
	return [sha256.Size]byte(h.Sum(nil))
}

// verify fetches a file and compares its SHA-256.
func (c content) verify(s *session, path string) error {
	h := sha256.New()
	if err := s.download("EPSV", path, 0, h); err != nil {
		return fmt.Errorf("fetch %s: %w", path, err)
	}
	return c.compare(path, h)
}

var errContent = errors.New("SHA-256 differs")

func (c content) compare(path string, h hash.Hash) error {
	if [sha256.Size]byte(h.Sum(nil)) != c.sum() {
		return fmt.Errorf("%s: %w", path, errContent)
	}
	return nil
}

// flow is a transfer that takes its time, so that something can happen meanwhile.
type flow struct {
	mode string
	up   bool
	how  security
	path string
	data content
	rate int // bytes a second, of uploads; downloads have that of the account

	gaps  gaps
	sess  *session
	moved atomic.Int64
	done  chan struct{}
	err   error // valid once done is closed
}

func (f *flow) String() string {
	direction := "down"
	if f.up {
		direction = "up"
	}
	return fmt.Sprintf("%s %s %s (%s)", f.mode, direction, f.how, f.sess.node)
}

// start begins the transfer in a session. A file to be fetched must be there.
func (f *flow) start(s *session) {
	f.sess, f.done = s, make(chan struct{})
	go func() { // ends with the transfer; wait and abandon wait for it
		defer close(f.done)
		f.err = f.run()
	}()
}

func (f *flow) run() error {
	if f.up {
		return f.runUp()
	}
	h := sha256.New()
	if err := f.sess.download(f.mode, f.path, 0, watched{h, f}); err != nil {
		return err
	}
	return f.data.compare(f.path, h)
}

func (f *flow) runUp() error {
	conn, err := f.sess.transfer(f.mode, "STOR "+f.path, 0)
	if err != nil {
		return err
	}
	_ = f.sess.opened.SetWriteBuffer(16 << 10) // a pause must be seen, not hidden in a buffer
	_, err = io.Copy(deadlineWriter{conn}, &paced{from: f.data.reader(0), flow: f})
	if closeErr := conn.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", f.moved.Load(), err)
	}
	_, err = f.sess.reply("226")
	return err
}

// wait returns how the transfer ended, and whether its control connection still works.
func (f *flow) wait() error {
	<-f.done
	defer f.sess.close()
	if f.err != nil {
		return fmt.Errorf("%s: %w", f, f.err)
	}
	return nil
}

// waitAndGoOn is wait, and another command on the control connection, which was idle.
func (f *flow) waitAndGoOn() error {
	<-f.done
	if f.err == nil {
		if _, err := f.sess.do("200", "NOOP"); err != nil {
			f.err = fmt.Errorf("afterwards: %w", err)
		}
	}
	return f.wait()
}

// abandon is a client that vanishes in the middle of it.
func (f *flow) abandon() {
	_ = f.sess.socket.SetLinger(0)
	f.sess.close()
	if f.sess.opened != nil {
		_ = f.sess.opened.SetLinger(0)
		_ = f.sess.opened.Close()
	}
	<-f.done
}

// paced gives an upload's bytes in small pieces, at its rate. The longest time between two
// pieces is the pause that a client sees.
type paced struct {
	from  io.Reader
	flow  *flow
	begun time.Time
}

func (p *paced) Read(b []byte) (int, error) {
	p.flow.gaps.tick() // the piece before has been taken
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	due := p.begun.Add(time.Duration(float64(p.flow.moved.Load()) / float64(p.flow.rate) * float64(time.Second)))
	time.Sleep(time.Until(due))
	n, err := p.from.Read(b[:min(len(b), max(p.flow.rate/25, 512))])
	p.flow.moved.Add(int64(n))
	return n, err
}

// watched passes a download's bytes on.
type watched struct {
	io.Writer
	flow *flow
}

func (w watched) Write(b []byte) (int, error) {
	w.flow.gaps.tick()
	n, err := w.Writer.Write(b)
	w.flow.moved.Add(int64(n))
	return n, err
}

// gaps notes when something moves. It may be used concurrently.
type gaps struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
}

func (g *gaps) tick() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !g.last.IsZero() {
		g.longest = max(g.longest, now.Sub(g.last))
	}
	g.last = now
}

// reset forgets the gaps so far.
func (g *gaps) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.longest = 0
}

func (g *gaps) max() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.longest
}

// part compares the rest of a file, from an offset on.
type part struct {
	want  io.Reader
	left  int64
	wrong bool
}

func newPart(data content, offset int64) *part {
	return &part{want: data.reader(offset), left: data.size - offset}
}

func (p *part) Write(b []byte) (int, error) {
	want := make([]byte, len(b))
	if _, err := io.ReadFull(p.want, want); err != nil || !bytes.Equal(b, want) {
		p.wrong = true
	}
	p.left -= int64(len(b))
	return len(b), nil
}

func (p *part) complete() error {
	if p.wrong || p.left != 0 {
		return errContent
	}
	return nil
}
