package compose_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The build of the image sees all that it needs: .dockerignore hides no file that is compiled
// or embedded.
func TestImageHasAllFiles(t *testing.T) {
	var hidden []string
	for line := range strings.Lines(read(t, "../../.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			hidden = append(hidden, line)
		}
	}
	if i := slices.IndexFunc(hidden, func(name string) bool { return strings.ContainsAny(name, "*?[!/\\") }); i >= 0 {
		t.Fatalf("%s: this test knows names only", hidden[i])
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-f", `{{if and .Module .Module.Main}}{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}`,
		"../../cmd/spdserver")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	needed := append(strings.Fields(string(out)), filepath.Join(root, "go.mod"), filepath.Join(root, "go.sum"))
	if len(needed) < 100 {
		t.Fatalf("%d files", len(needed))
	}
	for _, file := range needed {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		if top, _, _ := strings.Cut(name, "/"); slices.Contains(hidden, top) {
			t.Errorf("%s is hidden from the build", name)
		}
	}
}
