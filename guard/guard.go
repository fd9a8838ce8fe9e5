// Package guard keeps out those who guess passwords and those who flood the server.
//
// Bans counts failed logins of addresses and accounts, over all nodes that share a Journal,
// and says who must not log in for a while. Gate bounds what connections may take before
// anybody has logged in. Neither knows anything of FTP or SQL.
package guard

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// bitsOfNetwork6 is how much of an IPv6 address is the network of one customer: who has
// one address of it has them all (RFC 6177).
const bitsOfNetwork6 = 64

// Network is whom an address stands for: itself, or with IPv6 its /64.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	network, err := addr.Prefix(bitsOfNetwork6)
	if err != nil {
		return netip.Prefix{} // the zero Addr
	}
	return network
}

// Kind is what a ban or a count of failures is about.
type Kind string

// The kinds.
const (
	Address Kind = "address" // a network, as ParseNetwork reads it
	Account Kind = "account" // a name
)

// Subject is an address or an account.
type Subject struct {
	Kind Kind
	Name string
}

// ofNetwork is the subject of a network.
func ofNetwork(network netip.Prefix) Subject { return Subject{Address, FormatNetwork(network)} }

func ofAccount(name string) Subject { return Subject{Account, name} }

// FormatNetwork writes a network, and one of a single address without its length.
func FormatNetwork(network netip.Prefix) string {
	if network.IsSingleIP() {
		return network.Addr().String()
	}
	return network.String()
}

// ParseNetwork reads "203.0.113.7", "203.0.113.0/24" or "2001:db8::/32".
func ParseNetwork(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is no network: write one as 203.0.113.7 or 203.0.113.0/24", text)
	}
	return network.Masked(), nil
}

// Ban is a row of the table bans.
type Ban struct {
	Subject
	Reason  string
	Since   time.Time
	Until   time.Time // zero: for ever
	Strikes int       // how often in a row the server has banned it by itself; 0: a person has
	Node    string    // that has banned it; "": a person
}

// manual tells whether a person has made the ban.
func (b Ban) manual() bool { return b.Strikes == 0 }

func (b Ban) activeAt(now time.Time) bool { return b.Until.IsZero() || now.Before(b.Until) }
