package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages lists what is fetched: package, version, licence.
//
//go:embed packages.tsv
var packages string

// fetch downloads and unpacks the packages into cache, and returns where they are.
func fetch(cache string, anyVersion bool) (root string, err error) {
	root = filepath.Join(cache, "root")
	done := filepath.Join(cache, "done")
	if err := os.MkdirAll(done, 0o750); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(strings.NewReader(packages))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		want := fields[0] + "=" + fields[1]
		if anyVersion {
			want = fields[0]
		}
		stamp := filepath.Join(done, strings.NewReplacer("/", "_", ":", "_").Replace(want))
		if _, err := os.Stat(stamp); err == nil {
			continue
		}
		if err := install(cache, root, want); err != nil {
			return "", fmt.Errorf("%w\n(if Debian has a newer version by now: update packages.tsv or use -any-version; the models change a little)", err)
		}
		if err := os.WriteFile(stamp, nil, 0o600); err != nil {
			return "", err
		}
	}
	return root, lines.Err()
}

// install downloads one package and unpacks it below root.
func install(cache, root, want string) error {
	log.Print("fetching ", want)
	dir, err := os.MkdirTemp(cache, "deb")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()                    // it is in the cache or in the temporary directory
	download := exec.Command("apt-get", "download", "-q", want) //nolint:gosec // names are from packages.tsv
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("download %s: %w: %s", want, err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("download %s: got %q", want, files)
	}
	if out, err := exec.Command("dpkg-deb", "-x", files[0], root).CombinedOutput(); err != nil { //nolint:gosec // what was just downloaded
		return fmt.Errorf("unpack %s: %w: %s", want, err, out)
	}
	return nil
}
