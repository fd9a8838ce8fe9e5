package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"strings"
)

// Networks is a list of networks; one of a single address is written as the address.
type Networks []netip.Prefix

var (
	_ encoding.TextMarshaler   = Networks{}
	_ encoding.TextUnmarshaler = (*Networks)(nil)
)

// ParseNetworks reads "10.0.0.0/8, 2001:db8::1". The error holds one for each entry that is
// wrong.
func ParseNetworks(s string) (Networks, error) {
	return parseList(s, func(entry string) (netip.Prefix, error) {
		network, err := parseNetwork(entry)
		if err != nil || network.Addr().Is4In6() {
			err = fmt.Errorf("%q is no network: write one as 10.0.0.0/8, or an address", entry)
		}
		return network, err
	})
}

// String writes the networks so that ParseNetworks reads them again.
func (n Networks) String() string {
	texts := make([]string, len(n))
	for i, network := range n {
		texts[i] = network.String()
		if network.IsSingleIP() {
			texts[i] = network.Addr().String()
		}
	}
	return strings.Join(texts, ", ")
}

// MarshalText returns String.
func (n Networks) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText is ParseNetworks.
func (n *Networks) UnmarshalText(text []byte) (err error) {
	*n, err = ParseNetworks(string(text))
	return err
}
