package lvs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/lvs"
)

// The programs that will read the files accept them.
func TestProgramsAccept(t *testing.T) {
	files := make(map[string]map[string][]lvs.File) // by cluster and host
	for _, dir := range clusters(t) {
		files[filepath.Base(dir)] = load(t, dir).Files()
	}
	many, err := lvs.Parse([]byte(manyNodes(lvs.MaxNodes)))
	if err != nil {
		t.Fatal(err)
	}
	all := many.Files()
	files["250 nodes"] = map[string][]lvs.File{"d1": all["d1"], "n250": all["n250"]}

	for cluster, hosts := range files {
		for host, files := range hosts {
			dir := t.TempDir()
			for _, f := range files {
				name := filepath.Join(dir, f.Path)
				write(t, name, string(f.Data))
				t.Run(strings.Join([]string{cluster, host, filepath.Base(f.Path)}, " "), func(t *testing.T) {
					accept(t, name)
				})
			}
			t.Run(cluster+" "+host+" units", func(t *testing.T) { acceptUnits(t, filepath.Join(dir, "etc/systemd/system")) })
		}
	}
}

// accept gives a file to the program that it is for. Packet filters are tried in network
// namespaces of their own, which takes root.
func accept(t *testing.T, name string) {
	t.Helper()
	switch filepath.Base(name) {
	case "keepalived.conf":
		out := try(t, 5, "unshare", "--net", "sh", "-euc",
			"ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up; keepalived --config-test --use-file "+name)
		if s := unexpected(out); s != "" {
			t.Errorf("keepalived says:\n%s", s)
		}
	case "rules.nft":
		try(t, 0, "unshare", "--net", "nft", "--check", "--file", name)
		try(t, 0, "unshare", "--net", "sh", "-euc", "nft -f "+name+"; nft -f "+name) // twice
	case "rules.ip":
		try(t, 0, "unshare", "--net", "iptables-legacy-restore", "--noflush", name)
	case "rules.ip6":
		try(t, 0, "unshare", "--net", "ip6tables-legacy-restore", "--noflush", name)
	case "setup":
		try(t, 0, "sh", "-n", name)
	}
}

// acceptUnits gives the units of a machine, and what they add to others', to systemd. Programs
// that are not installed here are all that it may complain about.
func acceptUnits(t *testing.T, dir string) {
	t.Helper()
	service := "keepalived.service"
	if _, err := os.Stat(filepath.Join(dir, "spdserver.service.d")); err == nil {
		service = "spdserver.service"
	}
	ours, err := filepath.Abs("../deploy/systemd")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "spd-lvs.service", service)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":"+ours+":") // and where the system's are
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "is not executable: No such file") {
			t.Errorf("systemd says: %s", line)
		}
	}
}

// try runs a program, which may return a code for mere warnings.
func try(t *testing.T, warned int, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/sbin:/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil && (cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != warned || warned == 0) {
		t.Errorf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// unexpected is what keepalived says that is not about the machine the test runs on.
func unexpected(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "is not multicast") || strings.Contains(line, "ip_vs") || strings.Contains(line, "loopback") ||
			strings.Contains(line, "Unable to resolve default script username") {
			continue
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}
