package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// deafCollector takes connections and never says or reads anything.
func deafCollector(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }() // when the listener is closed
		}
	}()
	t.Cleanup(func() {
		_ = l.Close() // nothing was read
		<-done
	})
	return l.Addr().String()
}

func scrape(t *testing.T, at Addresses, pattern string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get("http://" + at.Admin.String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?m)^" + pattern + "$").FindString(string(body))
}

// All kinds of sinks get the same events, and one that hangs, in a handshake that never
// ends, keeps neither clients nor the others waiting.
func TestAuditSinks(t *testing.T) {
	cfg := testConfig(t)
	dir, deaf := t.TempDir(), deafCollector(t)
	before := goleak.IgnoreCurrent()
	cfg.Audit.File = filepath.Join(dir, "legacy.jsonl")
	sinks, err := config.ParseAuditSinks(fmt.Sprintf("file://%s/audit.jsonl, xferlog://%[1]s/xferlog, syslog+tls://%[2]s, sql", dir, deaf))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Audit.Sinks = sinks
	app, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at, stop := runApp(t, app)
	const files = 50
	c := spdtest.LoginFTP(t, at.FTP.String(), "alice", "secret")
	for i := range files {
		c.Put("226", fmt.Sprintf("STOR file %d", i), []byte("hello"))
	}
	c.Do("200", "TYPE A")
	c.Get("RETR file 1")
	c.Do("550", "DELE missing")
	waiting := scrape(t, at, `spd_audit_queued\{sink="syslog tls `+deaf+`"\} [1-9]\d*`)
	if waiting == "" {
		t.Error("no event waits for the collector that does not answer")
	}
	if got := scrape(t, at, `spd_audit_dropped_total\{sink="sql"\} 0`); got == "" {
		t.Error("no metric for sql")
	}
	stop()
	goleak.VerifyNone(t, before)

	for _, name := range []string{"legacy.jsonl", "audit.jsonl"} {
		text := readFile(t, filepath.Join(dir, name))
		if n := strings.Count(text, `"action":"upload"`); n != files || strings.Contains(text, "secret") {
			t.Errorf("%s has %d uploads:\n%s", name, n, text)
		}
		for _, want := range []string{`"action":"login"`, `"action":"logout"`, `"path":"/missing"`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	text := readFile(t, filepath.Join(dir, "xferlog"))
	if strings.Count(text, " b _ i r alice ftp 0 * c\n") != files || !strings.Contains(text, " 127.0.0.1 5 /file_1 a _ o r alice ftp 0 * c\n") {
		t.Errorf("xferlog:\n%s", text)
	}
	handle, err := sql.Open("sqlite", strings.Replace(cfg.Database.DSN.Reveal(), "sqlite://", "file:", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = handle.Close() }() // only read
	var up, events int
	err = handle.QueryRowContext(t.Context(), `SELECT bytes, (SELECT COUNT(*) FROM events)
		FROM v_traffic WHERE username = 'alice' AND direction = 'up' AND files = ?`, files).Scan(&up, &events)
	if err != nil || up != 5*files || events != files+4 {
		t.Errorf("%d bytes, %d events, %v", up, events, err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What is wrong with a sink is said at the start, with its name.
func TestAuditSinksThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"stdout, file:///nowhere/at/all":                  "file:///nowhere/at/all: open the audit file",
		"syslog+tls://h?ca=/nowhere":                      "ca: open /nowhere",
		"syslog+tls://h?ca=" + empty:                      "holds no certificate",
		"syslog+tls://h?cert=" + empty + "&key=" + empty:  "cert, key: tls:",
		"syslog+udp://127.0.0.1, xferlog://" + dir + "/.": "is a directory",
	} {
		sinks, err := config.ParseAuditSinks(text)
		if err != nil {
			t.Fatal(err)
		}
		trail, err := openAudit(config.Audit{Sinks: sinks}, nil, nil)
		if trail != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if trail, err := openAudit(config.Audit{}, nil, nil); trail != (*audit.Log)(nil) || err != nil {
		t.Errorf("no sinks: %v, %v", trail, err)
	}
	if _, err := openAudit(config.Audit{File: "/nowhere/at/all"}, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("audit.file: %v", err)
	}
}
