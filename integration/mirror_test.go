package integration

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// The sources of Go's standard library: ten thousand files in a thousand directories.
func TestMirrorOfTenThousandFiles(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	source := goSources(t)
	files, _ := countFiles(t, source)
	if files < 8_000 {
		t.Errorf("only %d files in %s", files, source)
	}
	t.Logf("%d files", files)
	mirrorBothWays(t, s, s.URL(), source, "")
}

// The same with every kind of FTPS, on less.
func TestMirrorOverTLS(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true, Config: map[string]string{"tls.required": "true"}})
	source := filepath.Join(goSources(t), "encoding")
	const always = "set ftp:ssl-allow true; set ftp:ssl-force true; set ftp:ssl-protect-data true\n"
	for _, test := range []struct{ name, url string }{{"explicit", s.URL()}, {"implicit", s.ImplicitURL()}} {
		t.Run(test.name, func(t *testing.T) {
			mirrorBothWays(t, s, test.url, source, always)
			lftp(t, test.url, always+"rm -r tree")
		})
	}
}

// goSources is the folder of the standard library.
func goSources(t *testing.T) string {
	t.Helper()
	return filepath.Join(strings.TrimSpace(run(t, nil, "go", "env", "GOROOT").stdout), "src")
}

// mirrorBothWays sends a tree up, fetches it back, and sees that nothing is left to do and
// that the copies are the same. lftp makes empty files without asking the server.
func mirrorBothWays(t *testing.T, s *spdtest.SPD, url, source, settings string) {
	t.Helper()
	files, empty := countFiles(t, source)
	back := filepath.Join(t.TempDir(), "back")
	for _, step := range []struct {
		what, command string
		up, down      int
	}{
		{"up", "mirror -R --parallel=10 " + source + " tree", files, 0},
		{"up again", "mirror -R --parallel=10 " + source + " tree", 0, 0},
		{"back", "mirror --parallel=10 tree " + back, 0, files - empty},
		{"back again", "mirror --parallel=10 tree " + back, 0, 0},
	} {
		up, down, begun := stored(s), fetched(s), time.Now()
		lftp(t, url, settings+step.command)
		t.Logf("%s: %v", step.what, time.Since(begun).Round(10*time.Millisecond))
		if got := stored(s) - up; got != step.up {
			t.Errorf("%s: %d files stored, want %d", step.what, got, step.up)
		}
		if got := fetched(s) - down; got != step.down {
			t.Errorf("%s: %d files fetched, want %d", step.what, got, step.down)
		}
	}
	sameTrees(t, source, back)
	sameTimes(t, source, back)
}

// sameTrees compares names and bytes.
func sameTrees(t *testing.T, a, b string) {
	t.Helper()
	if r := run(t, nil, "diff", "-r", a, b); r.code != 0 {
		t.Errorf("diff -r %s %s: %.2000s%s", a, b, r.stdout, r.stderr)
	}
}

// stored and fetched count the files that the node has taken and given.
func stored(s *spdtest.SPD) int  { return strings.Count(s.Log(), `"verb":"STOR"`) }
func fetched(s *spdtest.SPD) int { return strings.Count(s.Log(), `"verb":"RETR"`) }

func countFiles(t *testing.T, dir string) (files, empty int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() == 0 {
			empty++
		}
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, empty
}

// sameTimes checks that files have the same modification times, to the second.
func sameTimes(t *testing.T, a, b string) {
	t.Helper()
	different := 0
	err := filepath.WalkDir(a, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(a, name)
		if err != nil {
			return err
		}
		left, right := modTime(t, name), modTime(t, filepath.Join(b, rel))
		if !left.Equal(right) {
			if different++; different <= 5 {
				t.Errorf("%s: time %v, want %v", rel, right, left)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if different > 0 {
		t.Errorf("%d files have other times", different)
	}
}
