package lvs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Machine is a live machine of the cluster, as Check looks at it. System returns the one
// that the program runs on.
type Machine struct {
	Root      string                                                  // where the files of etc are: "/"
	ReadFile  func(name string) ([]byte, error)                       // of Root and of /proc
	Addresses func(link string) ([]netip.Addr, error)                 // of an interface
	Run       func(context.Context, Command) (stdout string, _ error) // fails if the command does
}

// Command is a program to run.
type Command struct {
	Args  []string
	Stdin []byte
}

// ErrNoHost is returned for a machine that the description does not have.
var ErrNoHost = errors.New("no such host in the cluster's description")

// Check compares a live machine with its part of the description, and returns what differs,
// a line each. It needs root, as it looks at packet filters.
func (c *Cluster) Check(ctx context.Context, host string, m Machine) ([]string, error) {
	check := check{ctx: ctx, cluster: c, machine: m}
	if d, ok := find(c.Directors, func(d Director) bool { return d.Name == host }); ok {
		check.files(c.directorFiles(d))
		check.sysctls(c.directorSysctls(d))
		check.rules(d.Firewall, c.markRules())
		check.services()
		return check.found, nil
	}
	if n, ok := find(c.Nodes, func(n Node) bool { return n.Name == host }); ok {
		check.files(c.nodeFiles(n))
		check.sysctls(c.nodeSysctls(n))
		check.vip()
		check.rules(n.Firewall, c.snatRules(n))
		return check.found, nil
	}
	return nil, fmt.Errorf("%s: %w", host, ErrNoHost)
}

func find[T any](list []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}

// HostOf finds the machine that has this name, or one of these addresses; "" if none has.
func (c *Cluster) HostOf(name string, addresses []netip.Addr) string {
	hosts := c.hosts()
	if h, ok := find(hosts, func(h Host) bool { return h.Name == name }); ok {
		return h.Name
	}
	h, _ := find(hosts, func(h Host) bool {
		return slices.ContainsFunc(h.all(), func(ip netip.Addr) bool { return slices.Contains(addresses, ip) })
	})
	return h.Name
}

// check collects what differs.
type check struct {
	ctx     context.Context
	cluster *Cluster
	machine Machine
	found   []string
}

func (c *check) differs(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *check) files(files []File) {
	for _, f := range files {
		name := filepath.Join(c.machine.Root, f.Path)
		data, err := c.machine.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.differs("%s: is missing", name)
		case err != nil:
			c.differs("%s: %v", name, err)
		case !bytes.Equal(data, f.Data):
			c.differs("%s: line %d differs from what render writes", name, firstDifference(data, f.Data))
		}
	}
}

// firstDifference is the number of the first line that two texts do not share.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

func (c *check) sysctls(settings []sysctl) {
	for _, s := range settings {
		data, err := c.machine.ReadFile("/proc/sys/" + s.Key)
		value := strings.Join(strings.Fields(string(data)), " ")
		switch {
		case err != nil:
			c.differs("sysctl %s: cannot be read: %v", s.Key, err)
		case value != s.Value:
			c.differs("sysctl %s: is %s, not %s", s.Key, value, s.Value)
		}
	}
}

// vip: a node has the VIP on lo, and nowhere else.
func (c *check) vip() {
	here, err := c.machine.Addresses("lo")
	if err != nil {
		c.differs("addresses of lo: %v", err)
		return
	}
	for _, ip := range c.cluster.VIP.all() {
		if !slices.Contains(here, ip) {
			c.differs("address %s: is not on lo", ip)
		}
	}
}

// rules compares packet filters with what our files make in a network namespace that nobody
// else has: so the kernel's own way of writing them counts, and not ours.
func (c *check) rules(firewall Firewall, rules ruleSet) {
	if firewall == NFTables {
		list := "nft list table inet " + table
		c.sameRules("nftables", list, "nft -f - && "+list, rules.nft())
		return
	}
	for _, f := range c.cluster.families() {
		list := fmt.Sprintf("%stables-legacy-save -t %s | grep '^-A %s'", f.Name, rules.iptablesTable(), chain)
		fill := fmt.Sprintf("%stables-legacy-restore && %s", f.Name, list)
		c.sameRules(f.Name+"tables", list, fill, rules.iptables(f))
	}
}

func (c *check) sameRules(name, list, fill string, rules []byte) {
	want, err := c.machine.Run(c.ctx, Command{Args: []string{"unshare", "--net", "sh", "-c", fill}, Stdin: rules})
	if err != nil {
		c.differs("%s: cannot be tried: %v", name, err)
		return
	}
	have, err := c.machine.Run(c.ctx, Command{Args: []string{"sh", "-c", list}})
	if err != nil {
		c.differs("%s: our rules are not loaded: run /etc/spd-lvs/setup up (%v)", name, err)
		return
	}
	if have != want {
		c.differs("%s: line %d of %q is not as it should be", name, firstDifference([]byte(have), []byte(want)), list)
	}
}
