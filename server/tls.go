package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// LoadTLS returns a configuration for FTPS with the certificate of two PEM files. When
// the files change, new handshakes use the new certificate; files that cannot be read are
// logged, and the old certificate stays. minVersion is tls.VersionTLS12 or later.
func LoadTLS(certFile, keyFile string, minVersion uint16, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: minVersion, GetCertificate: c.get}, nil
}

// certCheck is how often the files are looked at.
const certCheck = time.Second

// certificate is a certificate that follows its files.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // of the files that current was loaded from
	checked time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) >= certCheck {
		c.reload()
	}
	return c.current, nil
}

// reload loads the files if they have changed. The caller holds mu.
func (c *certificate) reload() {
	c.checked = time.Now()
	stamp, err := c.filesStamp()
	if err == nil && stamp == c.stamp {
		return
	}
	if err == nil {
		err = c.loadAs(stamp)
	}
	if err != nil {
		c.log.Warn("certificate not reloaded; the old one stays", "err", err)
		return
	}
	c.log.Info("certificate reloaded", "file", c.certFile)
}

func (c *certificate) load() error {
	stamp, err := c.filesStamp()
	if err != nil {
		return err
	}
	return c.loadAs(stamp)
}

func (c *certificate) loadAs(stamp string) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load certificate: %w", err)
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

// filesStamp changes when one of the files does.
func (c *certificate) filesStamp() (string, error) {
	var stamp strings.Builder
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return "", fmt.Errorf("read certificate: %w", err)
		}
		fmt.Fprintf(&stamp, "%d %d;", info.ModTime().UnixNano(), info.Size())
	}
	return stamp.String(), nil
}
