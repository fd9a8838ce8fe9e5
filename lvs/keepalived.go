package lvs

import (
	"fmt"
	"net/netip"
	"strconv"
)

// handOver is the file that keepalived watches: 1 gives the VIP away.
const handOver = "/run/spd-lvs/hand-over"

// persistence is how many seconds a client's connections go to one node after its last
// one, in the variant of that name.
const persistence = 300

// service is an IPVS service: packets with a mark, and the nodes that get them.
type service struct {
	Comment     string
	Mark        int
	Scheduler   Scheduler
	Persistence int  // seconds; 0: none
	Checked     bool // whether nodes that are not ready get nothing new
	Servers     []realServer
	family      string // "ip" or "ip6"
}

// realServer is a node, as a service sees it.
type realServer struct {
	Address netip.Addr
	Weight  int
	Check   netip.Addr // where /readyz is asked; invalid: nowhere
}

// Weights of nodes. Only the first ever changes, to 0 and back.
const (
	controlWeight = 100
	dataWeight    = 1
)

// services lists what both directors offer.
func (c *Cluster) services() []service {
	var services []service
	for _, f := range c.families() {
		services = append(services, c.controlService(f))
		if c.Variant == Persistence {
			continue // that was for data connections, too
		}
		for _, n := range c.Nodes {
			services = append(services, dataService(f, n))
		}
	}
	return services
}

// controlService spreads new sessions over the nodes that are ready.
func (c *Cluster) controlService(f family) service {
	s := service{
		Comment: "New sessions, to the nodes that are ready.",
		Mark:    f.mark, Scheduler: c.Scheduler, Checked: true, family: f.Name,
	}
	if c.Variant == Persistence {
		s.Comment, s.Scheduler, s.Persistence = "All connections, each client's to one node.", RoundRobin, persistence
	}
	for _, n := range c.Nodes {
		s.Servers = append(s.Servers, realServer{Address: f.of(n.Addresses), Weight: controlWeight, Check: n.Main()})
	}
	return s
}

// dataService takes a node's own ports to it. It is neither checked nor drained: whoever
// connects has a session there.
func dataService(f family, n Node) service {
	return service{
		Comment: fmt.Sprintf("Data connections of %s. Never drained: who connects has a session there.", n.Name),
		Mark:    f.mark + n.ID, Scheduler: RoundRobin, family: f.Name,
		Servers: []realServer{{Address: f.of(n.Addresses), Weight: dataWeight}},
	}
}

// keepalivedConf is a director's keepalived.conf.
func (c *Cluster) keepalivedConf(d Director) []byte {
	vips := make([]string, 0, 2)
	for _, ip := range c.VIP.all() {
		vips = append(vips, fmt.Sprintf("%s dev %s", netip.PrefixFrom(ip, ip.BitLen()), d.Interface))
	}
	return execute("keepalived.conf", struct {
		*Cluster
		Notice, HandOver, Advert string
		Director                 Director
		MainVIP, OtherVIP        string // VRRP speaks the first one's family
		Services                 []service
	}{
		Cluster: c, Notice: notice, HandOver: handOver, Director: d,
		Advert:  strconv.FormatFloat(c.VRRP.Advert.Seconds(), 'f', -1, 64),
		MainVIP: vips[0], OtherVIP: append(vips, "")[1],
		Services: c.services(),
	})
}
