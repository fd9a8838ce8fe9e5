package lvs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"
)

// Load reads and checks a description. Its error is Problems if the file can be read.
func Load(file string) (*Cluster, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's description: %w", err)
	}
	return Parse(data)
}

// Parse is Load for a file's content.
func Parse(data []byte) (*Cluster, error) {
	var d description
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlProblems(err)
	}
	var ck checker
	c := d.cluster(&ck)
	ck.cluster(c)
	if len(ck.problems) > 0 {
		return nil, ck.problems
	}
	return c, nil
}

// yamlProblems makes a problem of each mistake that YAML has found.
func yamlProblems(err error) Problems {
	var mistakes *yaml.TypeError
	if !errors.As(err, &mistakes) {
		return Problems{err.Error()}
	}
	var problems Problems
	for _, m := range mistakes.Errors {
		problems = append(problems, unknownField.ReplaceAllString(m, "there is no key $1: remove it, or correct its name"))
	}
	return problems
}

// unknownField is how YAML tells of a key that no field has.
var unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)

// description is cluster.yaml as it is written.
type description struct {
	VIP           addresses
	Interface     string
	SyncInterface string `yaml:"sync_interface"`
	Variant       Variant
	Scheduler     Scheduler
	Firewall      Firewall
	Passive       struct{ Base, Size int }
	ControlPorts  []int `yaml:"control_ports"`
	AdminPort     int   `yaml:"admin_port"`
	VRRP          struct {
		RouterID int           `yaml:"router_id"`
		Advert   time.Duration `yaml:"advert"`
	}
	Directors []host
	Nodes     []struct {
		host  `yaml:",inline"`
		ID    int
		Ports string
	}
}

type addresses struct{ IPv4, IPv6 string }

type host struct {
	addresses `yaml:",inline"`
	Name      string
	Interface string
	Firewall  Firewall
}

// Defaults.
const (
	defaultInterface = "eth0"
	defaultBase      = 15000
	defaultSize      = 200
	defaultAdminPort = 8021
	defaultRouterID  = 51
	defaultAdvert    = 200 * time.Millisecond
	firstPriority    = 250 // of the first director; the next have 10 less each
)

// cluster fills in what was left out. What cannot be read becomes a problem.
func (d *description) cluster(ck *checker) *Cluster {
	c := &Cluster{
		VIP:          d.VIP.parse(ck, "vip"),
		Interface:    or(d.Interface, defaultInterface),
		Variant:      or(d.Variant, Ranges),
		Scheduler:    or(d.Scheduler, MaglevHash),
		Passive:      Passive{Base: or(d.Passive.Base, defaultBase), Size: or(d.Passive.Size, defaultSize)},
		ControlPorts: d.ControlPorts,
		AdminPort:    or(d.AdminPort, defaultAdminPort),
		VRRP:         VRRP{RouterID: or(d.VRRP.RouterID, defaultRouterID), Advert: or(d.VRRP.Advert, defaultAdvert)},
	}
	c.SyncInterface = or(d.SyncInterface, c.Interface)
	if len(c.ControlPorts) == 0 {
		c.ControlPorts = []int{21, 990}
	}
	others := Host{Interface: c.Interface, Firewall: or(d.Firewall, NFTables)}
	for i, h := range d.Directors {
		c.Directors = append(c.Directors, Director{Host: h.parse(ck, "director", i, others), Priority: firstPriority - 10*i})
	}
	for i, n := range d.Nodes {
		node := Node{Host: n.parse(ck, "node", i, others), ID: n.ID}
		node.Ports = c.Passive.ports(n.ID)
		if n.Ports != "" {
			node.Ports = parsePorts(ck, node.Name, n.Ports)
		}
		c.Nodes = append(c.Nodes, node)
	}
	return c
}

// or is value, or what stands for it if it was left out.
func or[T comparable](value, otherwise T) T {
	var none T
	if value == none {
		return otherwise
	}
	return value
}

// parse takes what is left out from others.
func (h host) parse(ck *checker, kind string, i int, others Host) Host {
	where := fmt.Sprintf("%s %s", kind, h.Name)
	if h.Name == "" {
		where = fmt.Sprintf("%s number %d", kind, i+1)
		ck.add("%s: has no name; write name: %c%d", where, kind[0], i+1)
	}
	return Host{
		Name:      h.Name,
		Interface: or(h.Interface, others.Interface),
		Firewall:  or(h.Firewall, others.Firewall),
		Addresses: h.addresses.parse(ck, where),
	}
}

func (a addresses) parse(ck *checker, where string) Addresses {
	return Addresses{
		IPv4: parseAddress(ck, where+": ipv4", a.IPv4, netip.Addr.Is4, "an IPv4 address, such as 192.0.2.10"),
		IPv6: parseAddress(ck, where+": ipv6", a.IPv6, netip.Addr.Is6, `an IPv6 address in quotes, such as "2001:db8::10"`),
	}
}

func parseAddress(ck *checker, where, text string, fits func(netip.Addr) bool, want string) netip.Addr {
	if text == "" {
		return netip.Addr{}
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || !fits(ip) || ip.Zone() != "" {
		ck.add("%s: %q is not one; write %s", where, text, want)
		return netip.Addr{}
	}
	return ip
}

func parsePorts(ck *checker, node, text string) PortRange {
	var r PortRange
	if n, err := fmt.Sscanf(text+"\n", "%d-%d\n", &r.First, &r.Last); n != 2 || err != nil || r.First > r.Last {
		ck.add("node %s: ports: %q is no range; write the first and the last, such as 15000-15199", node, text)
		return PortRange{}
	}
	return r
}
