package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issuer makes certificates.
type issuer struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T, name string) *issuer {
	t.Helper()
	i := &issuer{t: t, dir: t.TempDir()}
	i.cert, i.key = i.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return i
}

// file writes the issuer's own certificate.
func (i *issuer) file() string {
	i.t.Helper()
	name := filepath.Join(i.dir, "ca.pem")
	i.write(name, "CERTIFICATE", i.cert.Raw)
	return name
}

func (i *issuer) write(name, kind string, der []byte) {
	i.t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

func (i *issuer) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	parent, signer := i.cert, i.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		i.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return cert, key
}

// server writes a certificate for a host.
func (i *issuer) server(host string) CertificateFiles {
	i.t.Helper()
	cert, key := i.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		i.t.Fatal(err)
	}
	files := CertificateFiles{filepath.Join(i.dir, host+".pem"), filepath.Join(i.dir, host+".key")}
	i.write(files.Cert, "CERTIFICATE", cert.Raw)
	i.write(files.Key, "PRIVATE KEY", der)
	return files
}

// client is a certificate of a client.
func (i *issuer) client(name string, change func(*x509.Certificate)) tls.Certificate {
	i.t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(template)
	}
	cert, key := i.issue(template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// handshake returns what both sides know then.
func handshake(config, client *tls.Config) (server, at tls.ConnectionState, err error) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }() // nothing is lost
	done := make(chan error, 1)
	there := tls.Client(b, client)
	go func() {
		err := there.Handshake()
		if err == nil {
			_, err = there.Read(make([]byte, 1)) // of TLS 1.3: tickets, or what is wrong with the certificate
		}
		done <- err
	}()
	here := tls.Server(a, config)
	err = here.Handshake()
	if err == nil {
		_, err = here.Write([]byte("x"))
	}
	_ = a.Close() // ends a read of who waits for more
	if clientErr := <-done; err == nil {
		err = clientErr
	}
	return here.ConnectionState(), there.ConnectionState(), err
}

func loadTLSTest(t *testing.T, files TLSFiles) *tls.Config {
	t.Helper()
	config, err := LoadTLS(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestCertificateByName(t *testing.T) {
	ca := newIssuer(t, "ca")
	config := loadTLSTest(t, TLSFiles{MinVersion: tls.VersionTLS12,
		Certificates: []CertificateFiles{ca.server("a.example"), ca.server("b.example"), ca.server("c.example")}})
	for name, want := range map[string]string{"a.example": "a.example", "c.example": "c.example", "d.example": "a.example", "": "a.example"} {
		_, got, err := handshake(config, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil || got.PeerCertificates[0].Subject.CommonName != want {
			t.Errorf("%q: %v, %v", name, got.PeerCertificates, err)
		}
	}
}

func TestTLSPolicy(t *testing.T) {
	ca := newIssuer(t, "ca")
	files := []CertificateFiles{ca.server("a.example")}
	only := uint16(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
	for _, test := range []struct {
		files  TLSFiles
		client *tls.Config
		ok     bool
	}{
		{TLSFiles{MinVersion: tls.VersionTLS12}, &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{TLSFiles{MinVersion: tls.VersionTLS13}, &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{TLSFiles{MinVersion: tls.VersionTLS12}, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, false},
		{TLSFiles{MinVersion: tls.VersionTLS12, Ciphers: []uint16{only}}, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{only}}, true},
		{TLSFiles{MinVersion: tls.VersionTLS12, Ciphers: []uint16{only}},
			&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, false},
	} {
		test.files.Certificates, test.client.InsecureSkipVerify = files, true
		if _, _, err := handshake(loadTLSTest(t, test.files), test.client); (err == nil) != test.ok {
			t.Errorf("%+v: %v", test.files, err)
		}
	}
}

// Clients' certificates are checked, and the authorities may change. Sessions that are resumed
// are tested on a real node, in integration.
func TestCertificatesOfClients(t *testing.T) {
	ours, others := newIssuer(t, "ours"), newIssuer(t, "others")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for need, files := range map[bool]TLSFiles{false: {}, true: {NeedClient: true}} {
			files.Certificates, files.MinVersion, files.ClientCA = []CertificateFiles{ours.server("a.example")}, tls.VersionTLS12, ours.file()
			config := loadTLSTest(t, files)
			try := func(what string, certificate *tls.Certificate, want string, ok bool) {
				t.Helper()
				client := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
				if certificate != nil {
					client.Certificates = []tls.Certificate{*certificate}
					client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
				}
				state, _, err := handshake(config, client)
				if (err == nil) != ok || ok && clientName(config, state) != want {
					t.Errorf("TLS %x, needed %v: %s: %q, %v", version, need, what, clientName(config, state), err)
				}
			}
			good, foreign := ours.client("scanner", nil), others.client("scanner", nil)
			old := ours.client("scanner", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			server := ours.client("scanner", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
			try("none", nil, "", !need)
			try("good", &good, "scanner", true)
			try("foreign", &foreign, "", false)
			try("expired", &old, "", false)
			try("of a server", &server, "", false)
		}
	}
	var none tls.Config
	if clientName(&none, tls.ConnectionState{PeerCertificates: []*x509.Certificate{ours.cert}}) != "" {
		t.Error("a certificate that nobody has verified is trusted")
	}
}

// Files that change count from then on; files that cannot be read change nothing.
func TestAuthoritiesAreReloaded(t *testing.T) {
	ours, others := newIssuer(t, "ours"), newIssuer(t, "others")
	file := ours.file()
	a := &authorities{file: file}
	a.follow = &follower{names: []string{file}, load: a.load, what: "test", log: slog.New(slog.DiscardHandler)}
	if err := a.follow.begin(); err != nil {
		t.Fatal(err)
	}
	trusts := func(i *issuer) bool {
		a.follow.mu.Lock()
		a.follow.looked = time.Time{}
		a.follow.mu.Unlock()
		leaf, err := x509.ParseCertificate(i.client("x", nil).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return a.verify(tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}) == nil
	}
	if !trusts(ours) || trusts(others) {
		t.Error("others are trusted than ours")
	}
	ours.write(file, "NOTHING", nil)
	if !trusts(ours) {
		t.Error("a file without certificates was taken over")
	}
	ours.write(file, "CERTIFICATE", others.cert.Raw)
	if trusts(ours) || !trusts(others) {
		t.Error("the new file does not count")
	}
}

func TestTLSFilesThatCannotBeRead(t *testing.T) {
	ca := newIssuer(t, "ca")
	good := ca.server("a.example")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	ca.write(empty, "NOTHING", nil)
	for want, files := range map[string]TLSFiles{
		"there is none":        {},
		"no such file":         {Certificates: []CertificateFiles{{Cert: "/nowhere", Key: "/nowhere"}}},
		"load certificate":     {Certificates: []CertificateFiles{good, {Cert: empty, Key: empty}}},
		"load authorities":     {Certificates: []CertificateFiles{good}, ClientCA: "/nowhere"},
		"holds no certificate": {Certificates: []CertificateFiles{good}, ClientCA: empty},
	} {
		if _, err := LoadTLS(files, slog.New(slog.DiscardHandler)); err == nil ||
			!strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
