package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// A node that is paused, or cut off from the database, in mid-upload loses the upload to
// the node that its client turns to. When it comes back it neither publishes its upload nor
// spoils the other's.
func TestTwoNodesNeverOwnOneUpload(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		lose, back func(*spdtest.SPD, *spdtest.Proxy)
	}{
		{"paused", func(s *spdtest.SPD, _ *spdtest.Proxy) { s.Signal(syscall.SIGSTOP) }, func(s *spdtest.SPD, _ *spdtest.Proxy) { s.Signal(syscall.SIGCONT) }},
		{"cut off", func(_ *spdtest.SPD, p *spdtest.Proxy) { p.Cut() }, func(_ *spdtest.SPD, p *spdtest.Proxy) { p.Restore() }},
		{"hanging", func(_ *spdtest.SPD, p *spdtest.Proxy) { p.Hang() }, func(_ *spdtest.SPD, p *spdtest.Proxy) { p.Restore() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			one, two, proxy := oneCutOff(t)
			t.Cleanup(func() { one.Signal(syscall.SIGCONT) }) // or it would not end
			bucket := bucketOf(t, one)
			mine, others := noise(41, 40<<20), noise(42, 40<<20)
			first := spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
			data := first.Passive()
			first.Do("150", "STOR f")
			send(t, data, mine[:20<<20])
			spdtest.Await(t, "two parts are stored", func() error {
				return spdtest.Equal(durable(t, bucket, "alice/f") >= 16<<20, true)
			})

			test.lose(one, proxy)
			second := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
			var size int
			if _, err := fmt.Sscanf(second.Do("213", "SIZE f"), "213 %d", &size); err != nil || size < 16<<20 {
				t.Fatalf("%d bytes can be resumed, %v", size, err)
			}
			want := mine[:size] + others[size:] // so that it shows who wrote what
			up := second.Passive()
			second.Do("350", "REST %d", size)
			second.Do("150", "STOR f")
			send(t, up, others[size:32<<20])
			spdtest.Await(t, "the second node has gone on", func() error {
				return spdtest.Equal(durable(t, bucket, "alice/f") > int64(size), true)
			})

			test.back(one, proxy)
			_, _ = data.Write([]byte(mine[20<<20:])) // the node may have ended the session
			_ = data.Close()
			if reply := first.Expect("4|5"); strings.HasPrefix(reply, "2") {
				t.Errorf("the first node says %s", reply)
			}
			if got := storedAs(t, bucket, "alice/f"); got != "" {
				t.Errorf("the first node has published %d bytes", len(got))
			}
			send(t, up, others[32<<20:])
			_ = up.Close()
			second.Expect("226")
			if got := storedAs(t, bucket, "alice/f"); got != want {
				t.Errorf("the file has %d bytes, or others", len(got))
			}
			if got := two.SQL("SELECT COUNT(*) FROM uploads"); got != "0" {
				t.Errorf("%s uploads are left in the journal", got)
			}
		})
	}
}

// An upload that is going on when the database goes away pauses when its lease ends, and
// goes on when the database is back.
func TestUploadOutlivesADatabaseOutage(t *testing.T) {
	t.Parallel()
	one, two, proxy := oneCutOff(t)
	bucket := bucketOf(t, one)
	content := noise(43, 64<<20)
	c := spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
	data := c.Passive()
	c.Do("150", "STOR f")
	send(t, data, content[:20<<20])
	spdtest.Await(t, "two parts are stored", func() error {
		return spdtest.Equal(durable(t, bucket, "alice/f") >= 16<<20, true)
	})
	proxy.Cut()
	awaitSQL(t, two, "SELECT COUNT(*) FROM uploads WHERE lease < UTC_TIMESTAMP()", "1")
	stored := durable(t, bucket, "alice/f")
	sent := make(chan error, 1)
	go func() {
		_, err := data.Write([]byte(content[20<<20:]))
		sent <- err
	}()
	spdtest.Await(t, "the node holds what it may not store", func() error {
		return spdtest.Equal(metric(t, one.Admin(), "spd_transfer_memory_bytes") > 24<<20, true)
	})
	if got := durable(t, bucket, "alice/f"); got != stored {
		t.Errorf("%d bytes were stored without a lease", got-stored)
	}
	proxy.Restore()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	_ = data.Close()
	c.Expect("226")
	if storedAs(t, bucket, "alice/f") != content {
		t.Error("the file differs")
	}
}
