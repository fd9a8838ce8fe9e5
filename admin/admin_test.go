package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func works(context.Context) error { return nil }

func fails(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func probe(name string, try func(context.Context) error) Probe { return Probe{Name: name, Try: try} }

// watched is a Watch that has tried every probe once.
func watched(t *testing.T, log *slog.Logger, probes ...Probe) *Watch {
	t.Helper()
	w := NewWatch(log, probes...)
	for i, p := range probes {
		w.note(i, w.try(t.Context(), p))
	}
	return w
}

func TestPages(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "spd_test"}, func() float64 { return 7 }))
	h := Handler(Options{
		Watch:    watched(t, nil, probe("database", works), probe("store", works)),
		Summary:  func() Summary { return Summary{Sessions: 41, Transfers: 12} },
		Gatherer: registry,
		Version:  "v1.2.3 <dev>",
		Started:  time.Now(),
	})
	for _, test := range []struct {
		method, path string
		code         int
		body         []string
	}{
		{"GET", "/healthz", 200, []string{"ok\n"}},
		{"HEAD", "/healthz", 200, nil},
		{"GET", "/readyz", 200, []string{"database: ok\nstore: ok\n"}},
		{"GET", "/metrics", 200, []string{"spd_test 7"}},
		{"GET", "/", 200, []string{"v1.2.3 &lt;dev&gt;", ">41<", ">12<", "Ready for clients", `href="/metrics"`}},
		{"GET", "/favicon.ico", 404, nil},
		{"GET", "/healthz/x", 404, nil},
		{"POST", "/", 405, nil},
		{"DELETE", "/readyz", 405, nil},
	} {
		w := ask(h, test.method, test.path)
		if w.Code != test.code {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, w.Code, test.code)
		}
		for _, part := range test.body {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s %s: no %q in\n%s", test.method, test.path, part, w.Body)
			}
		}
	}
	if w := ask(Handler(Options{}), "GET", "/metrics"); w.Code != 404 {
		t.Errorf("metrics without a gatherer: %d", w.Code)
	}
	if w := ask(Handler(Options{}), "GET", "/readyz"); w.Code != 200 {
		t.Errorf("ready without probes: %d", w.Code)
	}
}

func TestStateNamesNoHost(t *testing.T) {
	dial := func(err error) error {
		return fmt.Errorf("ping db.internal: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 3306}, Err: err})
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "ok"},
		{fmt.Errorf("server: %w", Reason("draining")), "draining"},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		{dial(os.ErrDeadlineExceeded), "timed out"},
		{context.DeadlineExceeded, "timed out"},
		{dial(&net.DNSError{Name: "db.internal", IsNotFound: true}), "host name not found"},
		{errors.New("Access denied for user 'spd'@'10.0.0.5'"), "failed, see the log"},
	} {
		if got := (Check{"database", test.err}).State(); got != test.want {
			t.Errorf("%v is shown as %q, want %q", test.err, got, test.want)
		}
	}
}

func TestNotReady(t *testing.T) {
	var log bytes.Buffer
	broken := errors.New("hunter2")
	logger := slog.New(slog.NewTextHandler(&log, nil))
	h := Handler(Options{Watch: watched(t, logger, probe("database", works), probe("store", fails(broken)))})
	w := ask(h, "GET", "/readyz")
	if w.Code != 503 || w.Body.String() != "database: ok\nstore: failed, see the log\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if page := ask(h, "GET", "/"); page.Code != 200 || !strings.Contains(page.Body.String(), "Not ready") || strings.Contains(page.Body.String(), "hunter2") {
		t.Errorf("%d %s", page.Code, page.Body)
	}
	if strings.Count(log.String(), "hunter2") != 1 {
		t.Errorf("logged:\n%s", log.String())
	}
}

// A probe that fails, or works, once does not change what /readyz says.
func TestReadinessDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var log bytes.Buffer
		w := NewWatch(slog.New(slog.NewTextHandler(&log, nil)), probe("store", func(context.Context) error {
			if broken.Load() {
				return Reason("away")
			}
			return nil
		}))
		h := Handler(Options{Watch: w})
		if ask(h, "GET", "/readyz").Code != 200 {
			t.Error("not tried for who asks before Run does")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		synctest.Wait() // the first try
		for i, step := range []struct{ broken, ready bool }{
			{false, true}, {true, true}, {false, true}, {true, true}, {true, false},
			{false, false}, {false, false}, {true, false}, {false, false}, {false, false}, {false, true}, {true, true},
		} {
			broken.Store(step.broken)
			time.Sleep(probeEvery)
			synctest.Wait()
			if got := ask(h, "GET", "/readyz").Code == 200; got != step.ready {
				t.Errorf("step %d: ready is %v", i, got)
			}
		}
		cancel()
		running.Wait()
		if got := log.String(); strings.Count(got, "not ready") != 1 || strings.Count(got, "ready again") != 1 {
			t.Errorf("logged:\n%s", got)
		}
	})
}

func TestHangingProbeIsSeenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hanging atomic.Bool
		hangs := func(ctx context.Context) error {
			if !hanging.Load() {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		w := NewWatch(nil, probe("a", hangs), probe("b", works))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		synctest.Wait()
		hanging.Store(true)
		begun := time.Now()
		for !w.Failing(ctx, "a") {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begun); took > 3410*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if w.Failing(ctx, "b") || w.Failing(ctx, "none") {
			t.Error("another probe fails")
		}
		if got := ask(Handler(Options{Watch: w}), "GET", "/readyz").Body.String(); got != "a: timed out\nb: ok\n" {
			t.Errorf("%q", got)
		}
		cancel()
		running.Wait()
	})
}

func TestInstantProbe(t *testing.T) {
	var draining error
	h := Handler(Options{Watch: NewWatch(nil, Probe{Name: "ftp", Instant: true, Try: func(context.Context) error { return draining }})})
	for _, draining = range []error{nil, Reason("draining"), nil} {
		if got := ask(h, "GET", "/readyz").Code == 200; got != (draining == nil) {
			t.Errorf("%v: ready is %v", draining, got)
		}
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h) }()

	answered := make(chan string, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-entered
	cancel() // a request is running: it is answered all the same
	close(release)
	if got := <-answered; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := Serve(t.Context(), l, http.NotFoundHandler()); err == nil {
		t.Error("no error")
	}
}
