package lvs_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// knock loads rules and knocks at ports of the VIP. What arrives is noted with its mark.
const knock = `
ip link set lo up
ip addr add 192.0.2.10/32 dev lo
ip addr add 2001:db8::10/128 dev lo
nft -f "$1"
nft -f - <<'END'
table inet seen {
	set ipv4 { type ipv4_addr . inet_service . mark; flags dynamic; }
	set ipv6 { type ipv6_addr . inet_service . mark; flags dynamic; }
	chain prerouting {
		type filter hook prerouting priority mangle + 10;
		tcp flags & (fin | syn | rst | ack) == syn add @ipv4 { ip daddr . tcp dport . meta mark }
		tcp flags & (fin | syn | rst | ack) == syn add @ipv6 { ip6 daddr . tcp dport . meta mark }
	}
}
END
for address in 127.0.0.1 192.0.2.10 2001:db8::10; do
	for port in 21 22 990 14999 15000 15199 15200 40499 40500; do
		(: > /dev/tcp/$address/$port) 2>/dev/null || true # nobody listens
	done
done
nft list table inet seen
`

// The kernel marks packets as IPVS wants them. The directors of the lab show that of
// iptables: their kernel has no nftables.
func TestMarks(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.nft")
	for _, f := range load(t, "testdata/ranges").Files()["d1"] {
		if filepath.Base(f.Path) == "rules.nft" {
			write(t, rules, string(f.Data))
		}
	}
	seen := try(t, 0, "unshare", "--net", "bash", "-euc", knock, "knock", rules)
	for _, want := range []struct{ port, mark int }{
		{21, 1000}, {22, 0}, {990, 1000}, {14999, 0}, {15000, 1001}, {15199, 1001}, {15200, 1002}, {40499, 1007}, {40500, 0},
	} {
		other := want.mark
		if other != 0 {
			other += 1000 // of IPv6
		}
		for _, line := range []string{
			fmt.Sprintf("192.0.2.10 . %d . 0x%08x", want.port, want.mark),
			fmt.Sprintf("2001:db8::10 . %d . 0x%08x", want.port, other),
			fmt.Sprintf("127.0.0.1 . %d . 0x%08x", want.port, 0),
		} {
			if !strings.Contains(seen, line) {
				t.Errorf("no packet %s in\n%s", line, seen)
			}
		}
	}
}
