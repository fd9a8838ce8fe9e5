package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// spliceSource has bodies that can go into a pipe, in several ways.
type spliceSource struct {
	data  []byte
	each  int64               // bytes after which a body breaks; 0: never
	late  bool                // with the last of them, not behind
	reads func(off int64) int // how far a body that begins there can be spliced, in bytes; nil: to its end

	mu     sync.Mutex
	opened []int64
	open   atomic.Int64 // bodies that are not closed
}

func (s *spliceSource) Open(_ context.Context, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	s.opened = append(s.opened, off)
	s.mu.Unlock()
	s.open.Add(1)
	b := &spliceBody{source: s, left: s.data[off : off+n], splices: int(n)}
	if s.each > 0 && n > s.each {
		b.left, b.breaks = b.left[:s.each], true
	}
	if s.reads != nil {
		b.splices = s.reads(off)
	}
	return b, nil
}

type spliceBody struct {
	source  *spliceSource
	left    []byte
	splices int // bytes that can still be spliced
	breaks  bool
}

func (b *spliceBody) Read(p []byte) (int, error) {
	n := copy(p, b.left)
	return b.moved(n)
}

// SpliceInto never takes all that it could, as a socket.
func (b *spliceBody) SpliceInto(pipe, n int) (int, error) {
	if b.splices == 0 {
		return 0, errors.ErrUnsupported
	}
	n = min(n, len(b.left), b.splices, 300_000)
	if n > 0 {
		var err error
		if n, err = unix.Write(pipe, b.left[:n]); err != nil {
			return 0, err
		}
	}
	b.splices -= n
	return b.moved(n)
}

func (b *spliceBody) moved(n int) (int, error) {
	b.left = b.left[n:]
	end := io.EOF
	if b.breaks {
		end = io.ErrUnexpectedEOF
	}
	if len(b.left) == 0 && (n == 0 || b.source.late) {
		return n, end
	}
	return n, nil
}

func (b *spliceBody) Close() error {
	b.source.open.Add(-1)
	return nil
}

// pipeClient is a client that takes bytes from pipes, and from memory.
type pipeClient struct {
	bytes.Buffer
	piped int // bytes from pipes

	budget *Budget
	room   int // bytes after which it fails; 0: never
	err    error
}

func (c *pipeClient) SpliceFrom(pipe, n int) (int, error) {
	if c.room > 0 && c.Len()+n > c.room {
		n = c.room - c.Len()
	}
	for got := 0; got < n; {
		buf := make([]byte, n-got)
		m, err := unix.Read(pipe, buf)
		if err != nil {
			return got, fmt.Errorf("the pipe does not hold %d bytes: %w", n, err)
		}
		c.Buffer.Write(buf[:m])
		got += m
	}
	c.piped += n
	if c.room > 0 && c.Len() == c.room {
		return n, c.err
	}
	return n, nil
}

// Write is called once no pipe is held any more.
func (c *pipeClient) Write(p []byte) (int, error) {
	if c.budget != nil && c.budget.pipes.Load() != 0 {
		return 0, errors.New("a pipe is held that is not used")
	}
	return c.Buffer.Write(p)
}

// checked runs a download and checks that it leaves nothing behind: no memory, no body, no
// pipe, no file descriptor.
func checked(t *testing.T, source *spliceSource, off int64, client *pipeClient) (int64, error) {
	t.Helper()
	budget := NewBudget(64 << 20)
	client.budget = budget
	before := descriptors(t)
	r := NewReader(t.Context(), budget, source, nil, off, 0, int64(len(source.data)))
	n, err := r.WriteTo(client)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n != int64(client.Len()) {
		t.Errorf("tells of %d bytes, and %d have come", n, client.Len())
	}
	if want := source.data[off:]; !bytes.HasPrefix(want, client.Bytes()) || err == nil && client.Len() != len(want) {
		t.Errorf("from %d: got %d of %d bytes, or others", off, client.Len(), len(want))
	}
	if after := descriptors(t); after != before || budget.pipes.Load() != 0 || budget.Used() != 0 || source.open.Load() != 0 {
		t.Errorf("left behind: %d descriptors, %d pipes, %d bytes, %d bodies",
			after-before, budget.pipes.Load(), budget.Used(), source.open.Load())
	}
	return n, err
}

