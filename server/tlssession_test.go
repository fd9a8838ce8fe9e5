package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/server"
)

func TestTLS(t *testing.T) {
	cert := certificate(t)
	r := newRig(t, func(o *server.Options) {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		o.TLSRequired = true
	})
	clientTLS := &tls.Config{InsecureSkipVerify: true}

	c := r.connect()
	c.do("530", "USER alice")
	c.do("504", "AUTH KERBEROS")
	c.do("234", "AUTH TLS")
	c = newClient(t, tls.Client(c.conn, clientTLS))
	c.do("503", "AUTH TLS")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
	c.do("522", "LIST")
	c.do("200", "PBSZ 0")
	c.do("536", "PROT S")
	c.do("534", "PROT C")
	c.do("200", "PROT P")
	c.tls = clientTLS
	c.put("226", "STOR f", []byte("hello"))
	if got := c.get("RETR f"); got != "hello" {
		t.Errorf("got %q", got)
	}
	c.do("221", "QUIT")

	implicit := r.listen(r.server.ServeTLS)
	conn, err := tls.Dial("tcp", implicit, clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	c = newClient(t, conn)
	c.expect("220")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
	c.tls = clientTLS // without PROT P
	if got := c.get("RETR f"); got != "hello" {
		t.Errorf("implicit TLS: got %q", got)
	}
	c.do("220", "REIN")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
	if got := c.get("RETR f"); got != "hello" {
		t.Errorf("after REIN: got %q", got)
	}
	c.do("221", "QUIT")
	c.closed()
}

// What a client sends in clear behind AUTH TLS must not be executed under TLS.
func TestNothingIsInjectedBeforeTLS(t *testing.T) {
	cert := certificate(t)
	r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	c := r.connect()
	c.send("AUTH TLS\r\nUSER alice\r\nPASS alice")
	c.expect("234")
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	newClient(t, conn).do("530", "PWD")
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
