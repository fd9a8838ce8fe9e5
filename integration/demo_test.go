package integration

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// demoFlags are for curl.
var demoFlags = []string{"-u", "demo:demo"}

func TestDemo(t *testing.T) {
	t.Parallel()
	demo := spdtest.NewDemo(t, filepath.Join(t.TempDir(), "fresh", "folder"))
	demo.Start()
	for _, want := range []string{"User      demo", "Password  demo", demo.Dir, "curl -T", "lftp -u demo,demo", demo.URL()} {
		if !strings.Contains(demo.Log(), want) {
			t.Errorf("does not say %q:\n%s", want, demo.Log())
		}
	}
	awaitReadyz(t, demo.Admin(), 200)
	file := write(t, filepath.Join(t.TempDir(), "f"), []byte("hello"))
	curl(t, append(demoFlags, "-T", file, demo.URL()+"/f")...)
	curl(t, append(demoFlags, "-k", "--ssl-reqd", "-T", file, demo.URL()+"/over-tls")...)
	script := "set ftp:ssl-allow true; set ftp:ssl-force true; set ftp:ssl-protect-data true; open -u demo,demo " + demo.URL() + "\n"
	if got := lftp(t, demo.URL(), script+"cat over-tls"); got != "hello" {
		t.Errorf("lftp over TLS: %q", got)
	}

	for _, end := range []func(){demo.Stop, demo.Kill} {
		end()
		demo.Start("--password", "changed")
		for _, name := range []string{"f", "over-tls"} {
			if got := curl(t, "-u", "demo:changed", demo.URL()+"/"+name); got != "hello" {
				t.Errorf("%s after a restart: %q", name, got)
			}
		}
	}
}

// Killed while files come in: those that were acknowledged are there after a restart.
func TestDemoKilledInMidUpload(t *testing.T) {
	t.Parallel()
	demo := spdtest.NewDemo(t, t.TempDir())
	demo.Start()
	for round := range 3 {
		addr := strings.TrimPrefix(demo.URL(), "ftp://")
		c := spdtest.LoginFTP(t, addr, "demo", "demo")
		for i := range 20 {
			c.Put("226", fmt.Sprintf("STOR %d-%d", round, i), []byte(strings.Repeat("x", i*1000)))
		}
		c.Put("226", fmt.Sprintf("STOR %d-large", round), make([]byte, 20<<20))
		data := c.Passive()
		c.Do("150", "STOR cut-%d", round)
		send(t, data, strings.Repeat("x", 20<<20))
		demo.Kill()
		demo.Start()
	}
	c := spdtest.LoginFTP(t, strings.TrimPrefix(demo.URL(), "ftp://"), "demo", "demo")
	names := slices.DeleteFunc(strings.Fields(c.Get("NLST")), func(name string) bool {
		return strings.HasPrefix(name, "cut-") // can be resumed
	})
	if len(names) != 3*21 {
		t.Errorf("%d files, want %d: %v", len(names), 3*21, names)
	}
	for round := range 3 {
		for i := range 20 {
			c.Do(fmt.Sprintf("213 %d", i*1000), "SIZE %d-%d", round, i)
		}
		c.Do(fmt.Sprintf("213 %d", 20<<20), "SIZE %d-large", round)
		c.Put("550", fmt.Sprintf("RETR cut-%d", round), nil)
	}
}

func TestDemoPortIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody connects
	for _, flag := range []string{"--listen", "--admin"} {
		demo := spdtest.NewDemo(t, t.TempDir())
		free := map[string]string{"--listen": "--admin", "--admin": "--listen"}[flag]
		demo.Launch(flag, l.Addr().String(), free, "127.0.0.1:0")
		if code := demo.Wait(); code != 1 {
			t.Errorf("%s: exit code %d", flag, code)
		}
		for _, want := range []string{flag, l.Addr().String(), "already in use"} {
			if !strings.Contains(demo.Log(), want) {
				t.Errorf("%s: does not say %q:\n%s", flag, want, demo.Log())
			}
		}
	}
}

// A full disk refuses uploads, and harms nothing that is there.
func TestDemoDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatalf("mount a small disk: %v (this test needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	demo := spdtest.NewDemo(t, dir)
	demo.Start()
	c := spdtest.LoginFTP(t, strings.TrimPrefix(demo.URL(), "ftp://"), "demo", "demo")
	c.Put("226", "STOR old", []byte("old content"))
	for _, name := range []string{"old", "new"} {
		c.Put("452|552", "STOR "+name, make([]byte, 100<<20))
	}
	if got := c.Get("RETR old"); got != "old content" {
		t.Errorf("the old file is now %.20q, %d bytes", got, len(got))
	}
	if got := c.Get("NLST"); got != "old\r\n" {
		t.Errorf("files: %q", got)
	}
	spdtest.Await(t, "nothing of the refused uploads is left", func() error {
		return spdtest.Equal(sizeOf(t, dir) > 10<<20, false) // the store cleans up behind requests it was told to drop
	})
	c.Put("226", "STOR new", make([]byte, 20<<20)) // there is room for that
	c.Put("452|552", "STOR old", make([]byte, 60<<20))
	for i := range 5 { // small files, until nothing fits any more
		c.Put("226|452|552", fmt.Sprintf("STOR small-%d", i), make([]byte, 10<<20))
	}
	if got := c.Get("RETR old"); got != "old content" {
		t.Errorf("the old file is now %.20q, %d bytes", got, len(got))
	}
	c.Do("250", "DELE new")
	c.Put("226", "STOR old", []byte("new content"))
}

func sizeOf(t *testing.T, dir string) int64 {
	t.Helper()
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
