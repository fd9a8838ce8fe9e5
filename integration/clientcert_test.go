package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// authority signs certificates of clients.
type authority struct {
	t    *testing.T
	file string // its own certificate, in PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), name+".pem")}
	raw, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.key = key
	var err error
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	a.writeTo(a.file)
	return a
}

// writeTo makes a file name this authority, and no other.
func (a *authority) writeTo(file string) {
	a.t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// sign makes a key and a certificate; the first one is the authority's own.
func (a *authority) sign(c *x509.Certificate) (raw []byte, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	if raw, err = x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer); err != nil {
		a.t.Fatal(err)
	}
	return raw, key
}

func (a *authority) client(name string) *tls.Certificate {
	raw, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// enter logs alice in over implicit TLS, as far as that goes: "" if the handshake fails, else
// the code of the reply to PASS.
func enter(addr string, config *tls.Config) (code string, resumed bool) {
	raw, err := dialFrom("127.0.0.1", addr)
	if err != nil {
		return "", false
	}
	conn := tls.Client(raw, config)
	defer func() { _ = conn.Close() }() // nothing is lost
	reply := make([]byte, 1024)
	for _, command := range []string{"", "USER alice\r\n", "PASS secret\r\n"} {
		if _, err := conn.Write([]byte(command)); err != nil {
			return "", false
		}
		n, err := conn.Read(reply)
		if err != nil || n < 3 {
			return "", false
		}
		code = string(reply[:3])
	}
	return code, conn.ConnectionState().DidResume
}

// An account with client_cn lets in who has the certificate, in resumed TLS sessions, too,
// and an authority that is not trusted any more ends that.
func TestCertificatesOfClients(t *testing.T) {
	t.Parallel()
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		t.Run(name, func(t *testing.T) {
			ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
			trusted := filepath.Join(t.TempDir(), "trusted.pem")
			ours.writeTo(trusted)
			node := start(t, spdtest.Options{TLS: true, Config: map[string]string{"tls.client_ca": trusted, "tls.client_auth": "request"}})
			with := func(c *tls.Certificate) *tls.Config {
				config := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(4), ServerName: "spd"}
				if c != nil {
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
				}
				return config
			}
			try := func(what string, config *tls.Config, want string, resumes bool) {
				t.Helper()
				if code, resumed := enter(node.ImplicitAddr(), config); code != want || resumed != resumes {
					t.Errorf("%s: %q, resumed %v; want %q, %v", what, code, resumed, want, resumes)
				}
			}
			try("no name is asked for", with(nil), "230", false)
			node.SQL("UPDATE users SET client_cn = 'scanner' WHERE username = 'alice'")
			try("no certificate", with(nil), "530", false)
			try("another name", with(ours.client("printer")), "530", false)
			try("the name, by another authority", with(others.client("scanner")), "", false)
			good := with(ours.client("scanner"))
			try("the name", good, "230", false)
			try("the name again", good, "230", true)
			node.SQL("UPDATE users SET client_cn = 'printer' WHERE username = 'alice'")
			try("resumed, and another name is needed now", good, "530", true)
			node.SQL("UPDATE users SET client_cn = 'scanner' WHERE username = 'alice'")
			others.writeTo(trusted)
			spdtest.Await(t, "the authority is not trusted any more, in resumed sessions either", func() error {
				code, _ := enter(node.ImplicitAddr(), good)
				return spdtest.Equal(code, "")
			})
		})
	}
}
