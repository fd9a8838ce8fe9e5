package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// amount is what is stored, or counted.
type amount struct{ bytes, files int64 }

func (u amount) String() string { return fmt.Sprintf("%d\t%d", u.bytes, u.files) }

// storedBelow adds up what the store has.
func storedBelow(t *testing.T, bucket store.Store, prefix string) (sum amount) {
	t.Helper()
	for o, err := range bucket.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(o.Key, "/") {
			sum.bytes, sum.files = sum.bytes+o.Size, sum.files+1
		}
	}
	return sum
}

// counted is what the database says.
const counted = "SELECT bytes, files FROM usage_counts WHERE username = 'alice'"

// rescan counts again and checks that nothing is counted that is not there, or the other way
// round.
func rescan(t *testing.T, node *spdtest.SPD, bucket store.Store) {
	t.Helper()
	if out, code := node.Run("quota", "rescan", "alice"); code != 0 {
		t.Fatalf("quota rescan: exit code %d\n%s", code, out)
	}
	if got, want := node.SQL(counted), storedBelow(t, bucket, "alice/").String(); got != want {
		t.Errorf("counted %q, stored %q", got, want)
	}
}

// Twenty clients on two nodes fill a quota at once, while it is counted again. It is never
// exceeded, nothing is lost from the count, and what is granted is stored.
func TestQuotaUnderFire(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	limit := amount{10 << 20, 100}
	if out, code := one.Run("user", "set", "alice", "--quota-bytes", fmt.Sprint(limit.bytes), "--quota-files", fmt.Sprint(limit.files)); code != 0 {
		t.Fatal(out)
	}
	bucket := bucketOf(t, one)
	nodes := []*spdtest.SPD{one, two}
	var granted, refused, bytes atomic.Int64
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				c := spdtest.LoginFTP(t, nodes[i%2].Addr(), "alice", "secret")
				for n := range 12 {
					data := make([]byte, 10_000+rand.IntN(150_000))
					if n%4 == 3 {
						data = make([]byte, 0)
					}
					if strings.HasPrefix(c.Put("226|552", fmt.Sprintf("STOR %d-%d", i, n), data), "552") {
						refused.Add(1)
						continue
					}
					granted.Add(1)
					bytes.Add(int64(len(data)))
				}
				c.Do("221", "QUIT")
				c.Closed()
			})
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if now := storedBelow(t, bucket, "alice/"); now.bytes > limit.bytes || now.files > limit.files {
			t.Fatalf("the quota is exceeded: %v", now)
		}
		if out, code := one.Run("quota", "show", "alice"); code != 0 {
			t.Errorf("quota show: %s", out)
		}
	}
	stored := storedBelow(t, bucket, "alice/")
	if want := (amount{bytes.Load(), granted.Load()}); stored != want || refused.Load() == 0 {
		t.Errorf("stored %v, granted %v, refused %d", stored, want, refused.Load())
	}
	if stored.files != limit.files && stored.bytes < limit.bytes-160_000 {
		t.Errorf("only %v was stored", stored)
	}
	if got := one.SQL(counted); got != stored.String() {
		t.Errorf("counted %q, stored %q", got, stored)
	}
	rescan(t, two, bucket)
}

// A count that is made while clients store and delete is not too low, ever.
func TestRescanUnderFire(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	if out, code := one.Run("user", "set", "alice", "--quota-files", "100000"); code != 0 {
		t.Fatal(out)
	}
	bucket := bucketOf(t, one)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i, node := range []*spdtest.SPD{one, two, one, two} {
		clients.Go(func() {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				c := spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					c.Put("226", fmt.Sprintf("STOR %d-%d", i, n), []byte("hello"))
					if n%3 == 2 {
						c.Do("250", "DELE %d-%d", i, n-1)
					}
				}
			})
		})
	}
	for range 2 {
		if out, code := two.Run("quota", "rescan", "alice"); code != 0 {
			t.Errorf("quota rescan: %s", out)
		}
	}
	close(stop)
	clients.Wait()
	var bytes, files int64
	if _, err := fmt.Sscan(one.SQL(counted), &bytes, &files); err != nil {
		t.Fatal(err)
	}
	if stored := storedBelow(t, bucket, "alice/"); bytes < stored.bytes || files < stored.files {
		t.Errorf("counted %d bytes and %d files, stored %v", bytes, files, stored)
	}
	rescan(t, one, bucket)
}

