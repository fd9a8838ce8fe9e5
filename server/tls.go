package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// TLSFiles say how LoadTLS makes a configuration for FTPS.
type TLSFiles struct {
	Certificates []CertificateFiles // the first is for clients that name no host, or an unknown one
	MinVersion   uint16             // tls.VersionTLS12 or later
	Ciphers      []uint16           // of TLS 1.2; none: all good ones
	ClientCA     string             // PEM file of the authorities of clients' certificates; "": none are asked for
	NeedClient   bool               // with ClientCA: clients without a certificate are refused
}

// CertificateFiles are PEM files.
type CertificateFiles struct{ Cert, Key string }

// LoadTLS returns a configuration for FTPS. When the files change, new handshakes use what
// they hold; files that cannot be read are logged, and what they held before stays.
func LoadTLS(files TLSFiles, log *slog.Logger) (*tls.Config, error) {
	var all certificates
	for _, pair := range files.Certificates {
		c := &certificate{files: pair}
		c.follow = &follower{names: []string{pair.Cert, pair.Key}, load: c.load, what: "certificate", log: log}
		if err := c.follow.begin(); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("load certificate: there is none")
	}
	config := &tls.Config{MinVersion: files.MinVersion, CipherSuites: files.Ciphers, GetCertificate: all.get}
	if files.ClientCA == "" {
		return config, nil
	}
	return config, askClients(config, files, log)
}

// askClients lets config ask for certificates of clients. They are checked by authorities
// that follows their file, and not by those that crypto/tls would take, which cannot change.
func askClients(config *tls.Config, files TLSFiles, log *slog.Logger) error {
	a := &authorities{file: files.ClientCA}
	a.follow = &follower{names: []string{a.file}, load: a.load, what: "authorities of clients", log: log}
	if err := a.follow.begin(); err != nil {
		return err
	}
	config.ClientCAs = a.pool // what clients are told to choose from
	config.ClientAuth = tls.RequestClientCert
	if files.NeedClient {
		config.ClientAuth = tls.RequireAnyClientCert
	}
	config.VerifyConnection = a.verify
	return nil
}

// authorities are those that may have signed the certificates of clients.
type authorities struct {
	file   string
	follow *follower
	pool   *x509.CertPool // guarded by follow.mu
}

var errNoAuthority = errors.New("holds no certificate in PEM")

func (a *authorities) load() error {
	pem, err := os.ReadFile(a.file)
	if err != nil {
		return fmt.Errorf("load authorities of clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("load authorities of clients: %s: %w", a.file, errNoAuthority)
	}
	a.pool = pool
	return nil
}

// verify checks the certificate that a client has shown, if any, in resumed sessions, too.
func (a *authorities) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil // ClientAuth has seen to that
	}
	var pool *x509.CertPool
	a.follow.look(func() { pool = a.pool })
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("certificate of the client: %w", err)
	}
	return nil
}

// clientName is the common name of a client's certificate; "" if there is none, or nobody
// has verified it.
func clientName(config *tls.Config, state tls.ConnectionState) string {
	verified := len(state.VerifiedChains) > 0 || config.VerifyConnection != nil
	if !verified || len(state.PeerCertificates) == 0 {
		return ""
	}
	return state.PeerCertificates[0].Subject.CommonName
}

// certificates are those to choose from.
type certificates []*certificate

// get returns the first certificate for the host that the client names, or the first.
func (all certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, c := range all[1:] {
		if current := c.get(); hello.ServerName != "" && current.Leaf.VerifyHostname(hello.ServerName) == nil &&
			all[0].get().Leaf.VerifyHostname(hello.ServerName) != nil {
			return current, nil
		}
	}
	return all[0].get(), nil
}

// certificate is a certificate that follows its files.
type certificate struct {
	files   CertificateFiles
	follow  *follower
	current *tls.Certificate // guarded by follow.mu
}

func (c *certificate) get() (current *tls.Certificate) {
	c.follow.look(func() { current = c.current })
	return current
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("load certificate: %w", err)
	}
	c.current = &pair
	return nil
}

// followEvery is how often files are looked at.
const followEvery = time.Second

// follower loads files again when they change.
type follower struct {
	names []string
	load  func() error // what it sets is guarded by mu
	what  string       // for the log
	log   *slog.Logger

	mu     sync.Mutex
	stamp  string // of the files that were loaded last
	looked time.Time
}

// begin loads the files for the first time.
func (f *follower) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = time.Now()
	stamp, err := f.filesStamp()
	if err == nil {
		err = f.load()
	}
	f.stamp = stamp
	return err
}

// look calls take when what was loaded is up to date.
func (f *follower) look(take func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) >= followEvery {
		f.reload()
	}
	take()
}

// reload loads the files if they have changed. The caller holds mu.
func (f *follower) reload() {
	f.looked = time.Now()
	stamp, err := f.filesStamp()
	if err == nil && stamp == f.stamp {
		return
	}
	if err == nil {
		err = f.load()
	}
	if err != nil {
		f.log.Warn("certificate not reloaded; the old one stays", "what", f.what, "err", err)
		return
	}
	f.stamp = stamp
	f.log.Info("certificate reloaded", "what", f.what, "file", f.names[0])
}

// filesStamp changes when one of the files does.
func (f *follower) filesStamp() (string, error) {
	var stamp strings.Builder
	for _, name := range f.names {
		info, err := os.Stat(name)
		if err != nil {
			return "", fmt.Errorf("load %s: %w", f.what, err)
		}
		fmt.Fprintf(&stamp, "%d %d;", info.ModTime().UnixNano(), info.Size())
	}
	return stamp.String(), nil
}
