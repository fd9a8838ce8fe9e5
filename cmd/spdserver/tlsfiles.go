package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/server"
)

// loadTLS returns the configuration for FTPS, or nil if there is no certificate.
func loadTLS(cfg config.TLS, log *slog.Logger) (*tls.Config, error) {
	if cfg.Cert == "" {
		return nil, nil
	}
	files := server.TLSFiles{
		Certificates: []server.CertificateFiles{{Cert: cfg.Cert, Key: cfg.Key}},
		MinVersion:   tls.VersionTLS12,
		Ciphers:      cfg.Ciphers,
		NeedClient:   cfg.ClientAuth == "require",
	}
	if cfg.MinVersion == "1.3" {
		files.MinVersion = tls.VersionTLS13
	}
	if cfg.ClientAuth != "off" {
		files.ClientCA = cfg.ClientCA
	}
	for _, c := range cfg.MoreCerts {
		files.Certificates = append(files.Certificates, server.CertificateFiles(c))
	}
	tlsConfig, err := server.LoadTLS(files, log)
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key, tls.more_certs, tls.client_ca: %w", err)
	}
	return tlsConfig, nil
}

// selfSignedFor is how long the certificate of a demo holds.
const selfSignedFor = 10 * 365 * 24 * time.Hour

// ensureSelfSigned makes a certificate for trying FTPS, unless there is one.
func ensureSelfSigned(certFile, keyFile string) error {
	_, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "SPD demo"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(selfSignedFor),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyFile, "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", der, 0o644)
}

func writePEM(name, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
