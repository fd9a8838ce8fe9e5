package integration

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// get asks a page of the admin listener.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// awaitReadyz waits until /readyz answers so.
func awaitReadyz(t *testing.T, admin string, want int) {
	t.Helper()
	spdtest.Await(t, fmt.Sprintf("/readyz is %d", want), func() error {
		status, body := get(t, admin+"/readyz")
		if status != want {
			return fmt.Errorf("%d: %s", status, body)
		}
		return nil
	})
}

// metric reads a number from /metrics.
func metric(t *testing.T, admin, name string) float64 {
	t.Helper()
	_, body := get(t, admin+"/metrics")
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no metric %s", name)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// behindProxy starts a node whose way to the store can be cut, and which gives up soon.
func behindProxy(t *testing.T, config map[string]string) (*spdtest.SPD, *spdtest.Proxy) {
	t.Helper()
	proxy := spdtest.NewProxy(t, strings.TrimPrefix(servers.S3.URL, "http://"))
	config["s3.endpoint"] = "http://" + proxy.Addr
	return start(t, spdtest.Options{Config: config}), proxy
}

func TestStoreGoesAwayAndComesBack(t *testing.T) {
	for _, test := range []struct {
		name string
		away func(*spdtest.Proxy)
	}{{"cut", (*spdtest.Proxy).Cut}, {"hanging", (*spdtest.Proxy).Hang}} {
		t.Run(test.name, func(t *testing.T) {
			s, proxy := behindProxy(t, map[string]string{"transfer.retry_for": "300ms", "s3.request_timeout": "1s"})
			c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
			c.Put("226", "STOR f", []byte("hello"))
			awaitReadyz(t, s.Admin(), 200)

			test.away(proxy)
			awaitReadyz(t, s.Admin(), 503)
			c.Put("426|45", "STOR f", []byte("changed"))
			c.Put("426|45", "RETR f", nil)
			c.Put("45", "LIST", nil)
			for _, command := range []string{"SIZE f", "DELE f", "MKD d", "CWD d", "RNFR other"} {
				c.Do("45", "%s", command)
			}
			c.Do("200", "NOOP")
			c.Do("257", "PWD")
			other := spdtest.LoginFTP(t, s.Addr(), "alice", "secret") // which needs no store
			other.Do("45", "SIZE f")

			proxy.Restore()
			awaitReadyz(t, s.Admin(), 200)
			if got := c.Get("RETR f"); got != "hello" {
				t.Errorf("the file is now %q", got)
			}
			c.Put("226", "STOR f", []byte("changed"))
			if got := other.Get("RETR f"); got != "changed" {
				t.Errorf("the file is now %q", got)
			}
		})
	}
}

// A transfer outlives an outage that is shorter than transfer.retry_for.
func TestTransfersOutliveAShortOutage(t *testing.T) {
	s, proxy := behindProxy(t, map[string]string{"transfer.part_size": "5MiB", "transfer.retry_for": "60s"})
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	content := strings.Repeat("0123456789abcdef", 2<<20) // 32 MiB: more than the sockets between hold
	half := len(content) / 2

	up := c.Passive()
	c.Do("150", "STOR f")
	send(t, up, content[:half])
	proxy.Cut()
	s.AwaitLog("trying again")
	proxy.Restore()
	send(t, up, content[half:])
	_ = up.Close()
	c.Expect("226")

	down := c.Passive()
	c.Do("150", "RETR f")
	first := make([]byte, half)
	if _, err := io.ReadFull(down, first); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	proxy.Restore()
	rest, err := io.ReadAll(down)
	if err != nil || string(first)+string(rest) != content {
		t.Errorf("download: %d bytes, %v", len(first)+len(rest), err)
	}
	c.Expect("226")
}

func send(t *testing.T, w io.Writer, data string) {
	t.Helper()
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
}

func TestDatabaseGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	database := spdtest.MariaDB(t)
	shared := spdtest.Servers{S3: servers.S3, Database: database}
	s := spdtest.Start(t, spdtest.Options{Servers: shared})
	s.AddUser("alice", "secret")
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	c.Do("257", "MKD dir")
	c.Put("226", "STOR dir/f", []byte("hello"))
	c.Do("213", "MFMT 20200102030405 dir/f")

	database.Stop()
	awaitReadyz(t, s.Admin(), 503)
	c.Get("LIST dir")
	if got := c.Get("RETR dir/f"); got != "hello" {
		t.Errorf("got %q", got)
	}
	c.Put("226", "STOR dir/f", []byte("changed"))
	c.Put("226", "STOR dir/large", make([]byte, 20<<20))
	c.Do("213 7", "SIZE dir/f")
	c.Do("213", "MDTM dir/f")
	c.Do("257", "MKD other")
	c.Do("350", "RNFR dir/f")
	c.Do("250", "RNTO other/f")
	c.Do("250", "DELE other/f")
	c.Do("250", "RMD other")
	c.Do("451", "MFMT 20200102030405 dir/large")
	stranger := spdtest.DialFTP(t, s.Addr())
	stranger.Do("331", "USER alice")
	stranger.Do("421", "PASS secret")
	stranger.Closed()

	database.Start()
	awaitReadyz(t, s.Admin(), 200)
	spdtest.LoginFTP(t, s.Addr(), "alice", "secret").Do("213", "MFMT 20200102030405 dir/large")
	c.Do("213 20200102030405", "MDTM dir/large")
}

