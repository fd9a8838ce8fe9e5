// Package systemd tests the unit.
package systemd_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// worst is the exposure that the unit may have, from 0 (none) to 10.
const worst = 3.0

func TestUnitIsHardened(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=yes", "--no-pager", "./spdserver.service").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no verdict in\n%s", out)
	}
	exposure, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	if exposure >= worst {
		t.Errorf("exposure is %.1f, and must be below %.1f\n%s", exposure, worst, out)
	}
	t.Logf("exposure %.1f", exposure)
}

func TestUnitLimits(t *testing.T) {
	unit, err := os.ReadFile("spdserver.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"TasksMax=4096", "LimitNOFILE=262144", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE",
	} {
		if !strings.Contains(string(unit), "\n"+line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
}

// systemd reads the unit without complaints, but that the program is not installed here.
func TestUnitIsRead(t *testing.T) {
	out, _ := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "./spdserver.service").CombinedOutput() // fails for that
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "spdserver.service:") && !strings.Contains(line, "/usr/local/bin/spdserver is not executable") {
			t.Errorf("systemd says: %s", line)
		}
	}
}
