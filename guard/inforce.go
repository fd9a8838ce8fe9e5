package guard

import (
	"net/netip"
	"time"
)

// inForce are bans by what they are about.
type inForce struct {
	networks map[netip.Prefix]Ban
	lengths  [129]int // how many networks have prefixes of so many bits, IPv4 or IPv6
	accounts map[string]Ban
}

func newInForce() *inForce {
	return &inForce{networks: make(map[netip.Prefix]Ban), accounts: make(map[string]Ban)}
}

// add takes a ban whose subject has been checked: what is no network is dropped.
func (f *inForce) add(b Ban) {
	if b.Kind == Account {
		f.accounts[b.Name] = b
		return
	}
	network, err := ParseNetwork(b.Name)
	if err != nil {
		return
	}
	if _, known := f.networks[network]; !known {
		f.lengths[network.Bits()]++
	}
	f.networks[network] = b
}

// remove takes a ban off.
func (f *inForce) remove(s Subject) {
	if s.Kind == Account {
		delete(f.accounts, s.Name)
		return
	}
	network, err := ParseNetwork(s.Name)
	if _, known := f.networks[network]; err == nil && known {
		f.lengths[network.Bits()]--
		delete(f.networks, network)
	}
}

// get returns the ban of a subject.
func (f *inForce) get(s Subject) (b Ban, ok bool) {
	if s.Kind == Account {
		b, ok = f.accounts[s.Name]
		return b, ok
	}
	network, err := ParseNetwork(s.Name)
	if err != nil {
		return Ban{}, false
	}
	b, ok = f.networks[network]
	return b, ok
}

// holds tells whether there is a ban of a network that holds addr, such as match wants. It
// costs as many look-ups as there are lengths of prefixes.
func (f *inForce) holds(addr netip.Addr, now time.Time, match func(Ban) bool) bool {
	addr = addr.Unmap().WithZone("")
	for bits := range addr.BitLen() + 1 {
		if f.lengths[bits] == 0 {
			continue
		}
		network, err := addr.Prefix(bits)
		if err != nil {
			break // the zero Addr
		}
		if b, ok := f.networks[network]; ok && b.activeAt(now) && match(b) {
			return true
		}
	}
	return false
}

// all are the bans.
func (f *inForce) all(yield func(Ban) bool) {
	for _, b := range f.networks {
		if !yield(b) {
			return
		}
	}
	for _, b := range f.accounts {
		if !yield(b) {
			return
		}
	}
}

func (f *inForce) len() int { return len(f.networks) + len(f.accounts) }

// contains tells whether one of the networks holds addr.
func contains(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
