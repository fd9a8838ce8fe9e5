package integration

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// result is what a client program has done.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program that must be there. stdin may be nil.
func run(t *testing.T, stdin io.Reader, name string, args ...string) result {
	t.Helper()
	cmd := command(t, name, args...)
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v: install it", name, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// command is a program with a home of its own, and none of the user's settings.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C.UTF-8", "TZ=UTC"}
	return cmd
}

// curl runs curl, which must succeed, and returns what it writes.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	r := tryCurl(t, args...)
	if r.code != 0 {
		t.Fatalf("curl %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r.stdout
}

// tryCurl runs curl as alice.
func tryCurl(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, nil, "curl", append([]string{"-sS", "--max-time", "120", "-u", "alice:secret"}, args...)...)
}

// lftp runs a script in lftp as alice, connected to url. Every command must succeed.
func lftp(t *testing.T, url, script string) string {
	t.Helper()
	r := tryLftp(t, url, script)
	if r.code != 0 {
		t.Fatalf("lftp: exit code %d\n%s\n%s%s", r.code, script, r.stdout, r.stderr)
	}
	return r.stdout
}

func tryLftp(t *testing.T, url, script string) result {
	t.Helper()
	const settings = `
set cmd:fail-exit true
set net:max-retries 2
set net:reconnect-interval-base 1
set net:timeout 60
set ssl:verify-certificate no
set ftp:ssl-allow no
set ftp:sync-mode no
set mirror:set-permissions false
`
	return run(t, strings.NewReader(settings+"open -u alice,secret "+url+"\n"+script+"\n"), "lftp", "--norc")
}

// write makes a file with its directories.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// modTime is a file's modification time, to the second.
func modTime(t *testing.T, name string) time.Time {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime().Truncate(time.Second).UTC()
}
