package driver_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

// The clock of these tests is synctest's: it goes on only when all wait.

func TestRates(t *testing.T) {
	const size = 1 << 20
	for _, c := range []struct {
		name     string
		up, down int64 // bytes a second
		upload   time.Duration
		download time.Duration
	}{
		{"none", 0, 0, 0, 0},
		{"upload", size / 4, 0, 4 * time.Second, 0},
		{"download", 0, size / 2, 0, 2 * time.Second},
		{"slow", 10 << 10, 20 << 10, 102400 * time.Millisecond, 51200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.UploadRate, u.DownloadRate = c.up, c.down })
				start := time.Now()
				s.put("file", content(size))
				took(t, "upload", time.Since(start), c.upload, c.up, size)
				start = time.Now()
				s.holds("file", content(size))
				took(t, "download", time.Since(start), c.download, c.down, size)
			})
		})
	}
}

// took checks how long a transfer took: the whole time, but for what may come at once.
func took(t *testing.T, what string, got, want time.Duration, rate, size int64) {
	t.Helper()
	if rate == 0 {
		if got != 0 {
			t.Errorf("%s took %v without a limit", what, got)
		}
		return
	}
	atOnce := time.Duration(float64(max(rate/4, 16<<10)) / float64(rate) * float64(time.Second))
	if slack := time.Millisecond; got < want-atOnce-slack || got > want+slack {
		t.Errorf("%d bytes %s took %v, want %v less at most %v", size, what, got, want, atOnce)
	}
}

// A limit is the session's, not each file's.
func TestRateHoldsForAllFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.UploadRate = 64 << 10 })
		start := time.Now()
		for range 64 {
			s.put("file", content(10<<10))
		}
		took(t, "64 uploads", time.Since(start), 10*time.Second, 64<<10, 640<<10)
	})
}

// A client that stays silent on the data connection does not hold it for ever.
func TestSilentDataConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession(t)
		s.put("file", "old")
		start := time.Now()
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 5 { // slow is not silent
				_, _ = client.Write([]byte("some"))
				time.Sleep(9 * time.Second)
			}
		}()
		s.mustFail(426, s.storFrom("file", server))
		<-done
		if d := time.Since(start); d != 4*9*time.Second+10*time.Second {
			t.Errorf("hung up after %v", d)
		}
		s.holds("file", "old")

		s.put("file", content(2*partSize))
		start = time.Now()
		s.mustFail(426, s.retrTo("file", server)) // which nobody reads
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("hung up after %v", d)
		}
		_, _ = client.Close(), server.Close()
	})
}

// The session's end stops transfers that wait for their turn.
func TestRateLimitEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.UploadRate = 1 })
		time.AfterFunc(time.Minute, s.end)
		start := time.Now()
		s.mustFail(426, s.stor("file", content(1<<20)))
		if d := time.Since(start); d != time.Minute {
			t.Errorf("ended after %v", d)
		}
		s.noUploads()
	})
}

// A file whose data connection could not be opened is closed unused.
func TestHandleClosedEarly(t *testing.T) {
	s := newSession(t)
	s.put("file", "old")
	s.verb = "RETR"
	file, err := s.driver.OpenTransfer(s.ctx, "/file", 0, 1)
	s.must(err)
	s.must(file.Close())

	s.verb = "STOR"
	file, err = s.driver.OpenTransfer(s.ctx, "/file", writing, 0)
	s.must(err)
	_, err = io.Copy(file, strings.NewReader("new"))
	s.must(err)
	file.TransferError(net.ErrClosed)
	s.mustFail(426, file.Close())
	s.holds("file", "old")
}
