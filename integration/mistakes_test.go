package integration

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// What an operator gets wrong is said by check and by serve: which key, and what to do.
func TestMistakes(t *testing.T) {
	t.Parallel()
	minio := servers.S3
	for _, test := range []struct {
		name   string
		config map[string]string
		says   []string
	}{
		{"secret key", map[string]string{"s3.secret_key": "wrong-key"},
			[]string{"s3.access_key, s3.secret_key", minio.URL, "check both"}},
		{"access key", map[string]string{"s3.access_key": "nobody"},
			[]string{"s3.access_key, s3.secret_key", "check both"}},
		{"bucket", map[string]string{"s3.bucket": "missing", "s3.create_bucket": "false"},
			[]string{"s3.bucket", `"missing"`, "s3.create_bucket: true"}},
		{"database password", map[string]string{"database.dsn": withPassword(servers.Database.NewDatabase(), "wrong-pass")},
			[]string{"database.dsn", "Access denied", "password"}},
		{"database name", map[string]string{"database.dsn": "mysql://spd:spdpass@" + servers.Database.Addr + "/missing"},
			[]string{"database.dsn", "missing", "Unknown database"}},
		{"certificate", map[string]string{"tls.cert": "/missing/cert.pem", "tls.key": "/missing/key.pem"},
			[]string{"tls.cert", "/missing/cert.pem", "no such file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := spdtest.Configure(t, spdtest.Options{Servers: servers, Config: test.config})
			migrate(t, s, test.name)
			checked, code := s.Run("check")
			if code != 1 {
				t.Errorf("check: exit code %d", code)
			}
			if strings.Count(checked, "FAIL") != 1 || strings.Count(checked, "ok ") != 5 {
				t.Errorf("check: not one FAIL and five ok:\n%s", checked)
			}
			s.Serve()
			if code := s.Wait(); code != 1 {
				t.Errorf("serve: exit code %d", code)
			}
			for command, out := range map[string]string{"check": checked, "serve": s.Log()} {
				for _, want := range test.says {
					if !strings.Contains(out, want) {
						t.Errorf("%s does not say %q:\n%s", command, want, out)
					}
				}
				noSecrets(t, command, out)
			}
		})
	}
}

// migrate makes the schema if the mistake does not keep from that.
func migrate(t *testing.T, s *spdtest.SPD, mistake string) {
	t.Helper()
	if out, code := s.Run("migrate"); code != 0 && !strings.HasPrefix(mistake, "database") {
		t.Fatalf("migrate: exit code %d\n%s", code, out)
	}
}

func withPassword(dsn, password string) string { return strings.Replace(dsn, "spdpass", password, 1) }

// noSecrets checks that output shows none of the passwords and keys of these tests.
func noSecrets(t *testing.T, what, out string) {
	t.Helper()
	for _, secret := range []string{servers.S3.SecretKey, "spdpass", "wrong-key", "wrong-pass"} {
		if strings.Contains(out, secret) {
			t.Errorf("%s shows the secret %q:\n%s", what, secret, out)
		}
	}
}

func TestCheckOfWhatIsRight(t *testing.T) {
	t.Parallel()
	s := spdtest.Configure(t, spdtest.Options{Servers: servers, TLS: true})
	for _, want := range []string{"serve will make bucket", "exists"} {
		out, code := s.Run("check")
		if code != 0 || strings.Count(out, "ok ") != 6 || !strings.Contains(out, want) {
			t.Errorf("check: exit code %d, no %q\n%s", code, want, out)
		}
		noSecrets(t, "check", out)
		if want != "exists" {
			s.Serve()
			s.AwaitReady()
		}
	}
}

func TestEveryMistakeOfTheFileIsListed(t *testing.T) {
	t.Parallel()
	s := spdtest.Configure(t, spdtest.Options{Servers: servers})
	write(t, s.ConfigFile, []byte(`
ftp:
  listen: nowhere
  lisen: ":21"
  idle_timeout: 90
  max_sessions: many
  passive_ports: [50000, 50999]
s4: {bucket: spd}
s3:
  endpoint: ftp://example.com
  bucket: UPPER
  secret_key: wrong-key
transfer: {part_size: 1MiB}
tls: {required: true}
database: {dsn: "postgres://spd:spdpass@localhost/spd"}
`))
	for _, command := range []string{"check", "serve", "migrate"} {
		out, code := s.Run(command)
		if code != 2 {
			t.Errorf("%s: exit code %d", command, code)
		}
		for _, key := range []string{
			"ftp.listen (spd.yaml:3)", "ftp.lisen (spd.yaml:4)", "ftp.idle_timeout (spd.yaml:5)", "ftp.max_sessions (spd.yaml:6)",
			"ftp.passive_ports (spd.yaml:7)", "s4 (spd.yaml:8)", "s3.endpoint (spd.yaml:10)", "s3.bucket (spd.yaml:11)", "s3.access_key",
			"transfer.part_size (spd.yaml:13)", "tls.required (spd.yaml:14)", "database.dsn (spd.yaml:15)",
		} {
			if !strings.Contains(out, key) {
				t.Errorf("%s does not list %s:\n%s", command, key, out)
			}
		}
		noSecrets(t, command, out)
	}

	for _, text := range []string{"ftp: [", "- a\n- b", "--- \na: b\n---\nc: d", "\x00\x01", "ftp: *no"} {
		write(t, s.ConfigFile, []byte(text))
		if out, code := s.Run("serve"); code != 2 || !strings.Contains(out, "spd.yaml") {
			t.Errorf("%q: exit code %d\n%s", text, code, out)
		}
	}
	if err := os.Remove(s.ConfigFile); err != nil {
		t.Fatal(err)
	}
	if out, code := s.Run("serve"); code != 2 || !strings.Contains(out, "spd.yaml") || !strings.Contains(out, "no such file") {
		t.Errorf("without the file: exit code %d\n%s", code, out)
	}
}

func TestWrongCommandLine(t *testing.T) {
	t.Parallel()
	s := spdtest.Configure(t, spdtest.Options{Servers: servers})
	for _, args := range [][]string{{"serve", "--nonsense"}, {"nonsense"}, {"serve", "too", "many"}, {"user", "nonsense"}, {"user", "add"}} {
		if out, code := s.Run(args...); code != 2 || out == "" {
			t.Errorf("%v: exit code %d\n%s", args, code, out)
		}
	}
}

func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody connects
	for _, key := range []string{"ftp.listen", "admin.listen", "tls.implicit_listen"} {
		t.Run(key, func(t *testing.T) {
			s := spdtest.Configure(t, spdtest.Options{Servers: servers, TLS: true, Config: map[string]string{key: l.Addr().String()}})
			s.Serve()
			if code := s.Wait(); code != 1 {
				t.Errorf("exit code %d", code)
			}
			for _, want := range []string{key, l.Addr().String(), "already in use", "another port"} {
				if !strings.Contains(s.Log(), want) {
					t.Errorf("does not say %q:\n%s", want, s.Log())
				}
			}
		})
	}
}
