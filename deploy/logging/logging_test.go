// Package logging_test tries the configurations of this folder with the real rsyslogd.
package logging_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// daemon is an rsyslogd with a configuration of this folder.
type daemon struct {
	t       *testing.T
	dir     string
	config  string
	ready   func(context.Context) error
	process *spdtest.Process
}

// newDaemon prepares a configuration; of it, the words given in pairs are replaced: each
// must be there.
func newDaemon(t *testing.T, config string, ready func(context.Context) error, pairs ...string) *daemon {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(pairs, 2) {
		if !bytes.Contains(text, []byte(pair[0])) {
			t.Fatalf("%q is not in %s", pair[0], config)
		}
	}
	d := &daemon{t: t, dir: t.TempDir(), ready: ready}
	d.config = filepath.Join(d.dir, config)
	// What the distribution's /etc/rsyslog.conf says.
	whole := fmt.Sprintf("global(workDirectory=%q)\n", d.dir) + strings.NewReplacer(pairs...).Replace(string(text))
	if err := os.WriteFile(d.config, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	path, err := exec.LookPath("rsyslogd")
	if err != nil {
		path = "/usr/sbin/rsyslogd"
	}
	cmd := exec.CommandContext(context.Background(), path, "-n", "-f", d.config, "-i", filepath.Join(d.dir, "pid"))
	d.process = spdtest.StartProcess(d.t, cmd, d.ready)
	d.t.Cleanup(func() {
		if d.t.Failed() {
			d.t.Logf("rsyslogd said:\n%s", d.process.Output())
		}
	})
}

// collector is a daemon with collector.conf.
type collector struct {
	*daemon
	logs          string // folder
	udp, tcp, tls string // addresses
	trust         *tls.Config
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	files := t.TempDir()
	c := &collector{logs: filepath.Join(t.TempDir(), "logs"), udp: spdtest.FreeAddr(t), tcp: spdtest.FreeAddr(t), tls: spdtest.FreeAddr(t)}
	spdtest.NewCertificate(t, filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem"))
	pem, err := os.ReadFile(filepath.Join(files, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "ca.pem"), pem, 0o600); err != nil {
		t.Fatal(err)
	}
	c.trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.trust.RootCAs.AppendCertsFromPEM(pem)
	c.daemon = newDaemon(t, "collector.conf", listening("tcp", c.tcp, c.tls), "/etc/spd/logging", files, "/var/log/spd", c.logs,
		`"imudp" address="0.0.0.0" port="514"`, `"imudp" `+listen(c.udp),
		`"imptcp" address="0.0.0.0" port="514"`, `"imptcp" `+listen(c.tcp),
		`"imtcp" address="0.0.0.0" port="6514"`, `"imtcp" `+listen(c.tls))
	c.start()
	return c
}

// listen writes an address as rsyslog wants it.
func listen(address string) string {
	host, port, _ := net.SplitHostPort(address) // one of spdtest.FreeAddr
	return fmt.Sprintf("address=%q port=%q", host, port)
}

// listening is nil when something listens on all addresses.
func listening(network string, addresses ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, address := range addresses {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return err
			}
			_ = conn.Close() // nothing was sent
		}
		return nil
	}
}

// events are what the file of all nodes holds.
func (c *collector) events() map[string]string {
	found := make(map[string]string)
	for line := range strings.Lines(c.read("*.jsonl")) {
		var e struct{ ID, Path, User string }
		if err := json.Unmarshal([]byte(line), &e); err == nil { // or it is not written to its end yet
			found[e.Path] = e.User
		}
	}
	return found
}

// read reads all files of a pattern.
func (c *collector) read(pattern string) string {
	c.t.Helper()
	names, err := filepath.Glob(filepath.Join(c.logs, pattern))
	if err != nil {
		c.t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			c.t.Fatal(err)
		}
		text.Write(data)
	}
	return text.String()
}