// A database that hangs costs new logins half a minute at most, and running sessions none
// of their transfers.
func TestDatabaseHangs(t *testing.T) {
	t.Parallel()
	_, after, _ := strings.Cut(servers.Database.NewDatabase(), "@")
	addr, name, _ := strings.Cut(after, "/")
	proxy := spdtest.NewProxy(t, addr)
	s := start(t, spdtest.Options{DSN: "mysql://spd:spdpass@" + proxy.Addr + "/" + name})
	c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	stranger := spdtest.DialFTP(t, s.Addr())
	stranger.Do("331", "USER alice")

	proxy.Hang()
	stranger.Send("PASS secret")
	awaitReadyz(t, s.Admin(), 503)
	c.Put("226", "STOR f", []byte("hello"))
	if got := c.Get("RETR f"); got != "hello" {
		t.Errorf("got %q", got)
	}
	stranger.Expect("421")
	proxy.Restore()
	awaitReadyz(t, s.Admin(), 200)
	spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
}

func TestServeWaitsForStoreAndDatabase(t *testing.T) {
	t.Parallel()
	_, after, _ := strings.Cut(servers.Database.NewDatabase(), "@")
	addr, name, _ := strings.Cut(after, "/")
	database := spdtest.NewProxy(t, addr)
	store := spdtest.NewProxy(t, strings.TrimPrefix(servers.S3.URL, "http://"))
	database.Cut()
	store.Cut()
	s := spdtest.Configure(t, spdtest.Options{
		Servers: servers,
		DSN:     "mysql://spd:spdpass@" + database.Addr + "/" + name,
		Config:  map[string]string{"s3.endpoint": "http://" + store.Addr},
	})
	s.Serve()
	s.AwaitLog("waiting for database")
	awaitReadyz(t, s.Admin(), 503)
	if status, _ := get(t, s.Admin()+"/healthz"); status != 200 {
		t.Errorf("/healthz is %d while it waits", status)
	}
	database.Restore()
	s.AwaitLog("waiting for the object store")
	awaitReadyz(t, s.Admin(), 503)
	store.Restore()
	s.AwaitReady()
	awaitReadyz(t, s.Admin(), 200)
	s.AddUser("alice", "secret")
	curl(t, s.URL()+"/")
}

// Who stops a node that waits does not wait for it.
func TestStopWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"database.dsn", "s3.endpoint"} {
		t.Run(which, func(t *testing.T) {
			nobody := spdtest.FreeAddr(t)
			config := map[string]string{which: map[string]string{
				"database.dsn": "mysql://spd:spdpass@" + nobody + "/spd",
				"s3.endpoint":  "http://" + nobody,
			}[which]}
			s := spdtest.Configure(t, spdtest.Options{Servers: servers, Config: config})
			s.Serve()
			s.AwaitLog("waiting for")
			s.Stop()
			if code := s.Wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