// A node that is killed with uploads in every state leaves no lasting error, and the old
// files as they were.
func TestQuotaOfKilledNode(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	if out, code := one.Run("user", "set", "alice", "--quota-files", "100000"); code != 0 {
		t.Fatal(out)
	}
	bucket := bucketOf(t, one)
	plant(t, bucket, "alice/old", "old content")
	large := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	data := large.Passive()
	large.Do("150", "STOR old")
	if _, err := data.Write(make([]byte, 12<<20)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []string
	for i := range 400 {
		names = append(names, write(t, filepath.Join(dir, fmt.Sprintf("f%03d", i)), []byte(strings.Repeat("x", i+1))))
	}
	var clients sync.WaitGroup
	for i := range 6 {
		clients.Go(func() { // curl's end is that of the node
			list := "{" + strings.Join(names, ",") + "}"
			_ = run(t, nil, "curl", "-sS", "-u", "alice:secret", "--ftp-create-dirs", "-T", list, fmt.Sprintf("%s/c%d/", two.URL(), i))
		})
	}
	spdtest.Await(t, "files are being stored", func() error {
		if n := storedBelow(t, bucket, "alice/").files; n < 60 {
			return fmt.Errorf("%d files", n)
		}
		return nil
	})
	two.Kill()
	clients.Wait()
	one.AwaitLog("quota counted again")
	awaitSQL(t, one, "SELECT COUNT(*) FROM reservations", "0")
	if got, want := one.SQL(counted), storedBelow(t, bucket, "alice/").String(); got != want {
		t.Errorf("counted %q, stored %q", got, want)
	}
	if got := storedAs(t, bucket, "alice/old"); got != "old content" {
		t.Errorf("the old file has %d bytes", len(got))
	}
	rescan(t, one, bucket)
	_ = os.RemoveAll(dir) // of many files, before others look for space
}

// What several clients on two nodes do to the same names at once is counted as what it leaves
// behind, without a rescan.
func TestQuotaOfOneNameOnTwoNodes(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	if out, code := one.Run("user", "set", "alice", "--quota-files", "1000"); code != 0 {
		t.Fatal(out)
	}
	bucket := bucketOf(t, one)
	var clients []*spdtest.FTPClient
	for i := range 6 {
		clients = append(clients, spdtest.LoginFTP(t, []*spdtest.SPD{one, two}[i%2].Addr(), "alice", "secret"))
	}
	all := func(do func(c *spdtest.FTPClient, i int)) {
		t.Helper()
		var running sync.WaitGroup
		for i, c := range clients {
			running.Go(func() { do(c, i) })
		}
		running.Wait()
		if got, want := one.SQL(counted), storedBelow(t, bucket, "alice/").String(); got != want {
			t.Errorf("counted %q, stored %q", got, want)
		}
	}
	for round := range 10 {
		all(func(c *spdtest.FTPClient, i int) { c.Put("226", fmt.Sprintf("STOR f%d", round), make([]byte, 100+i)) })
		all(func(c *spdtest.FTPClient, i int) {
			if i < 3 {
				c.Put("226", fmt.Sprintf("STOR f%d", round), make([]byte, 10+i))
			} else {
				c.Do("250|550", "DELE f%d", round)
			}
		})
		all(func(c *spdtest.FTPClient, _ int) { c.Do("250|550", "DELE f%d", round) })
	}
	if got := one.SQL(counted); got != "0\t0" {
		t.Errorf("counted %q at last", got)
	}
	for _, c := range clients {
		c.Do("221", "QUIT")
		c.Closed()
	}
}
