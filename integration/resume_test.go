package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

const (
	hugeFile = 256 << 20 // bytes
	hugePart = 8 << 20   // bytes of a part, the default
	inFlight = 4         // parts that are sent at a time, the default
	// atRisk is what a crash may cost at most: parts in flight, those being received, and
	// as much again for what the next session has in its hands when it counts.
	atRisk = 2 * hugePart * inFlight
)

// another starts a second node on the store and the database of the first.
func another(t *testing.T, first *spdtest.SPD) *spdtest.SPD {
	t.Helper()
	return spdtest.Start(t, spdtest.Options{Servers: first.Servers, DSN: first.DSN, Config: map[string]string{"s3.bucket": first.Bucket}})
}

// hugeFileOn writes a file that does not repeat, and returns its name and hash.
func hugeFileOn(t *testing.T) (name, sum string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "huge")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // what is missing would show
	h := sha256.New()
	for i := range byte(hugeFile >> 24) {
		if _, err := io.WriteString(io.MultiWriter(f, h), noise(i, 1<<24)); err != nil {
			t.Fatal(err)
		}
	}
	return name, hex.EncodeToString(h.Sum(nil))
}

// durable is how many bytes of the only upload of a key are stored.
func durable(t *testing.T, bucket store.Store, key string) int64 {
	t.Helper()
	uploads, err := bucket.Uploads(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, u := range uploads {
		parts, err := bucket.Parts(t.Context(), u.Key, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			size += p.Size
		}
	}
	return size
}

// hashOf is the hash of an object.
func hashOf(t *testing.T, bucket store.Store, key string) string {
	t.Helper()
	body, _, err := bucket.Open(t.Context(), key, 0, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// An upload that breaks off in the middle, whoever is to blame, is finished by "put -c",
// and what the store has already is not sent again.
func TestResumedUpload(t *testing.T) {
	t.Parallel()
	file, sum := hugeFileOn(t)
	for _, test := range []struct {
		name string
		kill func(first *spdtest.SPD, client *os.Process) error
	}{
		{"the client is killed", func(_ *spdtest.SPD, client *os.Process) error { return client.Kill() }},
		{"the node is killed", func(first *spdtest.SPD, _ *os.Process) error { first.Kill(); return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			first := start(t, spdtest.Options{})
			second := another(t, first)
			bucket := bucketOf(t, first)
			client := command(t, "curl", "-sS", "-u", "alice:secret", "--limit-rate", "150M", "-T", file, first.URL()+"/huge")
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			spdtest.Await(t, "a third is stored", func() error {
				return spdtest.Equal(durable(t, bucket, "alice/huge") > hugeFile/3, true)
			})
			if err := test.kill(first, client.Process); err != nil {
				t.Fatal(err)
			}
			if client.Wait() == nil {
				t.Fatal("the upload was complete before it broke off")
			}
			if storedAs(t, bucket, "alice/huge") != "" {
				t.Error("half a file was published")
			}
			if strings.Contains(test.name, "client") { // else nobody is there to wait for
				spdtest.Await(t, "the session is over", func() error {
					return spdtest.Equal(metric(t, first.Admin(), "spd_sessions"), 0)
				})
			}
			had := durable(t, bucket, "alice/huge")

			lftp(t, second.URL(), fmt.Sprintf("put -c %s -o huge", file))
			if got := hashOf(t, bucket, "alice/huge"); got != sum {
				t.Error("the file differs")
			}
			sent := int64(metric(t, second.Admin(), `spd_s3_bytes_total{direction="sent"}`))
			t.Logf("%d MiB were stored, %d MiB sent by the second node", had>>20, sent>>20)
			if sent == 0 || had+sent >= hugeFile+atRisk {
				t.Errorf("%d bytes were stored, and %d sent again, of %d", had, sent, hugeFile)
			}
			if got := first.SQL("SELECT COUNT(*) FROM uploads"); got != "0" {
				t.Errorf("%s uploads are left in the journal", got)
			}
			if got := durable(t, bucket, "alice/huge"); got != 0 {
				t.Errorf("%d bytes of uploads are left in the store", got)
			}
		})
	}
}

// A download from a node that is killed goes on at another, from where it was.
func TestResumedDownload(t *testing.T) {
	t.Parallel()
	first := start(t, spdtest.Options{})
	second := another(t, first)
	content := noise(6, 48<<20)
	plant(t, bucketOf(t, first), "alice/f", content)

	c := spdtest.LoginFTP(t, first.Addr(), "alice", "secret")
	conn := c.Passive()
	c.Do("150", "RETR f")
	got := make([]byte, 20<<20)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	first.Kill()
	rest, err := io.ReadAll(conn)
	if err == nil && len(got)+len(rest) == len(content) {
		t.Fatal("all was there before the node was killed")
	}
	got = append(got, rest...)
	if !strings.HasPrefix(content, string(got)) {
		t.Fatalf("the first %d bytes differ", len(got))
	}
	c = spdtest.LoginFTP(t, second.Addr(), "alice", "secret")
	c.Do(fmt.Sprint("213 ", len(content)), "SIZE f")
	c.Do("350", "REST %d", len(got))
	if string(got)+c.Get("RETR f") != content {
		t.Error("the file differs")
	}
}
