package lvs_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/lvs"
)

var update = flag.Bool("update", false, "write testdata/*/golden anew")

// Each directory of testdata is a cluster, with what is written for it in golden.
func TestGolden(t *testing.T) {
	for _, dir := range clusters(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := make(map[string]string)
			for host, files := range load(t, dir).Files() {
				for _, f := range files {
					got[filepath.Join(host, f.Path)] = string(f.Data)
				}
			}
			golden := filepath.Join(dir, "golden")
			if *update {
				writeGolden(t, golden, got)
			}
			want := readGolden(t, golden)
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if got[name] != want[name] {
					t.Errorf("%s: got\n%s\nwant\n%s", name, got[name], want[name])
				}
				delete(got, name)
			}
			for name := range got {
				t.Errorf("%s is not among the golden files", name)
			}
		})
	}
}

func clusters(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/cluster.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no clusters: %v", err)
	}
	for i, f := range files {
		files[i] = filepath.Dir(f)
	}
	return files
}

func load(t *testing.T, dir string) *lvs.Cluster {
	t.Helper()
	c, err := lvs.Load(filepath.Join(dir, "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writeGolden(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, dir+"/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// manyNodes is a cluster of as many nodes as there may be.
func manyNodes(n int) string {
	var b strings.Builder
	b.WriteString("vip: {ipv4: 10.0.0.10, ipv6: 'fd00::10'}\n")
	b.WriteString("directors: [{name: d1, ipv4: 10.0.0.2, ipv6: 'fd00::2'}, {name: d2, ipv4: 10.0.0.3, ipv6: 'fd00::3'}]\nnodes:\n")
	for id := 1; id <= n; id++ {
		fmt.Fprintf(&b, "- {id: %[1]d, name: n%[1]d, ipv4: 10.0.1.%[1]d, ipv6: 'fd00::1:%[1]d'}\n", id)
	}
	return b.String()
}

// Every node has ports of its own, without a gap in the description.
func TestPortsOf250Nodes(t *testing.T) {
	c, err := lvs.Parse([]byte(manyNodes(lvs.MaxNodes)))
	if err != nil {
		t.Fatal(err)
	}
	next := 15000
	for _, n := range c.Nodes {
		if n.Ports.First != next || n.Ports.Last != next+199 {
			t.Fatalf("%s has %s", n.Name, n.Ports)
		}
		next += 200
	}
}
