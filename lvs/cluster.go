// Package lvs writes the files that put SPD behind LVS and Keepalived, from one description
// of the cluster.
//
// Load reads the description (cluster.yaml), Files turns it into what each machine needs, and
// Check compares a live machine with that. docs/cluster.md explains the design.
package lvs

import (
	"fmt"
	"net/netip"
	"time"
)

// Cluster is a valid description: Load has checked it.
type Cluster struct {
	VIP           Addresses // what clients connect to
	Interface     string    // of hosts that name none: the one that clients and nodes are on
	SyncInterface string    // of directors: connections are told to each other on it
	Variant       Variant
	Scheduler     Scheduler // of new sessions, in the variant Ranges
	Passive       Passive
	ControlPorts  []int // 21, and 990 for implicit FTPS
	AdminPort     int   // where nodes answer /readyz
	VRRP          VRRP
	Directors     []Director
	Nodes         []Node
}

// Addresses of one machine or service. At least one is valid.
type Addresses struct {
	IPv4, IPv6 netip.Addr
}

// all is those that there are.
func (a Addresses) all() []netip.Addr {
	var all []netip.Addr
	for _, ip := range []netip.Addr{a.IPv4, a.IPv6} {
		if ip.IsValid() {
			all = append(all, ip)
		}
	}
	return all
}

// Main is the IPv4 address, or the IPv6 one if there is no other.
func (a Addresses) Main() netip.Addr { return a.all()[0] }

// Variant is how data connections find the node of their control connection.
type Variant string

// Variants.
const (
	Ranges      Variant = "ranges"      // each node has passive ports of its own
	Persistence Variant = "persistence" // all connections of a client go to one node
)

// Scheduler is how directors choose a node for a new session.
type Scheduler string

// Schedulers.
const (
	MaglevHash Scheduler = "mh" // by a hash of the client's address and port: each director finds the same node
	RoundRobin Scheduler = "rr" // in turn: even with few sessions
)

// Firewall is what marks packets on directors, and translates addresses on nodes.
type Firewall string

// Firewalls.
const (
	NFTables Firewall = "nftables"
	IPTables Firewall = "iptables-legacy"
)

// Passive says which ports data connections use.
type Passive struct {
	Base int // the first port of the node with id 1
	Size int // ports of a node
}

// VRRP says how directors agree on who has the VIP.
type VRRP struct {
	RouterID int           // 1 to 255, unique in the network
	Advert   time.Duration // between two signs of life; three missed ones move the VIP
}

// Host is a machine of the cluster.
type Host struct {
	Name      string
	Interface string // the one that clients and the others are on
	Firewall  Firewall
	Addresses
}

// Director is a machine that has the VIP, or is ready to take it.
type Director struct {
	Host
	Priority int // the higher one gets the VIP when both start at once
}

// Node is a machine that runs spdserver.
type Node struct {
	Host
	ID    int // 1 to MaxNodes; stays with the node, as its ports and its marks follow from it
	Ports PortRange
}

// MaxNodes is how many nodes a cluster may have.
const MaxNodes = 250

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last int }

// String returns "first-last", as in spd.yaml and in nftables.
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

func (r PortRange) contains(port int) bool { return r.First <= port && port <= r.Last }

func (r PortRange) overlaps(other PortRange) bool {
	return r.First <= other.Last && other.First <= r.Last
}

// ports is the range of the node with this id.
func (p Passive) ports(id int) PortRange {
	first := p.Base + (id-1)*p.Size
	return PortRange{First: first, Last: first + p.Size - 1}
}

// hull is the smallest range that holds the ports of all nodes.
func (c *Cluster) hull() PortRange {
	hull := c.Nodes[0].Ports
	for _, n := range c.Nodes[1:] {
		hull.First, hull.Last = min(hull.First, n.Ports.First), max(hull.Last, n.Ports.Last)
	}
	return hull
}

// families lists the address families that clients may use.
func (c *Cluster) families() []family {
	var families []family
	if c.VIP.IPv4.IsValid() {
		families = append(families, family{Name: "ip", vip: c.VIP.IPv4, of: func(a Addresses) netip.Addr { return a.IPv4 }, mark: markIPv4})
	}
	if c.VIP.IPv6.IsValid() {
		families = append(families, family{Name: "ip6", vip: c.VIP.IPv6, of: func(a Addresses) netip.Addr { return a.IPv6 }, mark: markIPv6})
	}
	return families
}

// Firewall marks. A family's first one is for the control ports; the mark of a node's own
// ports is that plus the node's id.
const (
	markIPv4 = 1000
	markIPv6 = 2000
)

// family is one of IPv4 and IPv6, for which rules and services are written apart.
type family struct {
	Name string // as nftables calls it
	vip  netip.Addr
	of   func(Addresses) netip.Addr
	mark int
}
