package integration

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

func TestNcftp(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	bucket := bucketOf(t, s)
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for name, data := range map[string]string{
		"one.txt": "one\n", "two.txt": "two\r\n", "three.dat": noise(3, 1<<20), "empty.txt": "",
		"sub/four.txt": "four", "sub/deeper/five.txt": noise(5, 100_000), "two words/six.txt": "six",
	} {
		write(t, filepath.Join(tree, name), []byte(data))
	}

	for name, flags := range map[string][]string{"passive": {"-F"}, "active": {"-E"}} {
		t.Run("a tree, "+name, func(t *testing.T) {
			up, back := "up-"+name, filepath.Join(t.TempDir(), "back")
			write(t, filepath.Join(back, "keep"), nil)
			ncftp(t, s, "ncftpput", append(flags, "-R", "-m"), "/"+up, tree)
			if got := storedAs(t, bucket, "alice/"+up+"/tree/sub/deeper/five.txt"); got != noise(5, 100_000) {
				t.Errorf("the store has %d bytes", len(got))
			}
			ncftp(t, s, "ncftpget", append(flags, "-R", "-T"), back, "/"+up+"/tree")
			sameTrees(t, tree, filepath.Join(back, "tree"))
		})
	}

	t.Run("a pattern", func(t *testing.T) {
		back := t.TempDir()
		ncftp(t, s, "ncftpget", nil, back, "/up-passive/tree/*.txt")
		got, err := filepath.Glob(filepath.Join(back, "*"))
		if err != nil || len(got) != 3 {
			t.Fatalf("fetched %v, %v", got, err)
		}
		for _, name := range []string{"one.txt", "two.txt", "empty.txt"} {
			if read(t, filepath.Join(back, name)) != read(t, filepath.Join(tree, name)) {
				t.Errorf("%s differs", name)
			}
		}
	})

	t.Run("a tree by a pattern", func(t *testing.T) {
		back := t.TempDir()
		ncftp(t, s, "ncftpget", []string{"-R", "-T"}, back, "/up-passive/tree/s*")
		sameTrees(t, filepath.Join(tree, "sub"), filepath.Join(back, "sub"))
	})

	t.Run("append", func(t *testing.T) {
		for range 2 {
			ncftp(t, s, "ncftpput", []string{"-A"}, "/", filepath.Join(tree, "one.txt"))
		}
		if got := storedAs(t, bucket, "alice/one.txt"); got != "one\none\n" {
			t.Errorf("the store has %q", got)
		}
	})

	t.Run("resumed upload", func(t *testing.T) {
		plant(t, bucket, "alice/three.dat", noise(3, 1<<20)[:400_000])
		// Without -s it skips what is there, and then has the kernel send the file from its begin.
		ncftp(t, s, "ncftpput", []string{"-z", "-s"}, "/", filepath.Join(tree, "three.dat"))
		if got := storedAs(t, bucket, "alice/three.dat"); got != noise(3, 1<<20) {
			t.Errorf("the store has %d bytes", len(got))
		}
	})

	t.Run("resumed download", func(t *testing.T) {
		back := t.TempDir()
		part := write(t, filepath.Join(back, "three.dat"), []byte(noise(3, 1<<20)[:400_000]))
		ncftp(t, s, "ncftpget", []string{"-z"}, back, "/three.dat")
		if read(t, part) != noise(3, 1<<20) {
			t.Error("the file differs")
		}
	})

	t.Run("listings", func(t *testing.T) {
		host, port := hostPort(t, s)
		r := run(t, nil, "ncftpls", "-u", "alice", "-p", "secret", "-P", port, "-1", "ftp://"+host+"/up-passive/tree/")
		if want := "empty.txt\none.txt\nsub\nthree.dat\ntwo words\ntwo.txt\n"; r.code != 0 || r.stdout != want {
			t.Errorf("exit code %d, %q\n%s", r.code, r.stdout, r.stderr)
		}
	})

	t.Run("what is not there", func(t *testing.T) {
		host, port := hostPort(t, s)
		r := run(t, nil, "ncftpget", "-V", "-u", "alice", "-p", "secret", "-P", port, host, t.TempDir(), "/missing")
		if r.code == 0 {
			t.Error("fetched")
		}
	})
}

// ncftp runs ncftpput or ncftpget as alice; it must succeed.
func ncftp(t *testing.T, s *spdtest.SPD, program string, flags []string, args ...string) {
	t.Helper()
	host, port := hostPort(t, s)
	all := append([]string{"-V", "-u", "alice", "-p", "secret", "-P", port, "-t", "60", "-r", "1"}, flags...)
	r := run(t, nil, program, append(append(all, host), args...)...)
	if r.code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s%s", program, strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
}

func hostPort(t *testing.T, s *spdtest.SPD) (host, port string) {
	t.Helper()
	host, port, ok := strings.Cut(s.Addr(), ":")
	if _, err := strconv.Atoi(port); !ok || err != nil {
		t.Fatalf("address %s", s.Addr())
	}
	return host, port
}
