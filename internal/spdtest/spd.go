package spdtest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Options of an SPD. The zero value is a node on MinIO and MariaDB servers of its own.
type Options struct {
	Servers Servers           // those left out are started
	DSN     string            // of the database; "": a new one on Servers.Database
	TLS     bool              // with a certificate in CertFile and KeyFile, and implicit FTPS, too
	Plain   bool              // without the race detector, which ends a program that has 8,128 goroutines
	Config  map[string]string // more keys of spd.yaml, such as "ftp.listen"; they win
}

// SPD is a node that runs as a process of its own: the real program, built with the race
// detector.
type SPD struct {
	node
	Servers           Servers
	ConfigFile        string
	CertFile, KeyFile string // with Options.TLS
	Bucket            string
	DSN               string
	implicit          bool
}

// Start starts a node and returns when clients can connect. In t.Cleanup it is told to
// end, and must do so with exit code 0 and without a data race; if the test has failed,
// its log is shown.
func Start(t testing.TB, o Options) *SPD {
	t.Helper()
	s := Configure(t, o)
	s.Serve()
	s.AwaitReady()
	return s
}

// Configure prepares a node that does not run: see Serve and Run.
func Configure(t testing.TB, o Options) *SPD {
	t.Helper()
	s := &SPD{node: node{t: t, plain: o.Plain}, Servers: o.Servers, DSN: o.DSN}
	if s.Servers.S3.URL == "" && o.Config["s3.endpoint"] == "" {
		s.Servers.S3 = MinIO(t)
	}
	if s.DSN == "" && s.Servers.Database == nil {
		s.Servers.Database = MariaDB(t)
	}
	if s.DSN == "" {
		s.DSN = s.Servers.Database.NewDatabase()
	}
	dir := t.TempDir()
	s.ConfigFile = filepath.Join(dir, "spd.yaml")
	if o.TLS {
		s.CertFile, s.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		NewCertificate(t, s.CertFile, s.KeyFile)
	}
	config := s.config(o)
	s.Bucket, s.implicit = config["s3.bucket"], config["tls.implicit_listen"] != ""
	if err := os.WriteFile(s.ConfigFile, toYAML(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// config is what a node of the tests is told, by key.
func (s *SPD) config(o Options) map[string]string {
	config := map[string]string{
		"ftp.listen":        "127.0.0.1:0",
		"ftp.passive_ports": "0",
		"s3.endpoint":       s.Servers.S3.URL,
		"s3.access_key":     s.Servers.S3.AccessKey,
		"s3.secret_key":     s.Servers.S3.SecretKey,
		"s3.bucket":         "spd-" + strings.ToLower(rand.Text()),
		"s3.create_bucket":  "true",
		"database.dsn":      s.DSN,
		"admin.listen":      "127.0.0.1:0",
	}
	if o.TLS {
		config["tls.cert"], config["tls.key"] = s.CertFile, s.KeyFile
		config["tls.implicit_listen"] = "127.0.0.1:0"
	}
	maps.Copy(config, o.Config)
	return config
}

func toYAML(config map[string]string) []byte {
	var out bytes.Buffer
	section := ""
	for _, key := range slices.Sorted(maps.Keys(config)) {
		in, name, _ := strings.Cut(key, ".")
		if in != section {
			section = in
			fmt.Fprintf(&out, "%s:\n", section)
		}
		fmt.Fprintf(&out, "  %s: %q\n", name, config[key])
	}
	return out.Bytes()
}

// Serve starts the node without waiting for it.
func (s *SPD) Serve() {
	s.t.Helper()
	s.start("serve", "--config", s.ConfigFile)
}

// AwaitReady waits until clients can connect.
func (s *SPD) AwaitReady() {
	s.t.Helper()
	s.Addr()
	if s.implicit {
		s.ImplicitAddr()
	}
}

// listener finds an address in the log; "" if it is not there.
func (s *SPD) listener(of string) string {
	for line := range strings.Lines(s.Log()) {
		var entry struct{ Msg, For, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" && entry.For == of {
			return entry.Address
		}
	}
	return ""
}

// address waits for a listener.
func (s *SPD) address(of string) string {
	s.t.Helper()
	var address string
	Await(s.t, "spdserver listens for "+of, func() error {
		if address = s.listener(of); address != "" {
			return nil
		}
		return s.notYet()
	})
	return address
}

// Addr is where the node serves FTP: "host:port".
func (s *SPD) Addr() string { s.t.Helper(); return s.address("ftp") }

// ImplicitAddr is where the node serves implicit FTPS.
func (s *SPD) ImplicitAddr() string { s.t.Helper(); return s.address("ftps") }

// URL is Addr as "ftp://host:port".
func (s *SPD) URL() string { s.t.Helper(); return "ftp://" + s.Addr() }

// ImplicitURL is ImplicitAddr as "ftps://host:port".
func (s *SPD) ImplicitURL() string { s.t.Helper(); return "ftps://" + s.ImplicitAddr() }

// Admin is where the node answers probes: "http://host:port".
func (s *SPD) Admin() string { s.t.Helper(); return "http://" + s.address("admin") }

// Run runs a command, such as Run("user", "list"), with the node's configuration, and
// returns what it writes and its exit code.
func (s *SPD) Run(args ...string) (output string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), Program(s.t), append(args, "--config", s.ConfigFile)...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if bytes.Contains(out, []byte(dataRace)) {
		s.t.Errorf("data race:\n%s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// AddUser makes an account by `spdserver user add`, with more flags of it.
func (s *SPD) AddUser(name, password string, flags ...string) {
	s.t.Helper()
	out, code := s.Run(append([]string{"user", "add", name, "--password", password}, flags...)...)
	if code != 0 {
		s.t.Fatalf("add user %s: exit code %d\n%s", name, code, out)
	}
}

// SQL runs statements in the node's MariaDB database with its own client, and returns the
// rows: columns separated by tabs.
func (s *SPD) SQL(statements string) string {
	s.t.Helper()
	u, err := url.Parse(s.DSN)
	if err != nil {
		s.t.Fatal(err)
	}
	password, _ := u.User.Password()
	cmd := exec.CommandContext(s.t.Context(), mariadbTool(s.t, "mariadb"), "--no-defaults", "-h"+u.Hostname(), "-P"+u.Port(),
		"-u"+u.User.Username(), "-p"+password, "--batch", "--skip-column-names", strings.TrimPrefix(u.Path, "/"))
	cmd.Stdin = strings.NewReader(statements)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: %v\n%s", statements, err, stderr.String())
	}
	return strings.TrimSuffix(stdout.String(), "\n")
}
