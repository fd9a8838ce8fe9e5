package lvs

import (
	"fmt"
	"strings"
)

// table is the name of our nftables table, and of our chain in iptables.
const (
	table = "spd_lvs"
	chain = "SPD_LVS"
	// quiet is the chain that keeps directors from refusing connections.
	quiet = "SPD_LVS_QUIET"
)

// ruleSet is what a machine's packet filter does, in words that fit all firewalls.
type ruleSet struct {
	marks []marks // of directors
	snats []snat  // of nodes
}

// marks are the firewall marks of packets to the VIP, by port.
type marks struct {
	family
	ports []portMark
}

type portMark struct {
	PortRange
	mark int
}

// snat gives connections that a node opens from the VIP a port of its own range.
type snat struct {
	family
	To PortRange
}

// markRules tell directors what belongs to which service.
func (c *Cluster) markRules() ruleSet {
	var rules ruleSet
	for _, f := range c.families() {
		m := marks{family: f}
		for _, port := range c.ControlPorts {
			m.ports = append(m.ports, portMark{PortRange{port, port}, f.mark})
		}
		if c.Variant == Persistence {
			m.ports = append(m.ports, portMark{c.hull(), f.mark})
		} else {
			for _, n := range c.Nodes {
				m.ports = append(m.ports, portMark{n.Ports, f.mark + n.ID})
			}
		}
		rules.marks = append(rules.marks, m)
	}
	return rules
}

// snatRules bring the answers to active data connections back to the node that opened them.
func (c *Cluster) snatRules(n Node) ruleSet {
	var rules ruleSet
	for _, f := range c.families() {
		rules.snats = append(rules.snats, snat{f, c.passivePorts(n)})
	}
	return rules
}

// ruleFiles writes rules for a firewall.
func (c *Cluster) ruleFiles(firewall Firewall, rules ruleSet) []File {
	if firewall == NFTables {
		return []File{{nftFile, plain, rules.nft()}}
	}
	var files []File
	for _, f := range c.families() {
		files = append(files, File{iptablesFile(f.Name), plain, rules.iptables(f)})
	}
	return files
}

const nftFile = "etc/spd-lvs/rules.nft"

// iptablesFile is for iptables-legacy-restore ("ip") or ip6tables-legacy-restore ("ip6").
func iptablesFile(family string) string { return "etc/spd-lvs/rules." + family }

// nft is for "nft -f": it replaces our table and touches no other.
func (r ruleSet) nft() []byte {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n", notice)
	fmt.Fprintf(&out, "table inet %[1]s\ndelete table inet %[1]s\n\ntable inet %[1]s {\n", table)
	if len(r.marks) > 0 {
		out.WriteString("\tchain prerouting {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n")
		r.nftMarks(&out)
		out.WriteString("\t}\n")
		r.nftQuiet(&out)
	}
	if len(r.snats) > 0 {
		out.WriteString("\t# Active mode: spdserver connects from the VIP. Only from a port of this node's own does\n")
		out.WriteString("\t# the director send the answers here.\n")
		out.WriteString("\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n")
		for _, s := range r.snats {
			fmt.Fprintf(&out, "\t\t%s saddr %s tcp flags & (fin | syn | rst | ack) == syn snat %s to %s\n", s.Name, s.vip, s.Name, s.to())
		}
		out.WriteString("\t}\n")
	}
	out.WriteString("}\n")
	return []byte(out.String())
}

// nftMarks writes one rule for each family: however many nodes there are, a packet is looked
// up once.
func (r ruleSet) nftMarks(out *strings.Builder) {
	for _, m := range r.marks {
		fmt.Fprintf(out, "\t\t%s daddr %s meta mark set tcp dport map {\n", m.Name, m.vip)
		for _, p := range m.ports {
			fmt.Fprintf(out, "\t\t\t%s : %d,\n", p.nft(), p.mark)
		}
		out.WriteString("\t\t}\n")
	}
}

// nftQuiet: while no node is ready, IPVS would refuse new connections by ICMP. Without that
// clients try again for a while, and get in as soon as a node is.
func (r ruleSet) nftQuiet(out *strings.Builder) {
	out.WriteString("\t# While no node is ready, clients wait instead of being refused.\n")
	out.WriteString("\tchain output {\n\t\ttype filter hook output priority filter; policy accept;\n")
	for _, m := range r.marks {
		if m.vip.Is4() {
			fmt.Fprintf(out, "\t\tip saddr %s icmp type destination-unreachable icmp code port-unreachable drop\n", m.vip)
		} else {
			fmt.Fprintf(out, "\t\tip6 saddr %s icmpv6 type destination-unreachable icmpv6 code port-unreachable drop\n", m.vip)
		}
	}
	out.WriteString("\t}\n")
}

// to is what a connection's source becomes.
func (s snat) to() string {
	if s.vip.Is6() {
		return fmt.Sprintf("[%s]:%s", s.vip, s.To)
	}
	return fmt.Sprintf("%s:%s", s.vip, s.To)
}

// nft writes a range of one port as a port.
func (r PortRange) nft() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return r.String()
}

// iptables is for "iptables-legacy-restore --noflush": it fills our chain, which setup hooks in.
func (r ruleSet) iptables(f family) []byte {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n*%s\n:%s - [0:0]\n", notice, r.iptablesTable(), chain)
	if len(r.marks) > 0 {
		fmt.Fprintf(&out, ":%s - [0:0]\n", quiet)
	}
	for _, m := range r.marks {
		if m.Name != f.Name {
			continue
		}
		// As in nftQuiet.
		if m.vip.Is4() {
			fmt.Fprintf(&out, "-A %s -s %s -p icmp -m icmp --icmp-type port-unreachable -j DROP\n", quiet, m.vip)
		} else {
			fmt.Fprintf(&out, "-A %s -s %s -p ipv6-icmp -m icmp6 --icmpv6-type port-unreachable -j DROP\n", quiet, m.vip)
		}
		for _, p := range m.ports {
			fmt.Fprintf(&out, "-A %s -d %s -p tcp -m tcp --dport %s -j MARK --set-mark %d\n", chain, m.vip, p.iptables(), p.mark)
		}
	}
	for _, s := range r.snats {
		if s.Name != f.Name {
			continue
		}
		fmt.Fprintf(&out, "-A %s -s %s -p tcp -m tcp --syn -j SNAT --to-source %s\n", chain, s.vip, s.to())
	}
	out.WriteString("COMMIT\n")
	return []byte(out.String())
}

func (r ruleSet) iptablesTable() string {
	if len(r.marks) > 0 {
		return "mangle"
	}
	return "nat"
}

// iptables writes a range with a colon.
func (r PortRange) iptables() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d:%d", r.First, r.Last)
}
