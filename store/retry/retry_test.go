package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/retry"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = store.Unavailable(errors.New("the store is away"))

func TestStore(t *testing.T) {
	storetest.Test(t, func(testing.TB) store.Store {
		return retry.Wrap(memory.New().Bucket("b"), retry.Options{})
	}, storetest.Properties{})
}

// TestStoreWithFaults runs the acceptance test over a store that fails every other call,
// before or after it did its work, and breaks bodies and listings off.
func TestStoreWithFaults(t *testing.T) {
	storetest.Test(t, func(testing.TB) store.Store {
		faults := &storetest.Faulty{Store: memory.New().Bucket("b")}
		fails := make(chan int, 1)
		fails <- 0
		next := func(of int) bool {
			n := <-fails
			fails <- n + 1
			return n%of == 0
		}
		faults.Before = func(context.Context, storetest.Call) error {
			if next(3) {
				return errAway
			}
			return nil
		}
		faults.After = func(_ context.Context, c storetest.Call, err error) error {
			if err == nil && c.Op != "Begin" && next(3) { // a lost Begin is visible to Uploads
				return errAway
			}
			return err
		}
		faults.Entry = func(store.Object) error {
			if next(300) {
				return errAway
			}
			return nil
		}
		faults.Body = func(rc io.ReadCloser) io.ReadCloser {
			return storetest.Spliced(&breaking{ReadCloser: rc, left: 300_000})
		}
		return retry.Wrap(faults, retry.Options{First: time.Microsecond, Max: time.Microsecond})
	}, storetest.Properties{Splices: true})
}

// breaking is a body that breaks off.
type breaking struct {
	io.ReadCloser
	left int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errAway
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// away fails the first n calls.
func away(n int, calls *int) func(context.Context, storetest.Call) error {
	return func(context.Context, storetest.Call) error {
		if *calls++; *calls <= n {
			return errAway
		}
		return nil
	}
}

func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var waits []time.Duration
		s := retry.Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Before: away(1e9, &calls)}, retry.Options{
			For: 10 * time.Second, Notify: func(_ string, wait time.Duration, _ error) { waits = append(waits, wait) },
		})
		start := time.Now()
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Ping = %v", err)
		}
		if took := time.Since(start); took < 8*time.Second || took > 10*time.Second {
			t.Errorf("gave up after %v", took)
		}
		if len(waits) != calls-1 || waits[0] > 50*time.Millisecond || slices.Max(waits) > 2*time.Second || calls > 30 {
			t.Errorf("%d calls, waits %v", calls, waits)
		}
	})
}

// The caller's patience counts if it is the shorter.
func TestPatience(t *testing.T) {
	for limit, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 7 * time.Second: 7 * time.Second, time.Hour: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			faults := &storetest.Faulty{
				Store:  memory.New().Bucket("b"),
				Before: func(context.Context, storetest.Call) error { return errAway },
			}
			ctx := t.Context()
			if limit > 0 {
				ctx = store.WithPatience(ctx, limit)
			}
			start := time.Now()
			_, err := retry.Wrap(faults, retry.Options{}).Stat(ctx, "a")
			if took := time.Since(start); !errors.Is(err, store.ErrUnavailable) || took > want || took < want-2*time.Second {
				t.Errorf("limit %v: %v after %v, want %v", limit, err, took, want)
			}
		})
	}
}

func TestRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := retry.Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Before: away(7, &calls)}, retry.Options{})
		if _, err := s.Put(t.Context(), "a", strings.NewReader("x"), 1, store.PutOptions{}); err != nil || calls != 8 {
			t.Errorf("after %d calls: %v", calls, err)
		}
	})
}

func TestOtherErrorsAreFinal(t *testing.T) {
	for _, final := range []error{store.ErrNotExist, store.ErrFull, store.ErrDenied, store.ErrNoBucket, context.Canceled, io.EOF} {
		calls := 0
		s := retry.Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Before: func(context.Context, storetest.Call) error {
			calls++
			return fmt.Errorf("call: %w", final)
		}}, retry.Options{})
		if err := s.Ping(t.Context()); !errors.Is(err, final) || calls != 1 {
			t.Errorf("%d calls, then %v; want 1, %v", calls, err, final)
		}
	}
}

func TestContextEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := retry.Wrap(&storetest.Faulty{Store: memory.New().Bucket("b"), Before: away(1e9, &calls)}, retry.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Ping(ctx); !errors.Is(err, store.ErrUnavailable) || time.Since(start) > time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		err := s.Ping(ctx)
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("cancelled after %v: %v", time.Since(start), err)
		}
	})
}

// losing loses the answer of the first call of op.
func losing(s store.Store, op string) *storetest.Faulty {
	lost := false
	return &storetest.Faulty{Store: s, After: func(_ context.Context, c storetest.Call, err error) error {
		if c.Op == op && !lost {
			lost = true
			return errAway
		}
		return err
	}}
}

func TestLostComplete(t *testing.T) {
	for _, intruder := range []bool{false, true} {
		inner := memory.New().Bucket("b")
		faults := losing(inner, "Complete")
		s := retry.Wrap(faults, retry.Options{First: time.Millisecond})
		ctx := t.Context()
		id, err := s.Begin(ctx, "a", store.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.PutPart(ctx, "a", id, 1, strings.NewReader("content"), 7)
		if err != nil {
			t.Fatal(err)
		}
		if intruder { // somebody overwrites the object before we ask again
			after := faults.After
			faults.After = func(ctx context.Context, c storetest.Call, err error) error {
				if c.Op == "Complete" && err == nil {
					if _, err := inner.Put(ctx, "a", strings.NewReader("CONTENT"), 7, store.PutOptions{}); err != nil {
						t.Error(err)
					}
				}
				return after(ctx, c, err)
			}
		}
		o, err := s.Complete(ctx, "a", id, []store.Part{p})
		if !intruder && (err != nil || o.Size != 7 || !strings.HasSuffix(o.ETag, "-1")) {
			t.Errorf("Complete with a lost answer = %+v, %v", o, err)
		}
		if intruder && !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Complete of an object that is another now = %+v, %v", o, err)
		}
	}
}

