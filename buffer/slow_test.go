package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
)

// client sends data in pieces of random sizes, at a rate.
type client struct {
	data   []byte
	piece  int // bytes at most
	rate   int // bytes a second; 0: as fast as it is read
	random *rand.Rand
	watch  func(sent int) // called after each piece
	sent   int
}

func newClient(data []byte, rate int) *client {
	return &client{data: data, piece: 64 << 10, rate: rate, random: rand.New(rand.NewPCG(1, uint64(len(data)))), watch: func(int) {}}
}

func (c *client) Read(p []byte) (int, error) {
	c.watch(c.sent)
	if c.sent == len(c.data) {
		return 0, io.EOF
	}
	n := copy(p, c.data[c.sent:min(len(c.data), c.sent+1+c.random.IntN(c.piece))])
	if c.rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	}
	c.sent += n
	return n, nil
}

// unused checks that a budget has got everything back.
func (b *Budget) unused(t *testing.T) {
	t.Helper()
	if used := b.Used(); used != 0 {
		t.Errorf("%d bytes of the budget still used", used)
	}
	for name, whole := range map[string]struct {
		sem  *semaphore.Weighted
		size int64
	}{"small": {b.smalls, b.smallBytes}, "parts": {b.parts, b.partBytes}, "slow": {b.slow, mediumBlock}, "blocks": {b.blocks, b.blockBytes}, "finish": {b.finish, b.finishBytes}} {
		if !whole.sem.TryAcquire(whole.size) {
			t.Errorf("memory for %s has not been given back", name)
		}
	}
}

// A slow client holds what it has sent of a part, and not much more.
func TestSlowClientHoldsLittle(t *testing.T) {
	const part = 8 << 20
	data := randomBytes(3*part + 12345)
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(512 << 20)
		s := newSink()
		w := NewWriter(t.Context(), budget, s, Options{PartSize: part, InFlight: 4})
		c := newClient(data, 32<<10)
		c.watch = func(sent int) {
			synctest.Wait() // what is complete is handed over
			if used := budget.Used(); used > int64(sent%part)+2*mediumBlock {
				t.Errorf("%d bytes sent: %d are held", sent, used)
			}
		}
		_, err := w.ReadFrom(c)
		if err = errors.Join(err, w.Close()); err != nil || !bytes.Equal(s.content(1), data) {
			t.Errorf("not stored: %v", err)
		}
		if len(s.parts) != 4 || len(s.parts[1]) != part {
			t.Errorf("%d parts, the first of %d bytes", len(s.parts), len(s.parts[1]))
		}
		budget.unused(t)
	})
}

// Not a byte is lost or doubled around the size of any block or part.
func TestSlowClientSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, part := range []int{SmallBlock, testPart, 3 * mediumBlock, 3*mediumBlock + 1} {
			for _, size := range edgesOf(part) {
				data := randomBytes(size)
				budget := NewBudget(20 << 20)
				s := newSink()
				w := NewWriter(t.Context(), budget, s, Options{PartSize: int64(part), InFlight: 2})
				_, err := w.ReadFrom(newClient(data, 1<<10))
				if err = errors.Join(err, w.Close()); err != nil || !bytes.Equal(s.content(1), data) {
					t.Errorf("%d bytes in parts of %d: %v", size, part, err)
				}
				if n := len(s.parts); size >= part && n != (size+part-1)/part || size < part && n > 0 {
					t.Errorf("%d bytes make %d parts of %d", size, n, part)
				}
				budget.unused(t)
			}
		}
	})
}

// Any number of slow clients leave memory to one that is not.
func TestSlowClientsLeaveRoom(t *testing.T) {
	const part = 1 << 20
	data := randomBytes(2 * part)
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(32 << 20)
		ctx, cancel := context.WithCancel(t.Context())
		var crowd sync.WaitGroup
		for range 100 {
			crowd.Go(func() {
				w := NewWriter(ctx, budget, newSink(), Options{PartSize: part, InFlight: 4})
				_, _ = w.ReadFrom(newClient(data, 4<<10)) // until it is stopped
				w.Abort()
			})
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if held := budget.Used(); held > budget.Size()*5/8 || held < budget.Size()*3/8 {
			t.Errorf("slow clients hold %d KiB of %d", held>>10, budget.Size()>>10)
		}
		began := time.Now()
		s := newSink()
		w := NewWriter(t.Context(), budget, s, Options{PartSize: part, InFlight: 4})
		_, err := w.ReadFrom(newClient(data, 100<<20))
		if err = errors.Join(err, w.Close()); err != nil || !bytes.Equal(s.content(1), data) {
			t.Errorf("not stored: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a fast client took %v", took)
		}
		cancel()
		crowd.Wait()
		budget.unused(t)
	})
}

