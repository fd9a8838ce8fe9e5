package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// rendered is where the files of all machines are, a directory for each.
func (l *lab) rendered() string { return filepath.Join(l.out, "rendered") }

func (l *lab) clusterFile() string { return filepath.Join(l.out, "cluster.yaml") }

// render writes the lab's cluster.yaml and lets spdserver make files of it.
func (l *lab) render() error {
	var b strings.Builder
	fmt.Fprintf(&b, "vip: {ipv4: %s, ipv6: %q}\n", vip4, vip6)
	fmt.Fprintf(&b, "variant: %s\nscheduler: %s\n", l.variant, l.scheduler)
	b.WriteString("passive: {base: 30000, size: 200}\ndirectors:\n") // their kernel has no nftables; the nodes' has
	for _, d := range l.directors {
		fmt.Fprintf(&b, "  - {name: %s, ipv4: %s, ipv6: \"fd77::%d\", firewall: iptables-legacy}\n", d.name(), d.ip(), d.host())
	}
	b.WriteString("nodes:\n")
	for _, n := range l.nodes {
		fmt.Fprintf(&b, "  - {id: %d, name: %s, ipv4: %s, ipv6: \"fd77::%d\"}\n", n.number, n.name(), n.ip(), nodeHost+n.number)
	}
	if err := os.WriteFile(l.clusterFile(), []byte(b.String()), 0o644); err != nil {
		return err
	}
	_, err := l.command(l.spdserver("lvs", "render", "--cluster", l.clusterFile(), "--out", l.rendered())...)
	return err
}
