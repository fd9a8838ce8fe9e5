package integration

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// A node that is killed while it renames a directory leaves the rest to another one: after a
// while every file is there under exactly one name.
func TestNodeDiesInRename(t *testing.T) {
	t.Parallel()
	const files = 500
	for _, test := range []struct {
		name string
		when func(old, fresh int) bool
	}{
		{"while it copies", func(_, fresh int) bool { return fresh > files/10 }},
		{"while it deletes", func(old, fresh int) bool { return fresh >= files && old < files }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			one, two := twoNodes(t, nil)
			bucket := bucketOf(t, one)
			plantMany(t, bucket, "alice/old/", files)
			c := spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
			c.Do("350", "RNFR old")
			c.Send("RNTO new")
			spdtest.Await(t, "it is in the middle", func() error {
				fresh := countBelow(t, bucket, "alice/new/")
				return spdtest.Equal(test.when(countBelow(t, bucket, "alice/old/"), fresh), true)
			})
			one.Kill()
			left := countBelow(t, bucket, "alice/old/")
			t.Logf("%d files had the old name, %d the new one", left, countBelow(t, bucket, "alice/new/"))

			awaitSQL(t, two, "SELECT COUNT(*) FROM renames", "0")
			if old, fresh := countBelow(t, bucket, "alice/old/"), countBelow(t, bucket, "alice/new/"); old != 0 || fresh != files {
				t.Errorf("%d files have the old name, %d the new one", old, fresh)
			}
			for i := range files {
				if name := fmt.Sprintf("alice/new/%03d", i); i%50 == 0 && storedAs(t, bucket, name) != name[len("alice/new/"):] {
					t.Errorf("%s is another file", name)
				}
			}
			d := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
			if got := strings.Count(d.Get("NLST new"), "\r\n"); got != files {
				t.Errorf("%d files are listed", got)
			}
			d.Do("550", "CWD old")
			if left > 0 && !strings.Contains(two.Log(), "rename that was left is finished") {
				t.Error("the other node does not say that it has finished the rename")
			}
		})
	}
}

// plantMany stores files that hold their own names.
func plantMany(t *testing.T, bucket store.Store, dir string, n int) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		name := fmt.Sprintf("%03d", i)
		group.Go(func() error {
			_, err := bucket.Put(t.Context(), dir+name, strings.NewReader(name), int64(len(name)), store.PutOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// countBelow counts objects that are no directories.
func countBelow(t *testing.T, bucket store.Store, prefix string) (n int) {
	t.Helper()
	for o, err := range bucket.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(o.Key, "/") {
			n++
		}
	}
	return n
}