func TestCompleteOfAbsentUpload(t *testing.T) {
	s := retry.Wrap(memory.New().Bucket("b"), retry.Options{})
	_, err := s.Complete(t.Context(), "a", "nobody", []store.Part{{Number: 1}})
	if !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Complete = %v", err)
	}
}

func TestLostPutIfAbsent(t *testing.T) {
	inner := memory.New().Bucket("b")
	s := retry.Wrap(losing(inner, "Put"), retry.Options{First: time.Millisecond})
	put := func(data string) error {
		_, err := s.Put(t.Context(), "a", strings.NewReader(data), int64(len(data)), store.PutOptions{IfAbsent: true})
		return err
	}
	if err := put("mine"); err != nil {
		t.Errorf("Put with a lost answer = %v", err)
	}
	if err := put("mine"); !errors.Is(err, store.ErrExist) {
		t.Errorf("second Put = %v", err)
	}
	s = retry.Wrap(losing(inner, "Put"), retry.Options{First: time.Millisecond})
	if err := put("yours"); !errors.Is(err, store.ErrExist) {
		t.Errorf("Put over another's object, with a lost answer = %v", err)
	}
}

func TestBodyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New().Bucket("b")
		if _, err := inner.Put(t.Context(), "a", strings.NewReader("0123456789"), 10, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		opens := 0
		s := retry.Wrap(&storetest.Faulty{Store: inner, Body: func(rc io.ReadCloser) io.ReadCloser {
			opens++
			return &breaking{ReadCloser: rc, left: max(0, 4-opens)} // 3 bytes, 2, 1, none
		}}, retry.Options{For: 10 * time.Second})
		body, _, err := s.Open(t.Context(), "a", 1, -1, "")
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if string(data) != "123456" || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("read %q, %v", data, err)
		}
		if opens > 30 {
			t.Errorf("opened %d times", opens)
		}
	})
}

func TestBodyOfChangedObject(t *testing.T) {
	inner := memory.New().Bucket("b")
	put := func(data string) {
		if _, err := inner.Put(t.Context(), "a", strings.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("0123456789")
	s := retry.Wrap(&storetest.Faulty{Store: inner, Body: func(rc io.ReadCloser) io.ReadCloser {
		return &breaking{ReadCloser: rc, left: 4}
	}}, retry.Options{First: time.Millisecond})
	body, _, err := s.Open(t.Context(), "a", 0, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	put("abcdefghij")
	if data, err := io.ReadAll(body); string(data) != "0123" || !errors.Is(err, store.ErrChanged) {
		t.Errorf("read %q, %v; want the old beginning and ErrChanged", data, err)
	}
}

// A body that breaks is resumed for SpliceInto, too, by bodies that can do that or not.
func TestSplicedBody(t *testing.T) {
	for name, c := range map[string]struct {
		body          func(opened int, rc io.ReadCloser) io.ReadCloser
		spliced, open int
	}{
		"always": {func(_ int, rc io.ReadCloser) io.ReadCloser { return storetest.Spliced(rc) }, 10, 4},
		"never":  {func(_ int, rc io.ReadCloser) io.ReadCloser { return rc }, 0, 4},
		"once": {func(opened int, rc io.ReadCloser) io.ReadCloser {
			if opened == 1 {
				return storetest.Spliced(rc)
			}
			return rc
		}, 3, 4},
	} {
		inner := memory.New().Bucket("b")
		if _, err := inner.Put(t.Context(), "a", strings.NewReader("0123456789"), 10, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		opened := 0
		s := retry.Wrap(&storetest.Faulty{Store: inner, Body: func(rc io.ReadCloser) io.ReadCloser {
			opened++
			return c.body(opened, &breaking{ReadCloser: rc, left: 3})
		}}, retry.Options{First: time.Microsecond, Max: time.Microsecond})
		body, _, err := s.Open(t.Context(), "a", 0, -1, "")
		if err != nil {
			t.Fatal(err)
		}
		data, spliced, err := storetest.ReadSpliced(body)
		if err := errors.Join(err, body.Close()); err != nil || string(data) != "0123456789" {
			t.Errorf("%s: got %q, %v", name, data, err)
		}
		if spliced != c.spliced || opened != c.open {
			t.Errorf("%s: %d bytes spliced, want %d; opened %d times, want %d", name, spliced, c.spliced, opened, c.open)
		}
	}
}

func TestSplicedBodyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New().Bucket("b")
		if _, err := inner.Put(t.Context(), "a", strings.NewReader("0123456789"), 10, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		left := 4
		s := retry.Wrap(&storetest.Faulty{Store: inner, Body: func(rc io.ReadCloser) io.ReadCloser {
			body := storetest.Spliced(&breaking{ReadCloser: rc, left: left})
			left = 0
			return body
		}}, retry.Options{For: 10 * time.Second})
		body, _, err := s.Open(t.Context(), "a", 0, -1, "")
		if err != nil {
			t.Fatal(err)
		}
		if data, _, err := storetest.ReadSpliced(body); string(data) != "0123" || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("read %q, %v", data, err)
		}
	})
}