// descriptors is how many file descriptors the process has.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestCarrySizes(t *testing.T) {
	data := randomBytes(soloRange + pipeWorth) // two ranges
	for _, size := range []int{0, 1, SmallBlock, pipeWorth - 1, pipeWorth, pipeWorth + 1, 3<<20 + 7, len(data)} {
		for _, off := range []int{0, 1, size / 2, size - 1, size} {
			if off < 0 || off > size || size == len(data) && off != 1 {
				continue
			}
			client := &pipeClient{}
			if _, err := checked(t, &spliceSource{data: data[:size]}, int64(off), client); err != nil {
				t.Errorf("%d bytes from %d: %v", size, off, err)
			}
			want := 0
			if size-off >= pipeWorth {
				want = size - off
			}
			if client.piped != want {
				t.Errorf("%d bytes from %d: %d went by a pipe, want %d", size, off, client.piped, want)
			}
		}
	}
}

// The body that the reply was made of is the first to be spliced, and no further than it was
// asked for.
func TestCarryFirstBody(t *testing.T) {
	source := &spliceSource{data: randomBytes(5 << 20)}
	first, err := source.Open(t.Context(), 1000, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(t.Context(), NewBudget(64<<20), source, first, 1000, 3<<20, 5<<20)
	client := &pipeClient{}
	n, err := r.WriteTo(client)
	if err := errors.Join(err, r.Close()); err != nil || n != 5<<20-1000 || !bytes.Equal(client.Bytes(), source.data[1000:]) {
		t.Errorf("%d bytes, or others; %v", n, err)
	}
	if client.piped != client.Len() || source.open.Load() != 0 || !slices.Equal(source.opened, []int64{1000, 1000 + 3<<20}) {
		t.Errorf("%d of %d bytes by a pipe, %d bodies open, opened at %v", client.piped, client.Len(), source.open.Load(), source.opened)
	}
}

// A body that breaks is opened again where it broke, also when its end comes with its last
// bytes.
func TestCarryGoesOnWhereBodyBroke(t *testing.T) {
	for _, late := range []bool{false, true} {
		const each = 1_000_003
		source := &spliceSource{data: randomBytes(5 << 20), each: each, late: late}
		client := &pipeClient{}
		if _, err := checked(t, source, 10, client); err != nil {
			t.Error(err)
		}
		want := []int64{10, 10 + each, 10 + 2*each, 10 + 3*each, 10 + 4*each, 10 + 5*each}
		if !slices.Equal(source.opened, want) || client.piped != client.Len() {
			t.Errorf("opened at %v, want %v; %d of %d bytes by a pipe", source.opened, want, client.piped, client.Len())
		}
	}
}

func TestCarryGivesUp(t *testing.T) {
	source := &brokenSource{data: randomBytes(pipeWorth)}
	r := NewReader(t.Context(), NewBudget(64<<20), spliceBroken{source}, nil, 0, 0, pipeWorth)
	client := &pipeClient{}
	n, err := r.WriteTo(client)
	if n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) || source.opened.Load() != maxBroken {
		t.Errorf("%d bytes, %v; opened %d times", n, err, source.opened.Load())
	}
	_ = r.Close() // has failed
}

// spliceBroken has bodies that break at once.
type spliceBroken struct{ *brokenSource }

func (s spliceBroken) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	body, err := s.brokenSource.Open(ctx, off, n)
	return struct {
		io.ReadCloser
		splicer
	}{body, breaksAtOnce{}}, err
}

type breaksAtOnce struct{}

func (breaksAtOnce) SpliceInto(int, int) (int, error) { return 0, io.ErrUnexpectedEOF }

// What cannot be spliced comes through memory, from that byte on.
func TestCarryFallsBack(t *testing.T) {
	const size = FirstRange + 1000
	whole := func(int64) int { return size }
	for name, c := range map[string]struct {
		each  int64
		reads func(off int64) int
		piped int
	}{
		"from the beginning": {0, func(int64) int { return 0 }, 0},
		"in the middle":      {0, func(int64) int { return 1_234_567 }, 1_234_567},
		"behind a break":     {3_000_000, func(off int64) int { return whole(off) * int(1-min(off, 1)) }, 3_000_000},
		"second body":        {4_000_000, func(off int64) int { return int(max(0, 5_000_000-off)) }, 5_000_000},
	} {
		for _, late := range []bool{false, true} {
			client := &pipeClient{}
			_, err := checked(t, &spliceSource{data: randomBytes(size), each: c.each, late: late, reads: c.reads}, 0, client)
			if err != nil || client.piped != c.piped {
				t.Errorf("%s: %d bytes by a pipe, want %d; %v", name, client.piped, c.piped, err)
			}
		}
	}
}

