package limit_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/limit"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Test(t, func(testing.TB) store.Store {
		return limit.New(1).Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Body: storetest.Spliced})
	}, storetest.Properties{Splices: true})
}

// TestLimit counts the requests in flight, over two buckets.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inside, most, total := 0, 0, 0
		slow := func(context.Context, storetest.Call) error {
			mu.Lock()
			inside++
			total++
			most = max(most, inside)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			inside--
			mu.Unlock()
			return nil
		}
		m, l := memory.New(), limit.New(3)
		a := l.Wrap(&storetest.Faulty{Store: m.Bucket("a"), Before: slow})
		b := l.Wrap(&storetest.Faulty{Store: m.Bucket("b"), Before: slow})
		start := time.Now()
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() { _, _ = a.Stat(t.Context(), "x") }) // absent
			wg.Go(func() { _ = b.Delete(t.Context(), "x") })  // absent
			wg.Go(func() {
				for range b.List(t.Context(), "", store.ListOptions{}) {
					t.Error("an empty store lists something")
				}
			})
		}
		wg.Wait()
		if most != 3 || total != 18 {
			t.Errorf("%d requests, at most %d at a time; want 18, at most 3", total, most)
		}
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("18 requests of a second, 3 at a time, took %v", took)
		}
	})
}

func TestWaitingEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		s := limit.New(1).Wrap(&storetest.Faulty{
			Store:  memory.New().Bucket("b"),
			Before: func(context.Context, storetest.Call) error { <-block; return nil },
		})
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Ping(t.Context()) })
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Ping(ctx); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after a deadline the error is %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if err := s.Ping(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("after a cancellation the error is %v", err)
		}
		close(block)
		wg.Wait()
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("the slot is lost: %v", err)
		}
	})
}

// TestBodyHoldsNoSlot reads a body, and a listing, while another request is made.
func TestBodyHoldsNoSlot(t *testing.T) {
	s := limit.New(1).Wrap(memory.New().Bucket("b"))
	if _, err := s.Put(t.Context(), "a", strings.NewReader("content"), 7, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	body, _, err := s.Open(t.Context(), "a", 0, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range s.List(t.Context(), "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(t.Context(), o.Key); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := io.ReadAll(body); string(data) != "content" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}
