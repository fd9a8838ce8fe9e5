package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// What serve would stumble over is found, and named by its key.
func TestCheckOfCertificatesAndSinks(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	spdtest.NewCertificate(t, cert, key)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was accepted
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := closed.Addr().String()
	_ = closed.Close() // so that nobody is there
	pair := config.Certificates{{Cert: cert, Key: key}}
	sinks := func(text string) config.Config {
		parsed, err := config.ParseAuditSinks(text)
		if err != nil {
			t.Fatal(err)
		}
		return config.Config{Audit: config.Audit{Sinks: parsed}}
	}
	for _, test := range []struct {
		cfg  config.Config
		ok   bool
		want string
	}{
		{config.Config{}, true, "none"},
		{config.Config{TLS: config.TLS{Cert: cert, Key: key, MoreCerts: pair, ClientCA: cert}}, true, "valid"},
		{config.Config{TLS: config.TLS{Cert: cert, Key: cert}}, false, "tls.cert"},
		{config.Config{TLS: config.TLS{Cert: cert, Key: key, MoreCerts: config.Certificates{{Cert: "/nowhere", Key: "/nowhere"}}}}, false, "tls.more_certs"},
		{config.Config{TLS: config.TLS{ClientCA: "/nowhere"}}, false, "tls.client_ca"},
		{config.Config{TLS: config.TLS{ClientCA: key}}, false, "tls.client_ca"},
		{sinks("sql, file://" + dir + "/audit.jsonl, syslog+udp://192.0.2.1, syslog+tcp://" + l.Addr().String()), true, "4 sinks"},
		{sinks("file:///nowhere/audit.jsonl"), false, "audit.sinks"},
		{sinks("syslog+tcp://" + gone), false, "syslog+tcp://" + gone},
		{sinks("syslog+unix://" + dir + "/log"), false, "syslog+unix"},
	} {
		var found strings.Builder
		ok := true
		for _, check := range []func() (string, error){
			func() (string, error) { return checkCertificate(t.Context(), test.cfg) },
			func() (string, error) { return checkClientCA(t.Context(), test.cfg) },
			func() (string, error) { return checkAudit(t.Context(), test.cfg) },
		} {
			text, err := check()
			if err != nil {
				ok, text = false, err.Error()
			}
			found.WriteString(text + "\n")
		}
		if ok != test.ok || !strings.Contains(found.String(), test.want) {
			t.Errorf("%+v %+v: %v\n%s", test.cfg.TLS, test.cfg.Audit, ok, found.String())
		}
	}
}
