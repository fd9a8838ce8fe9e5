package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
	var networks Networks
	var problems []error
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		network, err := parseNetwork(entry)
		switch {
		case err != nil || network.Addr().Is4In6():
			problems = append(problems, fmt.Errorf("%q is no network: write one as 10.0.0.0/8, or an address", entry))
		case slices.Contains(networks, network):
			problems = append(problems, fmt.Errorf("%q is there twice: keep one", entry))
		default:
			networks = append(networks, network)
		}
	}
	return networks, errors.Join(problems...)
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
