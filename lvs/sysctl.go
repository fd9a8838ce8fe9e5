package lvs

import (
	"fmt"
	"strings"
)

const sysctlFile = "etc/sysctl.d/60-spd-lvs.conf"

// sysctl is one setting of the kernel.
type sysctl struct {
	Key   string // path below /proc/sys; "net/ipv4/conf/eth0.100/arp_ignore" is one that dots would spoil
	Value string
	Why   string // "": the reason of the one before
}

func (c *Cluster) directorSysctls(d Director) []sysctl {
	quiescent := "0"
	if c.Variant == Persistence {
		quiescent = "1"
	}
	link := "net/ipv4/conf/" + d.Interface
	return []sysctl{
		{"net/ipv4/conf/all/rp_filter", "2", "Answers take another way than questions: direct routing."},
		{link + "/rp_filter", "2", ""},
		{"net/ipv4/conf/all/send_redirects", "0", "Nobody is told to ask a node directly."},
		{link + "/send_redirects", "0", ""},
		{"net/ipv4/vs/conntrack", "0", "Direct routing translates nothing."},
		{"net/ipv4/vs/sloppy_tcp", "1", "A connection of which this director was not told goes on, to the node that mh finds."},
		{"net/ipv4/vs/sync_version", "1", "Connections are told to the other director from their third packet on."},
		{"net/ipv4/vs/sync_threshold", "3 50", ""},
		{"net/ipv4/vs/expire_nodest_conn", "1", "Connections to a node that was removed end."},
		{"net/ipv4/vs/expire_quiescent_template", quiescent, "Whether clients of a node with weight 0 are sent elsewhere, with persistence."},
	}
}

func (c *Cluster) nodeSysctls(n Node) []sysctl {
	link := "net/ipv4/conf/" + n.Interface
	return []sysctl{
		{"net/ipv4/conf/all/arp_ignore", "1", "The VIP is on lo of every node, and none may answer for it: that is the director's."},
		{link + "/arp_ignore", "1", ""},
		{"net/ipv4/conf/all/arp_announce", "2", ""},
		{link + "/arp_announce", "2", ""},
		{"net/ipv4/conf/all/rp_filter", "2", "Questions come by way of the director."},
		{link + "/rp_filter", "2", ""},
		{"net/ipv4/ip_local_reserved_ports", c.passivePorts(n).String(), "No connection to the store or the database takes a port that clients will be told."},
	}
}

// sysctlConf writes settings for sysctl.d.
func sysctlConf(settings []sysctl) []byte {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n", notice)
	for _, s := range settings {
		if s.Why != "" {
			fmt.Fprintf(&out, "\n# %s\n", s.Why)
		}
		fmt.Fprintf(&out, "%s = %s\n", s.Key, s.Value)
	}
	return []byte(out.String())
}
