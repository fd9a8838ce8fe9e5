package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// testConfig is a node on MinIO and SQLite, with the account alice, password "secret".
func testConfig(t *testing.T) config.Config {
	t.Helper()
	minio := spdtest.MinIO(t)
	cfg := config.Default()
	cfg.FTP.Listen, cfg.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.FTP.PassivePorts = config.PortRange{}
	cfg.S3.Endpoint = minio.URL
	cfg.S3.AccessKey, cfg.S3.SecretKey = config.Secret(minio.AccessKey), config.Secret(minio.SecretKey)
	cfg.S3.CreateBucket = true
	cfg.Database.DSN = config.Secret("sqlite://" + filepath.Join(t.TempDir(), "spd.db"))
	if err := ensureDemoUser(t.Context(), cfg, demoOptions{user: "alice", password: "secret"}); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// runApp runs a node until stop is called, and returns when clients can connect.
func runApp(t *testing.T, app *App) (at Addresses, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan Addresses, 1), make(chan error, 1)
	app.Log = slog.New(slog.DiscardHandler)
	app.Started = func(a Addresses) { started <- a }
	go func() { ended <- app.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		ended <- nil // stop may be called again
	}
	t.Cleanup(stop)
	select {
	case at = <-started:
	case err := <-ended:
		ended <- nil
		t.Fatalf("run: %v", err)
	}
	return at, stop
}

func TestAppLeavesNothingRunning(t *testing.T) {
	cfg := testConfig(t)
	cfg.TLS.Cert, cfg.TLS.Key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	cfg.TLS.ImplicitListen = "127.0.0.1:0"
	spdtest.NewCertificate(t, cfg.TLS.Cert, cfg.TLS.Key)
	cfg.Audit.File = filepath.Join(t.TempDir(), "audit.jsonl")
	before := goleak.IgnoreCurrent()
	for range 2 { // nothing of the first is in the way of the second
		app, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		at, stop := runApp(t, app)
		useApp(t, at)
		stop()
		goleak.VerifyNone(t, before)
	}
}

// useApp has one session that does a bit of everything, and one that is idle at the end.
func useApp(t *testing.T, at Addresses) {
	t.Helper()
	c := spdtest.LoginFTP(t, at.FTP.String(), "alice", "secret")
	c.Put("226", "STOR small", []byte("hello"))
	c.Put("226", "STOR large", make([]byte, 20<<20))
	if got := c.Get("RETR small"); got != "hello" {
		t.Errorf("got %q", got)
	}
	c.Get("LIST")
	c.Do("250", "DELE large")
	c.Passive()
	spdtest.LoginFTP(t, at.FTP.String(), "alice", "secret")

	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get("http://" + at.Admin.String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %s %s, %v", resp.Status, body, err)
	}
}

// The HTTP server of the embedded store leaves two kinds of goroutines to themselves: a
// clock, of which a process has one, and the cleaner of a server that has ended, which
// notices that after its nap of 10 seconds.
func TestDemoLeavesNothingRunning(t *testing.T) {
	ignored := []goleak.Option{
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	}
	o := demoOptions{dir: filepath.Join(t.TempDir(), "demo"), listen: "127.0.0.1:0", admin: "127.0.0.1:0", user: "alice", password: "secret"}
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		greeting, said := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- runDemo(ctx, o, said)
			_ = said.Close() // never fails
		}()
		buffer := make([]byte, 4096)
		n, err := greeting.Read(buffer)
		if err != nil || !bytes.Contains(buffer[:n], []byte("SPD demo is ready")) {
			t.Errorf("the demo says %q, %v", buffer[:n], err)
		}
		go func() { _, _ = io.Copy(io.Discard, greeting) }() // ends with the demo
		_, rest, _ := strings.Cut(string(buffer[:n]), "ftp://")
		addr, _, _ := strings.Cut(rest, "/")
		c := spdtest.LoginFTP(t, addr, "alice", "secret")
		c.Put("226", "STOR small", []byte("hello"))
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("demo: %v", err)
		}
		_ = greeting.Close() // never fails
		goleak.VerifyNone(t, ignored...)
	}
}
