package lvs

import (
	"net/netip"
	"regexp"
	"slices"
	"time"
)

var (
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	linkName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,15}$`)
)

const (
	lastPort  = 65535
	minRange  = 10 // ports of a node, below which clients soon wait for each other
	minAdvert = 10 * time.Millisecond
	maxAdvert = 40 * time.Second // VRRPv3 counts in 12 bits of centiseconds
)

// cluster looks for everything that would make the files wrong.
func (ck *checker) cluster(c *Cluster) {
	ck.settings(c)
	ck.hosts(c)
	ck.addresses(c)
	ck.ports(c)
}

func (ck *checker) settings(c *Cluster) {
	ck.require(slices.Contains([]Variant{Ranges, Persistence}, c.Variant),
		"variant: %q is unknown; write %s or %s", c.Variant, Ranges, Persistence)
	ck.require(slices.Contains([]Scheduler{MaglevHash, RoundRobin}, c.Scheduler),
		"scheduler: %q is unknown; write %s or %s", c.Scheduler, MaglevHash, RoundRobin)
	ck.require(c.VRRP.RouterID >= 1 && c.VRRP.RouterID <= 255,
		"vrrp: router_id: %d is out of range; write 1 to 255, and another one than other VRRP groups in this network", c.VRRP.RouterID)
	ck.require(c.VRRP.Advert >= minAdvert && c.VRRP.Advert <= maxAdvert && c.VRRP.Advert%minAdvert == 0,
		"vrrp: advert: %s is impossible; write %s to %s in steps of %s", c.VRRP.Advert, minAdvert, maxAdvert, minAdvert)
	ck.require(linkName.MatchString(c.SyncInterface), "sync_interface: %q is no name of an interface", c.SyncInterface)
	ck.require(len(c.VIP.all()) > 0, "vip: is missing; write the address that clients connect to: vip: {ipv4: 192.0.2.10}")
}

// hosts looks at their number, names and interfaces.
func (ck *checker) hosts(c *Cluster) {
	ck.require(len(c.Directors) >= 2, "directors: there are %d; write two, so that one may fail", len(c.Directors))
	ck.require(len(c.Directors) <= 8, "directors: there are %d; eight at most", len(c.Directors))
	ck.require(len(c.Nodes) > 0, "nodes: there are none; write a line for each: {id: 1, name: n1, ipv4: 192.0.2.21}")
	ck.require(len(c.Nodes) <= MaxNodes, "nodes: there are %d; a cluster has %d at most: begin a second one with another VIP", len(c.Nodes), MaxNodes)
	names := make(map[string]bool)
	for _, h := range c.hosts() {
		if h.Name == "" {
			continue // told already
		}
		ck.require(hostName.MatchString(h.Name), "%s: is no host name; write small letters, digits and hyphens", h.Name)
		ck.require(linkName.MatchString(h.Interface), "%s: interface: %q is no name of an interface", h.Name, h.Interface)
		ck.require(slices.Contains([]Firewall{NFTables, IPTables}, h.Firewall),
			"%s: firewall: %q is unknown; write %s or %s", h.Name, h.Firewall, NFTables, IPTables)
		ck.require(!names[h.Name], "%s: this name is there twice; give each machine its own", h.Name)
		names[h.Name] = true
	}
}

// hosts lists the machines, directors first.
func (c *Cluster) hosts() []Host {
	var hosts []Host
	for _, d := range c.Directors {
		hosts = append(hosts, d.Host)
	}
	for _, n := range c.Nodes {
		hosts = append(hosts, n.Host)
	}
	return hosts
}

// addresses looks for families that are missing or useless, and for addresses of two machines.
func (ck *checker) addresses(c *Cluster) {
	owner := make(map[netip.Addr]string)
	for _, ip := range c.VIP.all() {
		owner[ip] = "vip"
	}
	for _, h := range c.hosts() {
		ck.family(c, h, "ipv4", c.VIP.IPv4.IsValid(), h.IPv4.IsValid())
		ck.family(c, h, "ipv6", c.VIP.IPv6.IsValid(), h.IPv6.IsValid())
		for _, ip := range h.all() {
			ck.require(owner[ip] == "", "%s: %s is the address of %s, too; give each machine its own", h.Name, ip, owner[ip])
			owner[ip] = h.Name
		}
	}
}

// family: direct routing hands packets on as they are, so a node needs an address of each
// family that the VIP has. Others would never be used.
func (ck *checker) family(c *Cluster, h Host, key string, vip, has bool) {
	if len(c.VIP.all()) == 0 {
		return // told already
	}
	ck.require(!vip || has, "%s: has no %s address, but the VIP has one; write %s", h.Name, key, key)
	ck.require(vip || !has, "%s: has an %s address, but the VIP has none; remove it, or give the VIP one", h.Name, key)
}

func (ck *checker) ports(c *Cluster) {
	for _, port := range append([]int{c.AdminPort}, c.ControlPorts...) {
		ck.require(port >= 1 && port <= lastPort, "port %d is impossible; write 1 to %d", port, lastPort)
	}
	ck.require(!slices.Contains(c.ControlPorts, c.AdminPort), "admin_port: %d is a control port, too; write another", c.AdminPort)
	ck.require(c.Passive.Size >= minRange, "passive: size: %d ports for a node are too few; write %d or more", c.Passive.Size, minRange)
	ids := make(map[int]string)
	for i, n := range c.Nodes {
		if n.ID < 1 || n.ID > MaxNodes {
			ck.add("node %s: id: %d is out of range; give each node a number from 1 to %d that it keeps for ever", n.Name, n.ID, MaxNodes)
			continue
		}
		ck.require(ids[n.ID] == "", "node %s: id: %d is that of %s, too; give each node its own", n.Name, n.ID, ids[n.ID])
		ids[n.ID] = n.Name
		ck.portRange(c, n)
		ck.overlap(n, c.Nodes[:i])
	}
}

func (ck *checker) portRange(c *Cluster, n Node) {
	if n.Ports == (PortRange{}) {
		return // told already
	}
	ck.require(n.Ports.First > 1023 && n.Ports.Last <= lastPort,
		"node %s: its ports would be %s; they must lie in 1024-%d: make passive.base or passive.size smaller (%d nodes of %d ports need a base of %d or less)",
		n.Name, n.Ports, lastPort, n.ID, c.Passive.Size, lastPort+1-n.ID*c.Passive.Size)
	for _, port := range append([]int{c.AdminPort}, c.ControlPorts...) {
		ck.require(!n.Ports.contains(port), "node %s: its ports %s contain %d, which is a control port or admin_port; move passive.base", n.Name, n.Ports, port)
	}
}

// overlap: a port of two nodes would reach only one of them.
func (ck *checker) overlap(n Node, others []Node) {
	for _, o := range others {
		if o.ID != n.ID && o.Ports != (PortRange{}) && n.Ports.overlaps(o.Ports) {
			ck.add("node %s: its ports %s overlap those of %s (%s); give each node its own", n.Name, n.Ports, o.Name, o.Ports)
			return
		}
	}
}
