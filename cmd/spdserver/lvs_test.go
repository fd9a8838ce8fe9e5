package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runLVS runs a command line; what it prints comes back.
func runLVS(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"lvs"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

const exampleCluster = "../../deploy/lvs-keepalived/cluster.yaml"

func TestLVSRender(t *testing.T) {
	dir := t.TempDir()
	if _, err := runLVS(t, "render", "--cluster", exampleCluster, "--out", dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"d1/etc/keepalived/keepalived.conf": "router_id d1",
		"n3/etc/spd/node.env":               "SPD_FTP_PASSIVE_PORTS=15400-15599",
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s: no %q in it, %v", name, want, err)
		}
	}
	setup, err := os.Stat(filepath.Join(dir, "n1/etc/spd-lvs/setup"))
	if err != nil || setup.Mode()&0o100 == 0 {
		t.Errorf("setup cannot be run: %v", err)
	}

	printed, err := runLVS(t, "render", "--cluster", exampleCluster)
	if err != nil || !strings.Contains(printed, "=== n1: /etc/spd/node.env\n") {
		t.Errorf("printed %.200s, %v", printed, err)
	}
}

func TestLVSMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, []byte("vip: {ipv4: here}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"render", "--cluster", file}, `vip: ipv4: "here" is not one`},
		{[]string{"render", "--cluster", file}, "nodes: there are none"},
		{[]string{"render", "--cluster", file + ".gone"}, "no such file"},
		{[]string{"check", "--cluster", exampleCluster, "--host", "n9"}, "n9: no such host"},
	} {
		if _, err := runLVS(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q in it", tt.args, err, tt.want)
		}
	}
}

// On a machine where nothing was installed everything differs.
func TestLVSCheck(t *testing.T) {
	out, err := runLVS(t, "check", "--cluster", exampleCluster, "--host", "n1", "--root", t.TempDir())
	if err == nil || !strings.Contains(out, "node.env: is missing") || !strings.Contains(out, "address 192.0.2.10: is not on lo") {
		t.Errorf("%v\n%s", err, out)
	}
}
