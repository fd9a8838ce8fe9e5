package config

import (
	"crypto/tls"
	"encoding"
	"fmt"
	"slices"
	"strings"
)

// Ciphers are cipher suites of TLS 1.2, by their IANA names. (Those of TLS 1.3 are all good,
// and there is nothing to choose.)
type Ciphers []uint16

var (
	_ encoding.TextMarshaler   = Ciphers{}
	_ encoding.TextUnmarshaler = (*Ciphers)(nil)
)

// ParseCiphers reads "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ...". Insecure suites are not
// known here.
func ParseCiphers(s string) (Ciphers, error) { return parseList(s, parseCipher) }

func parseCipher(name string) (uint16, error) {
	for _, suite := range tls.CipherSuites() {
		if suite.Name == name && slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			return suite.ID, nil
		}
	}
	return 0, fmt.Errorf("%q is no cipher suite of TLS 1.2, or an insecure one: write names as "+
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, or nothing for all good ones", name)
}

// String writes the suites so that ParseCiphers reads them again.
func (c Ciphers) String() string {
	names := make([]string, len(c))
	for i, id := range c {
		names[i] = tls.CipherSuiteName(id)
	}
	return strings.Join(names, ", ")
}

// MarshalText returns String.
func (c Ciphers) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is ParseCiphers.
func (c *Ciphers) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCiphers(string(text))
	return err
}
