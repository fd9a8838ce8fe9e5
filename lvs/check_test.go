package lvs_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/lvs"
)

// fake is a machine that is as described, until a test changes it.
type fake struct {
	files    map[string]string
	lo       []netip.Addr
	rules    string // as the kernel lists them; "": none are loaded
	expected string // what our own rules would look like
}

func (f *fake) machine() lvs.Machine {
	return lvs.Machine{
		Root: "/",
		ReadFile: func(name string) ([]byte, error) {
			if data, ok := f.files[name]; ok {
				return []byte(data), nil
			}
			return nil, fs.ErrNotExist
		},
		Addresses: func(string) ([]netip.Addr, error) { return f.lo, nil },
		Run: func(_ context.Context, c lvs.Command) (string, error) {
			if c.Args[0] == "unshare" {
				return f.expected, nil
			}
			if f.rules == "" {
				return "", errors.New("no such table")
			}
			return f.rules, nil
		},
	}
}

func newFake(c *lvs.Cluster, host string) *fake {
	f := &fake{files: make(map[string]string), lo: []netip.Addr{c.VIP.IPv4, c.VIP.IPv6}, rules: "rules\n", expected: "rules\n"}
	for _, file := range c.Files()[host] {
		f.files["/"+file.Path] = string(file.Data)
		if !strings.HasPrefix(file.Path, "etc/sysctl.d/") {
			continue
		}
		for line := range strings.Lines(string(file.Data)) {
			if key, value, ok := strings.Cut(line, " = "); ok {
				f.files["/proc/sys/"+key] = strings.ReplaceAll(value, " ", "\t")
			}
		}
	}
	f.files["/proc/net/ip_vs"] = ipvsTable
	return f
}

// ipvsTable is that of a director of testdata/ranges; n2 is not ready.
const ipvsTable = `IP Virtual Server version 1.2.1 (size=1048576)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C000020A:0050 wlc
  -> C0000263:0050      Route   1      0          0
FWM  000003E8 mh
  -> C0000215:0000      Route   100    1          0
  -> C0000216:0000      Route   0      2          0
  -> C000021B:0000      Route   100    0          0
FWM  000003E9 rr
  -> C0000215:0000      Route   1      0          0
FWM  000003EA rr
  -> C0000216:0000      Route   1      0          0
FWM  000003EF rr
  -> C000021B:0000      Route   1      0          0
FWM  000007D0 mh
  -> [2001:0db8:0000:0000:0000:0000:0000:0021]:0000      Route   100    0          0
  -> [2001:0db8:0000:0000:0000:0000:0000:0022]:0000      Route   0      0          0
  -> [2001:0db8:0000:0000:0000:0000:0000:0027]:0000      Route   100    0          0
FWM  000007D1 rr
  -> [2001:0db8:0000:0000:0000:0000:0000:0021]:0000      Route   1      0          0
FWM  000007D2 rr
  -> [2001:0db8:0000:0000:0000:0000:0000:0022]:0000      Route   1      0          0
FWM  000007D7 rr
  -> [2001:0db8:0000:0000:0000:0000:0000:0027]:0000      Route   1      0          0
`

