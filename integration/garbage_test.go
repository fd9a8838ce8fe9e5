package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// What scanners, broken clients and attackers send. Afterwards the node serves on, and
// holds no more goroutines and files than before.
func TestGarbage(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true, Config: map[string]string{
		"guard.allow": "127.0.0.1", "guard.connection_rate": "0", "guard.max_pending": "1000",
	}})
	use := func() {
		c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
		c.Put("226", "STOR f", []byte("hello"))
		if got := c.Get("RETR f"); got != "hello" {
			t.Errorf("got %q", got)
		}
		c.Do("221", "QUIT")
		c.Closed()
	}
	use()
	before := usageOf(t, s)
	noise := rand.NewChaCha8([32]byte{})
	random := make([]byte, 1<<20)
	_, _ = noise.Read(random) // never fails

	for _, test := range []struct {
		name string
		data []byte
	}{
		{"a line of 70 kB", append(bytes.Repeat([]byte("A"), 70_000), "\r\nQUIT\r\n"...)},
		{"a line of 70 kB without an end", bytes.Repeat([]byte("A"), 70_000)},
		{"NUL bytes", append(make([]byte, 100_000), "\r\nUSER a\x00b\r\nPASS \x00\r\nQUIT\r\n"...)},
		{"random bytes", random},
		{"line ends", bytes.Repeat([]byte("\r\n"), 100_000)},
		{"Telnet commands", bytes.Repeat([]byte{255, 250, 255, 251, 1}, 10_000)},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: scanner\r\n\r\n")},
		{"SSH", []byte("SSH-2.0-OpenSSH_9.2\r\n")},
		{"a TLS handshake", []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}},
		{"formats", []byte("USER %s%n%x\r\nPASS %s%n%x\r\nCWD ../../../../etc\r\nRETR /etc/passwd\r\nSITE EXEC id\r\nQUIT\r\n")},
		{"AUTH and no handshake", append([]byte("AUTH TLS\r\n"), random[:10_000]...)},
		{"nothing", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, addr := range []string{s.Addr(), s.ImplicitAddr()} {
				shout(t, addr, test.data)
			}
			use()
		})
	}

	t.Run("after a login", func(t *testing.T) {
		c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
		for _, command := range []string{
			strings.Repeat("A", 70_000), "STOR " + strings.Repeat("a", 70_000), "RETR a\x00b", "MKD \x00", "CWD " + strings.Repeat("../", 1000) + "\xff\xfe",
			"PORT 1,2,3", "PORT 256,256,256,256,256,256", "EPRT |9|x|y|", "REST 99999999999999999999", "TYPE X", "OPTS", "SITE", "\x01\x02\x03",
			"RNTO x", "MLST " + strings.Repeat("/a", 3000), "HASH", "ALLO", "MFMT", "MFMT x y", "NLST -" + strings.Repeat("l", 5000), "",
		} {
			c.Do("2|4|5", "%s", command)
		}
		c.Do("200", "NOOP")
		c.Do("221", "QUIT")
	})
	use()
	awaitUsage(t, s, before)

	// Half of the places are for all. Who has logged in, and who has few neighbours, finds
	// one even so.
	t.Run("2,000 connections at once, of 40 networks", func(t *testing.T) {
		conns := make([]net.Conn, 2000)
		var opening sync.WaitGroup
		var greeted atomic.Int64
		slots := make(chan struct{}, 100)
		for i := range conns {
			slots <- struct{}{}
			opening.Go(func() {
				defer func() { <-slots }()
				conn, err := dialFrom(fmt.Sprintf("127.%d.0.1", 1+i%40), s.Addr())
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				conns[i] = conn
				switch got := greeting(t, conn); got {
				case "220 ":
					greeted.Add(1)
				case "421 ":
				default:
					t.Errorf("connection %d: greeting %q", i, got)
				}
			})
		}
		opening.Wait()
		if got := greeted.Load(); got != 500 {
			t.Errorf("%d were let in", got)
		}
		if got := metric(t, s.Admin(), "spd_sessions"); got != 500 {
			t.Errorf("%v sessions", got)
		}
		use()
		lonely, err := dialFrom("127.99.0.1", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if got := greeting(t, lonely); got != "220 " {
			t.Errorf("greeting %q for a network that has no other connection", got)
		}
		for _, conn := range append(conns, lonely) {
			if conn != nil {
				_ = conn.Close()
			}
		}
	})
	use()
	awaitUsage(t, s, before)
}

// greeting is the code that the node greets a connection with.
func greeting(t *testing.T, conn net.Conn) string {
	t.Helper()
	code := make([]byte, len("220 "))
	if _, err := io.ReadFull(conn, code); err != nil {
		t.Errorf("greeting of %v: %v", conn.LocalAddr(), err)
	}
	return string(code)
}

// shout sends data, says no more, and reads until the node has had enough, or has answered
// it all and waits.
func shout(t *testing.T, addr string, data []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // rudely, if need be
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		_, _ = conn.Write(data) // the node may have enough before that
		_ = conn.(*net.TCPConn).CloseWrite()
	})
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Error("the node keeps a connection on which nothing will come")
		}
	}
}

// usage is what a leak would add to.
type usage struct{ goroutines, files float64 }

func usageOf(t *testing.T, s *spdtest.SPD) usage {
	t.Helper()
	return usage{metric(t, s.Admin(), "go_goroutines"), metric(t, s.Admin(), "process_open_fds")}
}

// spare is for idle connections to store and database, which come and go; each of the
// store's has two goroutines.
const spare = 20

func awaitUsage(t *testing.T, s *spdtest.SPD, before usage) {
	t.Helper()
	spdtest.Await(t, "all is given back", func() error {
		now := usageOf(t, s)
		if now.goroutines > before.goroutines+2*spare || now.files > before.files+spare {
			return fmt.Errorf("%v goroutines and %v files, before %v and %v", now.goroutines, now.files, before.goroutines, before.files)
		}
		return nil
	})
}
