package integration

import (
	"fmt"
	"io"
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
				if got := curl(t, "-k", test.url+"/old"); got != "old content" {
					t.Errorf("the old file is now %.20q, %d bytes", got, len(got))
				}
				if got := curl(t, "-k", "-l", test.url+"/"); got != "old\n" {
					t.Errorf("files: %q", got)
				}
			})
		}
	}
	if got := s.SQL("SELECT COUNT(*) FROM uploads"); got != "0" {
		t.Errorf("%s uploads are left in the journal", got)
	}
}

// killInUpload begins an upload with curl, and kills curl when the node has some of it.
func killInUpload(t *testing.T, s *spdtest.SPD, size int, args ...string) {
	t.Helper()
	cmd := command(t, "curl", append([]string{"-sS", "-u", "alice:secret", "-T", "-"}, args...)...)
	content, input := io.Pipe()
	cmd.Stdin = content
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := input.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	spdtest.Await(t, "the node has some of the upload", func() error {
		return spdtest.Equal(metric(t, s.Admin(), "spd_transfer_memory_bytes") > 0, true)
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = input.Close()
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
	if got := curl(t, "-l", s.URL()+"/"); got != "" {
		t.Errorf("files: %q", got)
	}
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
		if got := curl(t, s.URL()+"/old"); got != "old content" {
			t.Errorf("the old file is now %.20q, %d bytes", got, len(got))
		}
		if got := curl(t, "-l", s.URL()+"/"); got != "old\n" {
			t.Errorf("files: %q", got)
		}
	}
}
