package lvs

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// liveService is an IPVS service by firewall mark, as the kernel has it.
type liveService struct {
	scheduler   Scheduler
	persistence int // ticks of the kernel; 0: none
	servers     map[netip.Addr]int
}

// services compares the kernel's table with ours. A node that is out because it is not
// ready (weight 0) is as it should be.
func (c *check) services() {
	data, err := c.machine.ReadFile("/proc/net/ip_vs")
	if err != nil {
		c.differs("IPVS table: %v: is the module ip_vs loaded?", err)
		return
	}
	live, err := parseIPVS(string(data))
	if err != nil {
		c.differs("IPVS table: %v", err)
		return
	}
	for _, want := range c.cluster.services() {
		have, ok := live[want.Mark]
		if !ok {
			c.differs("IPVS fwmark %d: is missing: is keepalived running?", want.Mark)
			continue
		}
		c.service(want, have)
		delete(live, want.Mark)
	}
	for _, mark := range slices.Sorted(maps.Keys(live)) {
		c.differs("IPVS fwmark %d: is none of the cluster's", mark)
	}
}

func (c *check) service(want service, have liveService) {
	if have.scheduler != want.Scheduler {
		c.differs("IPVS fwmark %d: scheduler is %s, not %s", want.Mark, have.scheduler, want.Scheduler)
	}
	if !lasts(have.persistence, want.Persistence) {
		c.differs("IPVS fwmark %d: persistence is %d ticks of the kernel, not %d s", want.Mark, have.persistence, want.Persistence)
	}
	for _, s := range want.Servers {
		weight, ok := have.servers[s.Address]
		switch {
		case !ok:
			c.differs("IPVS fwmark %d: %s is missing", want.Mark, s.Address)
		case weight != s.Weight && (weight != 0 || !want.Checked):
			c.differs("IPVS fwmark %d: weight of %s is %d, not %d", want.Mark, s.Address, weight, s.Weight)
		}
		delete(have.servers, s.Address)
	}
	for ip := range have.servers {
		c.differs("IPVS fwmark %d: %s is no node", want.Mark, ip)
	}
}

// lasts compares ticks with seconds, for each number of ticks a second that kernels are built
// with (CONFIG_HZ).
func lasts(ticks, seconds int) bool {
	return slices.ContainsFunc([]int{100, 250, 300, 1000}, func(hz int) bool { return ticks == seconds*hz })
}

// parseIPVS reads /proc/net/ip_vs (ip_vs_ctl.c, ip_vs_info_seq_show), as far as it is about
// services by firewall mark:
//
//	FWM  000003E8 mh
//	  -> 0A4D0015:0000      Route   100    0          0
func parseIPVS(text string) (map[int]liveService, error) {
	services := make(map[int]liveService)
	var servers map[netip.Addr]int // of the present service; nil: not one of those
	for line := range strings.Lines(text) {
		switch fields := strings.Fields(line); {
		case len(fields) >= 3 && fields[0] == "FWM":
			mark, err := strconv.ParseInt(fields[1], 16, 32)
			if err != nil {
				return nil, fmt.Errorf("firewall mark %q: %w", fields[1], err)
			}
			servers = make(map[netip.Addr]int)
			services[int(mark)] = liveService{scheduler: Scheduler(fields[2]), persistence: persistent(fields[3:]), servers: servers}
		case len(fields) >= 4 && fields[0] == "->" && servers != nil:
			ip, weight, err := parseServer(fields[1], fields[3])
			if err != nil {
				return nil, err
			}
			servers[ip] = weight
		case len(fields) > 0 && fields[0] != "->":
			servers = nil // a service by address, or the head of the table
		}
	}
	return services, nil
}

// persistent reads "persistent 75000 FFFFFFFF": ticks of the kernel, and a mask.
func persistent(flags []string) int {
	i := slices.Index(flags, "persistent")
	if i < 0 || i+1 >= len(flags) {
		return 0
	}
	ticks, err := strconv.Atoi(flags[i+1])
	if err != nil {
		return 0
	}
	return ticks
}

// parseServer reads "0A4D0015:0000" or "[fd00:...:0015]:0000", and a weight.
func parseServer(server, weight string) (netip.Addr, int, error) {
	w, err := strconv.Atoi(weight)
	if err != nil {
		return netip.Addr{}, 0, fmt.Errorf("weight %q: %w", weight, err)
	}
	host := server[:max(strings.LastIndex(server, ":"), 0)]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return ip, w, err
	}
	b, err := hex.DecodeString(host)
	if err != nil || len(b) != 4 {
		return netip.Addr{}, 0, fmt.Errorf("real server %q is not understood", server)
	}
	return netip.AddrFrom4([4]byte(b)), w, nil
}