// Whatever clients do, none waits for ever: synctest fails when all goroutines wait.
func TestNoWriterWaitsForEver(t *testing.T) {
	data := randomBytes(3 << 20)
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				budget := NewBudget(int64(4+random.IntN(8)) << 20)
				rates, largest, ways := []int{0, 8 << 10, 64 << 10, 120 << 10, 1 << 20}, budget.LargestPart(), 6
				if seed%2 == 0 { // all are slow and patient, and grow by blocks
					rates, largest, ways = rates[1:4], budget.finishBytes, 1
				}
				var crowd sync.WaitGroup
				for range 30 {
					c := newClient(data[:random.IntN(len(data))], rates[random.IntN(len(rates))])
					opts := Options{PartSize: 1 + random.Int64N(largest), InFlight: 1 + random.IntN(3)}
					way, delay := random.IntN(ways), time.Duration(random.IntN(100))*time.Second
					crowd.Go(func() { c.upload(t, budget, opts, way, delay) })
				}
				crowd.Wait()
				budget.unused(t)
			})
		})
	}
}

// upload sends everything, unless it is stopped after a while in one of three ways.
func (c *client) upload(t *testing.T, budget *Budget, opts Options, way int, delay time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newSink()
	s.put = func(n int) error {
		time.Sleep(time.Duration(n%3) * time.Second) // the store is slow at times
		return nil
	}
	stopped := errors.New("stopped")
	switch way {
	case 1: // at once
		time.AfterFunc(delay, cancel)
	case 2: // what has been received is kept
		receiving, stop := context.WithCancel(ctx)
		opts.Receiving = receiving
		time.AfterFunc(delay, stop)
	case 3: // by the store
		s.put = func(int) error { return stopped }
	}
	w := NewWriter(ctx, budget, s, opts)
	_, err := w.ReadFrom(c)
	switch {
	case err != nil && way == 2:
		w.Flush(mediumBlock)
	case err != nil:
		w.Abort()
	default:
		err = w.Close()
	}
	if err == nil && !bytes.Equal(s.content(1), c.data) {
		t.Errorf("%d bytes stored, of %d, or others", len(s.content(1)), len(c.data))
	}
	if err != nil && (way < 1 || way > 3) {
		t.Errorf("not stored: %v", err)
	}
}

// The body of a part in blocks is what was put in, however it is read.
func TestPartInBlocks(t *testing.T) {
	budget := NewBudget(64 << 20)
	data := randomBytes(3*mediumBlock + 17)
	p := &part{size: 5 * mediumBlock}
	for p.filled < int64(len(data)) {
		blocks, err := budget.more(t.Context(), p.size-p.filled)
		if err != nil {
			t.Fatal(err)
		}
		p.add(blocks...)
		p.filled += int64(copy(p.space(), data[p.filled:]))
	}
	body := p.body()
	for range 2 { // a retry reads it again
		if n, err := body.Seek(0, io.SeekEnd); err != nil || n != int64(len(data)) {
			t.Errorf("%d bytes, %v", n, err)
		}
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes read, or others: %v", len(got), err)
		}
	}
	for _, off := range []int64{0, 1, mediumBlock - 1, mediumBlock, mediumBlock + 1, 3 * mediumBlock, int64(len(data)) - 1} {
		got := make([]byte, mediumBlock+2)
		if _, err := body.Seek(off, io.SeekStart); err != nil {
			t.Error(err)
		}
		n, err := io.ReadFull(body, got)
		if want := data[off:min(int64(len(data)), off+int64(len(got)))]; !bytes.Equal(got[:n], want) {
			t.Errorf("from %d: %d bytes, want %d, or others: %v", off, n, len(want), err)
		}
	}
	p.release()
	budget.unused(t)
}
