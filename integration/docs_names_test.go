package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the documentation names by its name is there: tests, files of the program, settings.
func TestDocsNames(t *testing.T) {
	tests := make(map[string]bool)
	var pages []string
	walkModule(t, func(name string) {
		switch {
		case strings.HasSuffix(name, ".md"):
			pages = append(pages, name)
		case strings.HasSuffix(name, "_test.go"):
			for _, test := range names(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`, page(t, name)) {
				tests[test] = true
			}
		}
	})
	keys := names("(?m)^\\| `(\\w+\\.\\w+)` \\|", page(t, "docs/configuration.md")) // all of them: a test of config says so
	var sections []string
	for _, key := range keys {
		section, _, _ := strings.Cut(key, ".")
		sections = append(sections, section)
	}
	if len(tests) < 100 || len(keys) < 50 || len(pages) < 10 {
		t.Fatalf("%d tests, %d keys, %d pages", len(tests), len(keys), len(pages))
	}

	for _, p := range pages {
		text := page(t, p)
		for _, test := range names(`\b((?:Test|Benchmark|Fuzz)[A-Z]\w+)`, text) {
			if !tests[test] {
				t.Errorf("%s: there is no test %s", p, test)
			}
		}
		for _, file := range names("`([\\w./-]+\\.go)`", text) {
			if !exists(file) && !exists(filepath.Join(filepath.Dir(p), file)) {
				t.Errorf("%s: there is no file %s", p, file)
			}
		}
		for _, key := range names("`([a-z0-9]+\\.[a-z_0-9]+)[`:]", text) {
			section, _, _ := strings.Cut(key, ".")
			isFile := strings.HasSuffix(key, ".go") || strings.HasSuffix(key, ".yaml")
			if slices.Contains(sections, section) && !slices.Contains(keys, key) && !isFile {
				t.Errorf("%s: there is no key %s", p, key)
			}
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join("..", name))
	return err == nil
}

// walkModule calls f with each file's name, but for those in hidden folders.
func walkModule(t *testing.T, f func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), ".") {
			return skipFolder(err)
		}
		if !entry.IsDir() {
			f(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
