package integration

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// How often, and how many at a time, clients die in each way.
const (
	deaths  = 50
	workers = 5
)

// Clients die in mid-upload by the hundred, and no file is published or harmed by that.
func TestManyClientsDie(t *testing.T) {
	t.Parallel()
	node := start(t, spdtest.Options{TLS: true})
	bucket := bucketOf(t, node)
	for i := range deaths {
		plant(t, bucket, fmt.Sprintf("alice/old-%d", i), fmt.Sprintf("old content %d", i))
	}
	before := objectsBelow(t, bucket, "alice/")
	if len(before) != deaths {
		t.Fatalf("%d objects at first", len(before))
	}
	for _, private := range []bool{false, true} {
		for _, size := range []int{2 << 20, 24 << 20} {
			for _, name := range []string{"new", "old"} {
				t.Run(fmt.Sprintf("TLS %v, %d MiB, %s", private, size>>20, name), func(t *testing.T) {
					share := make(map[string]func(*testing.T))
					for w := range workers {
						share[fmt.Sprint(w)] = func(t *testing.T) {
							for i := w; i < deaths; i += workers {
								dieInUpload(t, node, private, fmt.Sprintf("%s-%d", name, i), size)
							}
						}
					}
					together(t, share)
					spdtest.Await(t, "all sessions are over", func() error {
						return spdtest.Equal(metric(t, node.Admin(), "spd_sessions"), 0)
					})
					if after := objectsBelow(t, bucket, "alice/"); !slices.Equal(before, after) {
						t.Errorf("objects %q, want %q", after, before)
					}
				})
			}
		}
	}
	for i := range deaths {
		if got := storedAs(t, bucket, fmt.Sprintf("alice/old-%d", i)); got != fmt.Sprintf("old content %d", i) {
			t.Errorf("old file %d has %d bytes", i, len(got))
		}
	}
}

// objectsBelow lists what is stored, with what tells versions apart.
func objectsBelow(t *testing.T, bucket store.Store, prefix string) []string {
	t.Helper()
	var found []string
	for o, err := range bucket.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprintf("%s %d %s %s", o.Key, o.Size, o.ETag, o.ModTime.Format(time.RFC3339Nano)))
	}
	return found
}

// dieInUpload begins an upload of size bytes, and ends as a process that is killed: all
// connections close, in the order in which they were opened, and no TLS says goodbye.
func dieInUpload(t *testing.T, node *spdtest.SPD, private bool, name string, size int) {
	t.Helper()
	c := spdtest.DialFTP(t, node.Addr())
	control := c.Conn
	if private {
		c.StartTLS()
	}
	c.Do("331", "USER alice")
	c.Do("230", "PASS secret")
	if private {
		c.Do("200", "PBSZ 0")
		c.Do("200", "PROT P")
	}
	data := c.Passive()
	wire := data
	c.Do("150", "STOR %s", name)
	if private {
		data = tls.Client(data, &tls.Config{InsecureSkipVerify: true})
	}
	share := rand.Float64()
	if _, err := data.Write(make([]byte, int(share*share*float64(size)))); err != nil {
		t.Fatal(err)
	}
	if rand.IntN(4) == 0 { // its host has crashed
		_ = control.(*net.TCPConn).SetLinger(0)
		_ = wire.(*net.TCPConn).SetLinger(0)
	}
	_ = control.Close()
	_ = wire.Close()
}

// Real processes, which the kernel ends.
func TestCurlIsKilled(t *testing.T) {
	t.Parallel()
	node := start(t, spdtest.Options{TLS: true})
	bucket := bucketOf(t, node)
	tests := make(map[string]func(*testing.T))
	for _, size := range []int{2 << 20, 24 << 20} {
		file := write(t, filepath.Join(t.TempDir(), "file"), make([]byte, size))
		for scheme, flags := range map[string][]string{"plain": nil, "TLS": {"-k", "--ssl-reqd"}} {
			for _, old := range []string{"", "old content"} {
				name := strings.ReplaceAll(fmt.Sprintf("%s-%d-%.3s", scheme, size, old), " ", "")
				tests[name] = func(t *testing.T) {
					if old != "" {
						plant(t, bucket, "alice/"+name, old)
					}
					args := append([]string{"-sS", "-u", "alice:secret", "--limit-rate", fmt.Sprint(size / 8), "-T", file}, flags...)
					client := command(t, "curl", append(args, node.URL()+"/"+name)...)
					if err := client.Start(); err != nil {
						t.Fatal(err)
					}
					spdtest.Await(t, "the transfer has begun", func() error {
						_, page := get(t, node.Admin()+"/metrics")
						return spdtest.Equal(strings.Contains(page, "spd_sessions 0\n"), false)
					})
					time.Sleep(rand.N(3 * time.Second)) // at any moment will do
					if err := client.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					if client.Wait() == nil {
						t.Error("the upload was complete before")
					}
				}
			}
		}
	}
	together(t, tests)
	spdtest.Await(t, "all sessions are over", func() error {
		return spdtest.Equal(metric(t, node.Admin(), "spd_sessions"), 0)
	})
	for name := range tests {
		want := ""
		if strings.HasSuffix(name, "old") {
			want = "old content"
		}
		if got := storedAs(t, bucket, "alice/"+name); got != want {
			t.Errorf("%s has %d bytes now", name, len(got))
		}
	}
}