func TestCheck(t *testing.T) {
	c := load(t, "testdata/ranges")
	ipvs := func(from, to string) func(*fake) {
		return func(f *fake) {
			f.files["/proc/net/ip_vs"] = strings.Replace(f.files["/proc/net/ip_vs"], from, to, 1)
		}
	}
	for _, tt := range []struct {
		name, host string
		spoil      func(*fake)
		want       []string // beginnings of the lines
	}{
		{"director", "d1", func(*fake) {}, nil},
		{"node", "n7", func(*fake) {}, nil},
		{"file missing", "d2", func(f *fake) { delete(f.files, "/etc/keepalived/keepalived.conf") }, []string{"/etc/keepalived/keepalived.conf: is missing"}},
		{"file changed", "n1", func(f *fake) { f.files["/etc/spd/node.env"] += "X=1\n" }, []string{"/etc/spd/node.env: line 10 differs"}},
		{"sysctl", "n1", func(f *fake) { f.files["/proc/sys/net/ipv4/conf/eth0/arp_ignore"] = "0\n" }, []string{"sysctl net/ipv4/conf/eth0/arp_ignore: is 0, not 1"}},
		{"sysctl missing", "d1", func(f *fake) { delete(f.files, "/proc/sys/net/ipv4/vs/sloppy_tcp") }, []string{"sysctl net/ipv4/vs/sloppy_tcp: cannot be read"}},
		{"VIP missing", "n1", func(f *fake) { f.lo = f.lo[1:] }, []string{"address 192.0.2.10: is not on lo"}},
		{"rules changed", "n1", func(f *fake) { f.rules = "others\n" }, []string{"nftables: line 1"}},
		{"rules missing", "d1", func(f *fake) { f.rules = "" }, []string{"nftables: our rules are not loaded"}},
		{"no keepalived", "d1", func(f *fake) { f.files["/proc/net/ip_vs"] = "" }, slices.Repeat([]string{"IPVS fwmark"}, 8)},
		{"no ip_vs", "d1", func(f *fake) { delete(f.files, "/proc/net/ip_vs") }, []string{"IPVS table"}},
		{"scheduler", "d1", ipvs("E8 mh", "E8 wlc"), []string{"IPVS fwmark 1000: scheduler is wlc, not mh"}},
		{"persistence", "d1", ipvs("E9 rr", "E9 rr persistent 75000 FFFFFFFF"), []string{"IPVS fwmark 1001: persistence is 75000 ticks of the kernel, not 0 s"}},
		{"node missing", "d1", ipvs("  -> C0000216:0000      Route   0      2          0\n", ""), []string{"IPVS fwmark 1000: 192.0.2.22 is missing"}},
		{"strange node", "d1", ipvs("C0000216", "C0000299"), []string{"IPVS fwmark 1000: 192.0.2.22 is missing", "IPVS fwmark 1000: 192.0.2.153 is no node"}},
		{"strange service", "d1", ipvs("000003EF", "000003F0"), []string{"IPVS fwmark 1007: is missing", "IPVS fwmark 1008: is none"}},
		{"weight", "d1", ipvs("Route   1      0", "Route   0      0"), nil}, // of a service that is not ours
		{"weight of data", "d1", ipvs("E9 rr\n  -> C0000215:0000      Route   1", "E9 rr\n  -> C0000215:0000      Route   0"), []string{"IPVS fwmark 1001: weight of 192.0.2.21 is 0, not 1"}},
		{"nonsense", "d1", ipvs("000003E8", "now"), []string{"IPVS table: firewall mark"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(c, tt.host)
			tt.spoil(f)
			got, err := c.Check(t.Context(), tt.host, f.machine())
			if err != nil || !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// A director of testdata/persistence, whose kernel counts 250 ticks a second.
func TestCheckPersistence(t *testing.T) {
	c := load(t, "testdata/persistence")
	for ticks, differs := range map[string]bool{"75000": false, "30000": false, "60000": true} {
		f := newFake(c, "d1")
		f.files["/proc/net/ip_vs"] = "FWM  000003E8 rr persistent " + ticks + " FFFFFFFF\n" +
			"  -> C0000215:0000      Route   100    1          0\n  -> C0000216:0000      Route   100    2          0\n"
		got, err := c.Check(t.Context(), "d1", f.machine())
		if err != nil || len(got) > 0 != differs {
			t.Errorf("%s ticks: got %q, %v", ticks, got, err)
		}
	}
}

func TestCheckOfAStranger(t *testing.T) {
	c := load(t, "testdata/ranges")
	if _, err := c.Check(t.Context(), "n9", (&fake{}).machine()); !errors.Is(err, lvs.ErrNoHost) {
		t.Error(err)
	}
}

// The real programs list rules that were loaded as rules that were not: in a namespace of
// their own, which takes root.
func TestCheckRealRules(t *testing.T) {
	for _, dir := range []string{"testdata/ranges", "testdata/persistence"} {
		c := load(t, dir)
		f := newFake(c, "d1")
		machine := f.machine()
		machine.Run = lvs.System("/").Run
		got, err := c.Check(t.Context(), "d1", machine)
		missing := func(line string) bool { return strings.Contains(line, "our rules are not loaded") }
		if err != nil || !slices.ContainsFunc(got, missing) {
			t.Errorf("%s: got %q, %v", dir, got, err)
		}
	}
}

func TestHostOf(t *testing.T) {
	c := load(t, "testdata/ranges")
	for _, tt := range []struct{ name, ip, want string }{
		{"n2", "192.0.2.21", "n2"},
		{"other", "192.0.2.21", "n1"},
		{"other", "2001:db8::2", "d1"},
		{"other", "192.0.2.99", ""},
	} {
		if got := c.HostOf(tt.name, []netip.Addr{netip.MustParseAddr(tt.ip)}); got != tt.want {
			t.Errorf("%s, %s: got %q, want %q", tt.name, tt.ip, got, tt.want)
		}
	}
}
