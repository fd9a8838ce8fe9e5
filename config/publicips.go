package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// PublicIPs says which IPv4 address a client reaches us by: the one of the smallest network
// that the client is in. It is sorted that way.
type PublicIPs []PublicIP

// PublicIP is the address for the clients of a network. The zero Network holds all.
type PublicIP struct {
	Network netip.Prefix
	Address netip.Addr
}

var (
	_ encoding.TextMarshaler   = PublicIPs{}
	_ encoding.TextUnmarshaler = (*PublicIPs)(nil)
)

// ParsePublicIPs reads "203.0.113.7" or a list, "10.0.0.0/8 -> 10.1.2.3, 203.0.113.7". The
// error holds one for each entry that is wrong.
func ParsePublicIPs(s string) (PublicIPs, error) {
	var ips PublicIPs
	var problems []error
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	for entry := range strings.SplitSeq(s, ",") {
		ip, err := parsePublicIP(strings.TrimSpace(entry))
		if err == nil && slices.ContainsFunc(ips, func(o PublicIP) bool { return o.Network == ip.Network }) {
			err = fmt.Errorf("has two addresses for %s: keep one", ip.network())
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		ips = append(ips, ip)
	}
	slices.SortStableFunc(ips, func(a, b PublicIP) int { return cmp.Compare(b.Network.Bits(), a.Network.Bits()) })
	return ips, errors.Join(problems...)
}

// parsePublicIP reads "address" or "network -> address".
func parsePublicIP(entry string) (PublicIP, error) {
	var ip PublicIP
	network, address, ok := strings.Cut(entry, "->")
	if !ok {
		network, address = "", entry
	}
	network, address = strings.TrimSpace(network), strings.TrimSpace(address)
	if ok {
		var err error
		if ip.Network, err = parseNetwork(network); err != nil {
			return PublicIP{}, fmt.Errorf("%q is no network: write one as in 10.0.0.0/8 -> 10.1.2.3", network)
		}
	}
	var err error
	if ip.Address, err = netip.ParseAddr(address); err != nil || !ip.Address.Is4() || ip.Address.IsUnspecified() {
		return PublicIP{}, fmt.Errorf("%q is no IPv4 address: write the one that clients reach, as in 203.0.113.7, or leave it empty", address)
	}
	return ip, nil
}

// parseNetwork reads "10.0.0.0/8", or one client's address.
func parseNetwork(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, errors.Join(err, errors.New("zones name no network"))
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	return network.Masked(), err
}

// For returns the address that a client is to be told; false if none is set for it.
func (p PublicIPs) For(client netip.Addr) (netip.Addr, bool) {
	for _, ip := range p {
		if !ip.Network.IsValid() || ip.Network.Contains(client) {
			return ip.Address, true
		}
	}
	return netip.Addr{}, false
}

func (p PublicIP) network() string {
	if !p.Network.IsValid() {
		return "all clients"
	}
	return p.Network.String()
}

// String writes p so that ParsePublicIPs reads it again.
func (p PublicIPs) String() string {
	entries := make([]string, len(p))
	for i, ip := range p {
		entries[i] = ip.Address.String()
		if ip.Network.IsValid() {
			entries[i] = ip.Network.String() + " -> " + entries[i]
		}
	}
	return strings.Join(entries, ", ")
}

// MarshalText returns String.
func (p PublicIPs) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePublicIPs.
func (p *PublicIPs) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePublicIPs(string(text))
	return err
}
