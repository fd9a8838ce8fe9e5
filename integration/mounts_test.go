package integration

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/s3"
)

// newBucket makes a bucket beside the nodes'.
func newBucket(t *testing.T) (name string, bucket store.Store) {
	t.Helper()
	client, err := s3.New(s3.Options{
		Endpoint: servers.S3.URL, AccessKey: servers.S3.AccessKey, SecretKey: servers.S3.SecretKey,
		Region: "us-east-1", PathStyle: true, Checksum: s3.CRC32C,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	name = "spd-" + strings.ToLower(rand.Text())
	if err := client.MakeBucket(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name, client.Bucket(name)
}

// lftp sees mounts as directories, mirrors into them, moves files and directories across
// them, and is told why it may not remove them.
func TestMountsWithLftp(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	name, other := newBucket(t)
	home := bucketOf(t, s)
	s.SQL(fmt.Sprintf(`INSERT INTO mounts (username, path, bucket, prefix, quota, quota_bytes) VALUES
		('alice', '/team/shared', '%[1]s', 'place/', 'own', 100000000), ('alice', '/archive', '%[1]s', 'old/', 'shared', NULL);
		INSERT INTO mounts (username, path, bucket, prefix, read_only) VALUES ('alice', '/look', '%[1]s', 'place/', 1);
		INSERT INTO mounts (username, path, bucket) VALUES ('alice', '/gone', 'spd-no-such-bucket');`, name))

	tree := t.TempDir()
	for i := range 20 {
		write(t, filepath.Join(tree, fmt.Sprintf("file%d", i)), []byte(strings.Repeat("x", i)))
	}
	large := make([]byte, 17<<20) // more than a copy between buckets holds at a time
	_, _ = rand.Read(large)       // never fails
	write(t, filepath.Join(tree, "large"), large)

	if got := lftp(t, s.URL(), "cls -1"); got != "archive/\ngone/\nlook/\nteam/\n" {
		t.Errorf("ls: %q", got)
	}
	if got := lftp(t, s.URL(), "cls -1 team"); got != "team/shared/\n" {
		t.Errorf("ls team: %q", got)
	}
	lftp(t, s.URL(), "mirror -R --parallel=4 "+tree+" /team/shared/tree")
	back := filepath.Join(t.TempDir(), "back")
	lftp(t, s.URL(), "mirror --parallel=4 /look/tree "+back)
	sameTrees(t, tree, back)
	sameTimes(t, tree, back)
	if got := storedAs(t, other, "place/tree/large"); got != string(large) {
		t.Errorf("%d bytes are stored", len(got))
	}

	lftp(t, s.URL(), "mv /team/shared/tree /tree") // across buckets, a large file among them
	lftp(t, s.URL(), "mv /tree/large /archive/")
	if got := storedAs(t, other, "old/large"); got != string(large) {
		t.Errorf("%d bytes after moves", len(got))
	}
	if left := objectsBelow(t, other, "place/tree/"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if got := storedAs(t, home, "alice/tree/file19"); got != strings.Repeat("x", 19) {
		t.Errorf("file19 is %q", got)
	}
	lftp(t, s.URL(), "mirror /tree "+filepath.Join(t.TempDir(), "again"))

	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	for _, command := range []string{"RMD /archive", "RMD /team", "DELE /archive", "MKD /look/new", "DELE /look/x", "CWD /gone"} {
		c.Do("550", "%s", command)
	}
	c.Do("350|550|553", "RNFR /archive")
	c.Do("550|553|503", "RNTO /elsewhere")
	c.Put("550", "STOR /look/new", []byte("x"))
	c.Put("226", "STOR /team/shared/new", []byte("x"))
	if got := storedAs(t, other, "place/new"); got != "x" {
		t.Errorf("new is %q", got)
	}
	if out, code := s.Run("quota", "rescan", "alice"); code != 0 || !strings.Contains(out, "alice /team/shared: 1 of 100000000 bytes, 1 of any files") {
		t.Errorf("quota rescan: exit code %d\n%s", code, out)
	}
	s.AwaitLog("spd-no-such-bucket")
}