// await waits until the file of all nodes has these paths.
func (c *collector) await(paths ...string) {
	c.t.Helper()
	spdtest.Await(c.t, "the collector has all events", func() error {
		events := c.events()
		for _, path := range paths {
			if events[path] == "" {
				return fmt.Errorf("%s is missing in %v", path, events)
			}
		}
		return nil
	})
}

// event is an upload, with a name that is hard on syslog.
func event(path string) audit.Event {
	return audit.Event{
		Time: time.Now(), Node: "node1/42", Session: "s1", User: "alice", Remote: "192.0.2.1:4711",
		Action: audit.Upload, Path: path, Bytes: 12,
	}
}

// trail is an audit trail to one sink.
func trail(t *testing.T, o audit.SyslogOptions) *audit.Log {
	t.Helper()
	l := audit.New(slog.New(slog.DiscardHandler), audit.NewSyslog(o))
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func source(host string) audit.Source {
	return audit.Source{Host: host, App: "spdserver", Proc: "42"}
}

const oddName = `/中文/ "quoted" \ 😀 100%`

// Every transport and format ends up in the same two places, unharmed.
func TestCollector(t *testing.T) {
	c := startCollector(t)
	var all []string
	for name, o := range map[string]audit.SyslogOptions{
		"udp":    {Transport: audit.UDP, Address: c.udp},
		"octets": {Transport: audit.TCP, Address: c.tcp},
		"lf":     {Transport: audit.TCP, Address: c.tcp, Framing: audit.LineFeeds},
		"tls":    {Transport: audit.TLS, Address: c.tls, TLS: c.trust},
	} {
		host := "host-" + name
		for format, f := range map[string]audit.Format{"new": audit.RFC5424(source(host)), "old": audit.RFC3164(source(host), nil)} {
			o.Format = f
			path := oddName + name + format
			all = append(all, path)
			trail(t, o).Log(t.Context(), event(path))
			refused := event(path)
			refused.Action, refused.Err = audit.LoginFailed, "login refused"
			trail(t, o).Log(t.Context(), refused)
		}
	}
	c.await(all...)
	if text := c.read("*.jsonl"); !strings.Contains(text, "中文") {
		t.Errorf("not in UTF-8:\n%s", text)
	}
	for _, host := range []string{"host-udp", "host-octets", "host-lf", "host-tls"} {
		spdtest.Await(t, host+" has a file of its own", func() error {
			text := c.read(host + "/*.log")
			if strings.Count(text, "<94> ") != 2 || strings.Count(text, "<92> ") != 2 || strings.Count(text, " spdserver") != 4 {
				return fmt.Errorf("it holds %q", text)
			}
			return nil
		})
	}
}

// What happens while the collector is away arrives when it is back: by way of the node's
// own rsyslogd, which keeps it.
func TestNodeForwards(t *testing.T) {
	c := startCollector(t)
	sockets, err := os.MkdirTemp("", "spd-log-") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(sockets); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(sockets, "log")
	_, port, _ := net.SplitHostPort(c.tcp) // one of spdtest.FreeAddr
	node := newDaemon(t, "node.conf", listening("unixgram", socket), "/run/spd/log", socket,
		`target="collector.example.com" port="514"`, fmt.Sprintf(`target="127.0.0.1" port=%q`, port),
		`module(load="imjournal" stateFile="spd-journal" ignorePreviousMessages="on")`, "") // needs systemd
	node.start()

	l := trail(t, audit.SyslogOptions{Transport: audit.Unix, Address: socket, Format: audit.RFC3164(source(""), nil)})
	l.Log(t.Context(), event(oddName))
	c.await(oddName)
	c.process.Stop()
	var paths []string
	for i := range 100 {
		paths = append(paths, fmt.Sprintf("/%d", i))
		l.Log(t.Context(), event(paths[i]))
	}
	c.start()
	// The first message after a TCP connection has broken may be lost with it.
	c.await(paths[1:]...)
}
