package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// The account of all sessions.
const (
	user     = "bench"
	password = "bench"
	prefix   = user + "/"
)

// command is exec.Command for programs of the benchmark's own.
func command(name string, args ...string) *exec.Cmd {
	return exec.Command(name, args...) //nolint:gosec // nobody else names them
}

// build makes spdserver as "make build" does; with symbols if it is going to be profiled.
func build(file string, symbols bool) error {
	flags := "-s -w"
	if symbols {
		flags = ""
	}
	cmd := command("go", "build", "-trimpath", "-ldflags", flags, "-o", file, "./cmd/spdserver")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build spdserver: %w\n%s", err, out)
	}
	return nil
}

// node is a running spdserver.
type node struct {
	*spdtest.Process
	bench *bench
	addr  string // "127.0.0.1:port" of FTP
	admin string // and of the metrics
}

// startNode starts spdserver with the shared store and database. Settings are more keys of
// the configuration, such as "transfer.memory", and win.
func (b *bench) startNode(settings map[string]string) (*node, error) {
	file, err := b.configure(settings)
	if err != nil {
		return nil, err
	}
	cmd := command(b.program, "serve", "--config", file)
	n := &node{bench: b}
	n.Process = spdtest.StartProcess(b.tb, cmd, func(context.Context) error { return nil })
	for deadline := time.Now().Add(time.Minute); n.addr == "" || n.admin == ""; time.Sleep(20 * time.Millisecond) {
		select {
		case <-n.Done():
			return nil, fmt.Errorf("spdserver has ended:\n%s", n.Output())
		default:
		}
		if time.Now().After(deadline) {
			n.Kill()
			return nil, fmt.Errorf("spdserver is not ready:\n%s", n.Output())
		}
		n.addr, n.admin = n.listener("ftp"), n.listener("admin")
	}
	return n, nil
}

// configure writes a configuration: the defaults, but for addresses and keys.
func (b *bench) configure(settings map[string]string) (string, error) {
	first := 10_000 + 1000*(os.Getpid()%20) // below the ports that clients get
	config := map[string]string{
		"ftp.listen":        "127.0.0.1:0",
		"ftp.passive_ports": fmt.Sprintf("%d-%d", first, first+999), // as many as by default
		"s3.endpoint":       b.s3.URL,
		"s3.access_key":     b.s3.AccessKey,
		"s3.secret_key":     b.s3.SecretKey,
		"s3.bucket":         bucket,
		"s3.create_bucket":  "true",
		"database.dsn":      b.dsn,
		"admin.listen":      "127.0.0.1:0",
		"tls.cert":          filepath.Join(b.dir, "cert.pem"),
		"tls.key":           filepath.Join(b.dir, "key.pem"),
	}
	maps.Copy(config, settings)
	sections := map[string]map[string]string{}
	for key, value := range config {
		section, name, _ := strings.Cut(key, ".")
		if sections[section] == nil {
			sections[section] = map[string]string{}
		}
		sections[section][name] = value
	}
	file := filepath.Join(b.dir, "spd.yaml")
	text, err := json.Marshal(sections) // which is YAML, too
	if err != nil {
		return "", err
	}
	return file, os.WriteFile(file, text, 0o600)
}

// listener finds an address in the log; "" if it is not there.
func (n *node) listener(of string) string {
	for line := range strings.Lines(n.Output()) {
		var entry struct{ Msg, For, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" && entry.For == of {
			return entry.Address
		}
	}
	return ""
}

// end stops the node, which must take that well. What its log complains about is shown.
func (n *node) end() error {
	n.Stop()
	complaints := slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(n.Output()) {
			if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
				if !yield(line) {
					return
				}
			}
		}
	})
	if len(complaints) > 0 {
		n.bench.progress("  spdserver logged %d warnings and errors; the first: %s", len(complaints), strings.TrimSpace(complaints[0]))
	}
	if code := n.ExitCode(); code != 0 {
		return fmt.Errorf("spdserver ended with exit code %d", code)
	}
	return nil
}

// addUser makes the account.
func (b *bench) addUser() error {
	file, err := b.configure(nil)
	if err != nil {
		return err
	}
	cmd := command(b.program, "user", "add", user, "--password", password, "--prefix", prefix, "--config", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("add user: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// fewAtATime is how many sessions prepare something at the same time.
const fewAtATime = 10

// sessions are FTP clients that are logged in.
type sessions []*ftpClient

// login opens sessions, a few at a time.
func (n *node) login(count int, encrypted bool) (sessions, error) {
	s := make(sessions, count)
	var g errgroup.Group
	g.SetLimit(fewAtATime)
	for i := range s {
		g.Go(func() error {
			config, err := n.bench.tlsConfig(encrypted)
			if err != nil {
				return err
			}
			s[i], err = dialFTP(n.addr, config)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// tlsConfig is that of one client: it resumes its own sessions (RFC 8446, 2.2), as FTP
// clients do for data connections.
func (b *bench) tlsConfig(encrypted bool) (*tls.Config, error) {
	if !encrypted {
		return nil, nil
	}
	cert, err := os.ReadFile(filepath.Join(b.dir, "cert.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cert) {
		return nil, errors.New("the certificate cannot be read")
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            roots,
		ServerName:         "localhost",
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}, nil
}

func (s sessions) close() {
	for _, c := range s {
		if c != nil {
			c.close()
		}
	}
}

func (s sessions) store(client int, name string, size int64) error {
	return s[client].store(name, size)
}

func (s sessions) retrieve(client int, name string, size int64) error {
	return s[client].retrieve(name, size)
}

// makeDirs makes the directories of a load: each client its own.
func (s sessions) makeDirs(l load) error {
	if err := s[0].do("257", "MKD "+l.Dir); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(fewAtATime)
	for i, c := range s {
		g.Go(func() error { return c.do("257", "MKD "+l.dir(i)) })
	}
	return g.Wait()
}

// measure does a load through SPD.
func (n *node) measure(s sessions, l load) (outcome, error) {
	do := s.retrieve
	if l.Upload {
		do = s.store
		if err := s.makeDirs(l); err != nil {
			return outcome{}, err
		}
	}
	if err := l.warm(do); err != nil {
		return outcome{}, err
	}
	return l.measure(do, func() (cpuTime, error) {
		gateway, err := cpuOf(n.Pid())
		store, storeErr := cpuOf(n.bench.minio.Pid())
		own, ownErr := ownCPU()
		return cpuTime{Gateway: gateway, Store: store, Load: own}, errors.Join(err, storeErr, ownErr)
	})
}
