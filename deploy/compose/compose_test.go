// Package compose tests the files that docker-compose.yml uses.
package compose_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestComposeFile asks the Compose client where there is one: it needs no container engine.
func TestComposeFile(t *testing.T) {
	for _, client := range []string{"docker compose", "docker-compose"} {
		if run(t, client+" version") != nil {
			t.Logf("there is no %s here", client)
			continue
		}
		if err := run(t, client+" config --quiet"); err != nil {
			t.Error(err)
		}
	}
}

// run runs a command line in the module's directory.
func run(t *testing.T, line string) error {
	t.Helper()
	words := strings.Fields(line)
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	return nil
}

// The same where HAProxy is installed.
func TestBalancer(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "haproxy", "-c", "-f", "haproxy.cfg")
	if cmd.Err != nil {
		t.Log("there is no haproxy here")
		return
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Ports of a node's environment, of HAProxy and of the published ones are the same.
func TestPorts(t *testing.T) {
	compose, balancer := read(t, "../../docker-compose.yml"), read(t, "haproxy.cfg")
	ranges := regexp.MustCompile(`SPD_FTP_PASSIVE_PORTS: (\S+)`).FindAllStringSubmatch(compose, -1)
	if len(ranges) != 2 {
		t.Fatalf("%d nodes", len(ranges))
	}
	for _, r := range ranges {
		if !strings.Contains(balancer, "bind :"+r[1]+"\n") {
			t.Errorf("HAProxy does not listen on %s", r[1])
		}
	}
	first, _, _ := strings.Cut(ranges[0][1], "-")
	_, last, _ := strings.Cut(ranges[1][1], "-")
	if all := first + "-" + last; !strings.Contains(compose, all+":"+all) {
		t.Errorf("%s is not published", all)
	}
}

// The dashboard asks for metrics that docs/operations.md lists.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/spd.json")), &dashboard); err != nil || len(dashboard.Panels) == 0 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	known := read(t, "../../docs/operations.md")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`spd_\w+`).FindAllString(target.Expr, -1) {
				name = strings.TrimSuffix(name, "_bucket")
				if !strings.Contains(known, "| `"+name+"`") && !strings.Contains(known, "| `"+name+"{") {
					t.Errorf("%s: %s is no metric of SPD", p.Title, name)
				}
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
