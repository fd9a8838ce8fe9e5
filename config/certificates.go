package config

import (
	"encoding"
	"errors"
	"fmt"
	"slices"
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
	var all Certificates
	var problems []error
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	for entry := range strings.SplitSeq(s, ",") {
		cert, key, ok := strings.Cut(entry, " + ")
		c := Certificate{strings.TrimSpace(cert), strings.TrimSpace(key)}
		switch {
		case !ok || c.Cert == "" || c.Key == "":
			problems = append(problems, fmt.Errorf("%q is no pair: write cert.pem + key.pem", strings.TrimSpace(entry)))
		case slices.Contains(all, c):
			problems = append(problems, fmt.Errorf("%q is there twice: keep one", strings.TrimSpace(entry)))
		default:
			all = append(all, c)
		}
	}
	return all, errors.Join(problems...)
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