// plainSource has bodies that know nothing of pipes.
type plainSource struct{ *spliceSource }

func (s plainSource) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	body, err := s.spliceSource.Open(ctx, off, n)
	return struct{ io.ReadCloser }{body}, err
}

func TestCarryFromPlainBodies(t *testing.T) {
	source := plainSource{&spliceSource{data: randomBytes(3 << 20)}}
	budget := NewBudget(64 << 20)
	r := NewReader(t.Context(), budget, source, nil, 0, 0, 3<<20)
	client := &pipeClient{budget: budget}
	n, err := r.WriteTo(client)
	if err := errors.Join(err, r.Close()); err != nil || n != 3<<20 || client.piped != 0 || !bytes.Equal(client.Bytes(), source.data) {
		t.Errorf("%d bytes, %d by a pipe, or others; %v", n, client.piped, err)
	}
	if budget.Used() != 0 || budget.pipes.Load() != 0 {
		t.Errorf("%d bytes and %d pipes are held", budget.Used(), budget.pipes.Load())
	}
}

// A client's error ends the download, whatever it is: bytes that left the body are lost.
func TestCarryClientFails(t *testing.T) {
	for _, failed := range []error{syscall.EPIPE, errors.ErrUnsupported, syscall.ENOSYS, io.ErrClosedPipe} {
		for _, room := range []int{1, 300_000, 1_000_001} {
			client := &pipeClient{room: room, err: fmt.Errorf("send: %w", failed)}
			n, err := checked(t, &spliceSource{data: randomBytes(3 << 20)}, 0, client)
			if n != int64(room) || !errors.Is(err, failed) {
				t.Errorf("%d bytes, %v; want %d, %v", n, err, room, failed)
			}
		}
	}
}

// Pipes are bounded; who gets none uses memory. All are given back.
func TestCarryPipesAreBounded(t *testing.T) {
	const downloads = maxPipes + 10
	before := descriptors(t)
	budget := NewBudget(64 << 20)
	source := &spliceSource{data: randomBytes(pipeWorth)}
	var begun, running sync.WaitGroup
	var piped atomic.Int64
	goOn := make(chan struct{})
	begun.Add(downloads)
	for range downloads {
		running.Go(func() {
			r := NewReader(t.Context(), budget, source, nil, 0, 0, pipeWorth)
			client := &waitingClient{begun: begun.Done, goOn: goOn}
			n, err := r.WriteTo(client)
			if err := errors.Join(err, r.Close()); err != nil || n != pipeWorth || !bytes.Equal(client.Bytes(), source.data) {
				t.Errorf("%d bytes, or others; %v", n, err)
			}
			if client.piped == client.Len() {
				piped.Add(1)
			}
		})
	}
	begun.Wait()
	if n := budget.pipes.Load(); n != maxPipes {
		t.Errorf("%d pipes in use, want %d", n, maxPipes)
	}
	if n := descriptors(t) - before; n > 2*maxPipes {
		t.Errorf("%d descriptors for %d pipes", n, maxPipes)
	}
	close(goOn)
	running.Wait()
	if n := piped.Load(); n != maxPipes {
		t.Errorf("%d downloads by pipes, want %d", n, maxPipes)
	}
	if n := descriptors(t) - before; n != 0 || budget.pipes.Load() != 0 || budget.Used() != 0 {
		t.Errorf("left behind: %d descriptors, %d pipes, %d bytes", n, budget.pipes.Load(), budget.Used())
	}
}

// waitingClient takes nothing until it may.
type waitingClient struct {
	pipeClient
	begun func()
	goOn  chan struct{}
	once  sync.Once
}

func (c *waitingClient) wait() {
	c.once.Do(c.begun)
	<-c.goOn
}

func (c *waitingClient) SpliceFrom(pipe, n int) (int, error) {
	c.wait()
	return c.pipeClient.SpliceFrom(pipe, n)
}

func (c *waitingClient) Write(p []byte) (int, error) {
	c.wait()
	return c.pipeClient.Write(p)
}
