package config

import (
	"encoding"
	"fmt"
	"strings"
)

// Certificates are PEM files of certificates for other names than the first one's.
type Certificates []Certificate

// Certificate is a pair of PEM files.
type Certificate struct{ Cert, Key string }

var (
	_ encoding.TextMarshaler   = Certificates{}
	_ encoding.TextUnmarshaler = (*Certificates)(nil)
)

// ParseCertificates reads "/etc/spd/a.pem + /etc/spd/a.key, /etc/spd/b.pem + /etc/spd/b.key".
func ParseCertificates(s string) (Certificates, error) {
	return parseList(s, func(entry string) (Certificate, error) {
		cert, key, ok := strings.Cut(entry, " + ")
		c := Certificate{strings.TrimSpace(cert), strings.TrimSpace(key)}
		if !ok || c.Cert == "" || c.Key == "" {
			return c, fmt.Errorf("%q is no pair: write cert.pem + key.pem", entry)
		}
		return c, nil
	})
}

// String writes the pairs so that ParseCertificates reads them again.
func (c Certificates) String() string {
	texts := make([]string, len(c))
	for i, pair := range c {
		texts[i] = pair.Cert + " + " + pair.Key
	}
	return strings.Join(texts, ", ")
}

// MarshalText returns String.
func (c Certificates) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is ParseCertificates.
func (c *Certificates) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCertificates(string(text))
	return err
}
