package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// A client that is killed in mid-upload closes its connections as one does that is done.
func TestKilledClientPublishesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true})
	old := write(t, filepath.Join(t.TempDir(), "old"), []byte("old content"))
	for _, test := range []struct {
		name, url string
		flags     []string
	}{
		{"plain", s.URL(), nil},
		{"explicit TLS", s.URL(), []string{"-k", "--ssl-reqd"}},
		{"implicit TLS", s.ImplicitURL(), []string{"-k"}},
	} {
		for _, size := range []int{1_000, 1_000_000, 20_000_000} {
			t.Run(fmt.Sprintf("%s %d bytes", test.name, size), func(t *testing.T) {
				curl(t, "-k", "-T", old, test.url+"/old")
				for _, name := range []string{"old", "new"} {
					killInUpload(t, s, size, append(test.flags, test.url+"/"+name)...)
				}
				onlyOldIsThere(t, s)
			})
		}
	}
}

// onlyOldIsThere looks with the eyes of another account: alice herself is shown what she
// can resume.
func onlyOldIsThere(t *testing.T, s *spdtest.SPD) {
	t.Helper()
	if !strings.Contains(s.SQL("SELECT username FROM users"), "watcher") {
		s.AddUser("watcher", "secret", "--prefix", "alice/", "--permissions", "ro")
	}
	c := spdtest.LoginFTP(t, s.Addr(), "watcher", "secret")
	if got := c.Get("RETR old"); got != "old content" {
		t.Errorf("the old file is now %.20q, %d bytes", got, len(got))
	}
	if got := c.Get("NLST"); got != "old\r\n" {
		t.Errorf("files: %q", got)
	}
	c.Do("221", "QUIT")
	c.Closed()
}

// killInUpload begins an upload with curl, and kills curl when the node has some of it.
func killInUpload(t *testing.T, s *spdtest.SPD, size int, args ...string) {
	t.Helper()
	cmd := command(t, "curl", append([]string{"-sS", "-u", "alice:secret", "-T", "-"}, args...)...)
	content, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = input.Close() }() // after curl's end: it must not see one of the file
	cmd.Stdin = content
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = content.Close() // curl has it
	if _, err := input.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	spdtest.Await(t, "the node has some of the upload", func() error {
		return spdtest.Equal(metric(t, s.Admin(), "spd_transfer_memory_bytes") > 0, true)
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	spdtest.Await(t, "the session is over", func() error {
		return spdtest.Equal(metric(t, s.Admin(), "spd_sessions"), 0)
	})
}

// The client has sent all and closed its data connection, but is gone when the last parts
// reach the store.
func TestClientGoneBeforeTheEndPublishesNothing(t *testing.T) {
	t.Parallel()
	s, proxy := behindProxy(t, map[string]string{})
	curl(t, "-T", write(t, filepath.Join(t.TempDir(), "old"), []byte("old content")), s.URL()+"/old")
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	data := c.Passive()
	c.Do("150", "STOR new")
	proxy.Hang()
	send(t, data, strings.Repeat("x", 20<<20))
	_ = data.Close()
	_ = c.Conn.Close()
	proxy.Restore()
	spdtest.Await(t, "the session is over", func() error {
		return spdtest.Equal(metric(t, s.Admin(), "spd_sessions"), 0)
	})
	onlyOldIsThere(t, s)
}

// A node that is killed loses what it was being sent, and nothing else.
func TestKilledNodePublishesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	old := write(t, filepath.Join(t.TempDir(), "old"), []byte("old content"))
	curl(t, "-T", old, s.URL()+"/old")
	for _, name := range []string{"old", "new"} {
		c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
		data := c.Passive()
		c.Do("150", "STOR %s", name)
		send(t, data, strings.Repeat("x", 20<<20))
		s.Kill()
		s.Serve()
		onlyOldIsThere(t, s)
	}
}

// What broke off on one node is resumed on another.
func TestResumeOnAnotherNode(t *testing.T) {
	t.Parallel()
	first := start(t, spdtest.Options{})
	config := map[string]string{"s3.bucket": first.Bucket}
	second := spdtest.Start(t, spdtest.Options{Servers: servers, DSN: first.DSN, Config: config})
	content := strings.Repeat("0123456789abcdef", 2<<20)
	file := write(t, filepath.Join(t.TempDir(), "f"), []byte(content))

	killInUpload(t, first, 20<<20, first.URL()+"/f")
	curl(t, "-C", "-", "-T", file, second.URL()+"/f")
	if got := curl(t, first.URL()+"/f"); len(got) != len(content) {
		t.Errorf("%d bytes, want %d", len(got), len(content))
	}
	if strings.Contains(second.Log(), fmt.Sprintf(`"bytes":%d`, len(content))) {
		t.Error("the file was sent from its beginning")
	}
}
