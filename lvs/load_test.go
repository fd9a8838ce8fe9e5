package lvs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/lvs"
)

// good is a description that each case spoils.
const good = `vip: {ipv4: 192.0.2.10}
directors:
  - {name: d1, ipv4: 192.0.2.2}
  - {name: d2, ipv4: 192.0.2.3}
nodes:
  - {id: 1, name: n1, ipv4: 192.0.2.21}
  - {id: 2, name: n2, ipv4: 192.0.2.22}
`

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to string // replaced in good
		want     string // in one of the problems
	}{
		{"empty", good, "", "vip: is missing"},
		{"typing error", "directors:", "director:", "there is no key director"},
		{"not YAML", "vip: {", "vip: [", "did not find expected"},
		{"same name", "name: n2", "name: n1", "n1: this name is there twice"},
		{"same name as a director", "name: n2", "name: d1", "d1: this name is there twice"},
		{"no name", "name: n2, ", "", "node number 2: has no name"},
		{"bad name", "name: n2", "name: N_2", "N_2: is no host name"},
		{"same address", "192.0.2.22", "192.0.2.21", "n2: 192.0.2.21 is the address of n1, too"},
		{"address of the VIP", "192.0.2.22", "192.0.2.10", "n2: 192.0.2.10 is the address of vip, too"},
		{"no address", "192.0.2.22", "192.0.2.222.1", `node n2: ipv4: "192.0.2.222.1" is not one`},
		{"wrong family", "ipv4: 192.0.2.22", "ipv4: '2001:db8::22'", `node n2: ipv4: "2001:db8::22" is not one`},
		{"family missing", "ipv4: 192.0.2.10", "ipv4: 192.0.2.10, ipv6: '2001:db8::1'", "n2: has no ipv6 address, but the VIP has one"},
		{"family too many", "ipv4: 192.0.2.22", "ipv4: 192.0.2.22, ipv6: '2001:db8::22'", "n2: has an ipv6 address, but the VIP has none"},
		{"same id", "id: 2", "id: 1", "node n2: id: 1 is that of n1, too"},
		{"no id", "id: 2, ", "", "node n2: id: 0 is out of range"},
		{"large id", "id: 2", "id: 251", "node n2: id: 251 is out of range"},
		{"one director", "  - {name: d2, ipv4: 192.0.2.3}\n", "", "directors: there are 1; write two"},
		{"overlapping ports", "name: n2", "name: n2, ports: 15100-15300", "node n2: its ports 15100-15300 overlap those of n1 (15000-15199)"},
		{"odd ports", "name: n2", "name: n2, ports: 15300-15100", `node n2: ports: "15300-15100" is no range`},
		{"ports too high", "nodes:", "passive: {base: 65000, size: 300}\nnodes:", "node n2: its ports would be 65300-65599"},
		{"few ports", "nodes:", "passive: {size: 3}\nnodes:", "passive: size: 3 ports for a node are too few"},
		{"ports contain the admin port", "nodes:", "passive: {base: 8000}\nnodes:", "node n1: its ports 8000-8199 contain 8021"},
		{"admin port", "nodes:", "admin_port: 21\nnodes:", "admin_port: 21 is a control port"},
		{"impossible port", "nodes:", "admin_port: 70000\nnodes:", "port 70000 is impossible"},
		{"variant", "nodes:", "variant: nat\nnodes:", `variant: "nat" is unknown; write ranges or persistence`},
		{"scheduler", "nodes:", "scheduler: wlc\nnodes:", `scheduler: "wlc" is unknown; write mh or rr`},
		{"firewall", "nodes:", "firewall: pf\nnodes:", `firewall: "pf" is unknown`},
		{"router id", "nodes:", "vrrp: {router_id: 256}\nnodes:", "router_id: 256 is out of range"},
		{"advert", "nodes:", "vrrp: {advert: 1ms}\nnodes:", "advert: 1ms is impossible"},
		{"advert without unit", "nodes:", "vrrp: {advert: soon}\nnodes:", "line 5"},
		{"interface", "nodes:", "interface: 'eth0; reboot'\nnodes:", `interface: "eth0; reboot" is no name of an interface`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lvs.Parse([]byte(strings.Replace(good, tt.from, tt.to, 1)))
			var problems lvs.Problems
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q among them", err, tt.want)
			}
		})
	}
}

// All problems are told at once.
func TestProblemsTogether(t *testing.T) {
	_, err := lvs.Parse([]byte(strings.NewReplacer("id: 2", "id: 0", "name: d2", "name: d1").Replace(good)))
	var problems lvs.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Errorf("got %v", err)
	}
}

func TestTooManyNodes(t *testing.T) {
	_, err := lvs.Parse([]byte(manyNodes(lvs.MaxNodes + 1)))
	if err == nil || !strings.Contains(err.Error(), "nodes: there are 251; a cluster has 250 at most") {
		t.Errorf("got %v", err)
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if _, err := lvs.Load(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	write(t, file, good)
	if _, err := lvs.Load(file); err != nil {
		t.Error(err)
	}
}
