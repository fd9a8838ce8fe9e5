package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// takesHold is how soon a change in the database must hold on every node.
const takesHold = 5 * time.Second

// twoNodes are two nodes, "one" and "two", of one database and bucket, with the account
// alice.
func twoNodes(t *testing.T, config map[string]string) (one, two *spdtest.SPD) {
	t.Helper()
	one = named(t, "one", spdtest.Options{Servers: servers, Config: config})
	one.AddUser("alice", "secret")
	return one, join(t, one, "two", config)
}

// named starts a node with a name.
func named(t *testing.T, name string, o spdtest.Options) *spdtest.SPD {
	t.Helper()
	config := map[string]string{"cluster.node": name}
	maps.Copy(config, o.Config)
	o.Config = config
	return spdtest.Start(t, o)
}

// join starts one more node of the same database and bucket.
func join(t *testing.T, first *spdtest.SPD, name string, config map[string]string) *spdtest.SPD {
	t.Helper()
	all := map[string]string{"s3.bucket": first.Bucket}
	maps.Copy(all, config)
	return named(t, name, spdtest.Options{Servers: first.Servers, DSN: first.DSN, Config: all})
}

// awaitSQL waits until a query has an answer.
func awaitSQL(t *testing.T, s *spdtest.SPD, query, want string) {
	t.Helper()
	spdtest.Await(t, query, func() error { return spdtest.Equal(s.SQL(query), want) })
}

// soon fails if something has taken longer than a change may take.
func soon(t *testing.T, since time.Time) {
	t.Helper()
	if took := time.Since(since); took > takesHold {
		t.Errorf("it took %v to take hold", took)
	}
}

func TestNodesAndSessionsAreListed(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	a := spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
	b := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	a.Put("226", "STOR f", []byte("hello"))
	awaitSQL(t, one, "SELECT node, username, address, tls, verb, path, bytes FROM v_sessions ORDER BY node",
		"one\talice\t127.0.0.1\t0\tSTOR\t/f\t5\ntwo\talice\t127.0.0.1\t0\t\t\t0")
	awaitSQL(t, two, "SELECT name, sessions, draining FROM nodes ORDER BY name", "one\t1\t0\ntwo\t1\t0")

	out, code := one.Run("session", "list", "--json")
	var sessions []struct{ ID, Node, Username string }
	if err := json.Unmarshal([]byte(out), &sessions); err != nil || code != 0 || len(sessions) != 2 {
		t.Fatalf("session list: %d, %v\n%s", code, err, out)
	}
	out, code = two.Run("node", "list")
	if code != 0 || strings.Count(out, "alive") != 2 {
		t.Errorf("node list: %d\n%s", code, out)
	}
	a.Do("221", "QUIT")
	b.Do("221", "QUIT")
	awaitSQL(t, one, "SELECT COUNT(*) FROM sessions", "0")

	two.Kill()
	awaitSQL(t, one, "SELECT COUNT(*) FROM nodes WHERE name = 'two' AND lease < UTC_TIMESTAMP()", "1")
	out, _ = one.Run("node", "list")
	if strings.Count(out, "alive") != 1 || strings.Count(out, "dead") != 1 {
		t.Errorf("node list:\n%s", out)
	}
}

// Each of these changes to a row ends the sessions of the account, on every node.
func TestAccountChangesEndSessions(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	one.AddUser("bob", "secret")
	other := spdtest.LoginFTP(t, two.Addr(), "bob", "secret")
	for _, change := range []struct{ to, back string }{
		{"UPDATE users SET status = 'suspended' WHERE username = 'alice'", "UPDATE users SET status = 'active' WHERE username = 'alice'"},
		{"UPDATE users SET expires_at = UTC_TIMESTAMP() WHERE username = 'alice'", "UPDATE users SET expires_at = NULL WHERE username = 'alice'"},
		{"UPDATE users SET allowed_cidrs = '10.0.0.0/8' WHERE username = 'alice'", "UPDATE users SET allowed_cidrs = NULL WHERE username = 'alice'"},
		{"UPDATE users SET password = '{plain}changed' WHERE username = 'alice'", "UPDATE users SET password = '{plain}secret' WHERE username = 'alice'"},
		{"DELETE FROM users WHERE username = 'alice'", "INSERT INTO users (username, password, bucket, prefix) VALUES ('alice', '{plain}secret', '" + one.Bucket + "', 'alice/')"},
	} {
		t.Run(change.to, func(t *testing.T) {
			a := spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
			b := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
			begun := time.Now()
			one.SQL(change.to)
			for _, c := range []*spdtest.FTPClient{a, b} {
				c.Expect("421")
				soon(t, begun)
				c.Closed()
			}
			one.SQL(change.back)
		})
	}
	other.Do("200", "NOOP")
}

// A suspended account's upload is interrupted: nothing is published, and it can be resumed.
func TestSuspensionInterruptsUploads(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	content := noise(11, 24<<20)
	c := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	data := c.Passive()
	c.Do("150", "STOR f")
	send(t, data, content[:20<<20])
	bucket := bucketOf(t, one)
	spdtest.Await(t, "two parts are stored", func() error {
		return spdtest.Equal(durable(t, bucket, "alice/f") >= 16<<20, true)
	})
	begun := time.Now()
	one.SQL("UPDATE users SET status = 'suspended'")
	if reply := c.Expect("426|421"); strings.HasPrefix(reply, "426") {
		c.Expect("421")
	}
	soon(t, begun)
	c.Closed()
	if storedAs(t, bucket, "alice/f") != "" {
		t.Error("half a file was published")
	}
	one.SQL("UPDATE users SET status = 'active'")
	awaitSQL(t, one, "SELECT COUNT(*) FROM uploads WHERE holder = ''", "1")
	c = spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
	var size int
	if _, err := fmt.Sscanf(c.Do("213", "SIZE f"), "213 %d", &size); err != nil || size < 16<<20 {
		t.Fatalf("%d bytes can be resumed, %v", size, err)
	}
	c.Do("350", "REST %d", size)
	c.Put("226", "STOR f", []byte(content[size:]))
	if got := c.Get("RETR f"); got != content {
		t.Error("the file differs")
	}
}

// Rights and limits are others from the next command on, on every node.
func TestAccountChangesTakeHold(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	clients := []*spdtest.FTPClient{
		spdtest.LoginFTP(t, one.Addr(), "alice", "secret"),
		spdtest.LoginFTP(t, two.Addr(), "alice", "secret"),
	}
	clients[0].Do("257", "MKD sub")
	clients[0].Put("226", "STOR f", []byte("hello"))
	for _, c := range clients {
		c.Do("250", "CWD sub")
	}
	made := 0
	for _, step := range []struct {
		change string
		holds  func(c *spdtest.FTPClient) bool
	}{
		{"permissions = 'ro'", func(c *spdtest.FTPClient) bool {
			made++
			return strings.HasPrefix(c.Do("257|550", "MKD %d", made), "550")
		}},
		{"permissions = 'rw', quota_files = 1", func(c *spdtest.FTPClient) bool {
			return strings.HasPrefix(c.Put("226|55", "STOR g", []byte("more")), "552")
		}},
		{"quota_files = 0, denied_names = '*.exe'", func(c *spdtest.FTPClient) bool {
			return !strings.HasPrefix(c.Put("226|55", "STOR g.exe", []byte("more")), "226")
		}},
		{"prefix = 'bob/'", func(c *spdtest.FTPClient) bool { return strings.HasPrefix(c.Do("213|550", "SIZE /f"), "550") }},
	} {
		begun := time.Now()
		one.SQL("UPDATE users SET " + step.change + " WHERE username = 'alice'")
		for _, c := range clients {
			spdtest.Await(t, step.change, func() error { return spdtest.Equal(step.holds(c), true) })
			soon(t, begun)
			c.Do("257 \"/sub\"", "PWD") // the session is where it was
		}
	}
}

func TestKick(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	one.AddUser("bob", "secret")
	login := func() (a, b, other *spdtest.FTPClient) {
		a = spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
		b = spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
		other = spdtest.LoginFTP(t, two.Addr(), "bob", "secret")
		awaitSQL(t, one, "SELECT COUNT(*) FROM v_sessions", "3")
		return a, b, other
	}
	ended := func(begun time.Time, clients ...*spdtest.FTPClient) {
		t.Helper()
		for _, c := range clients {
			c.Expect("421")
			soon(t, begun)
			c.Closed()
		}
	}
	leave := func(clients ...*spdtest.FTPClient) {
		t.Helper()
		for _, c := range clients {
			c.Do("221", "QUIT")
		}
		awaitSQL(t, one, "SELECT COUNT(*) FROM sessions", "0")
	}

	a, b, other := login()
	begun := time.Now()
	two.SQL("DELETE FROM sessions WHERE username = 'alice'")
	ended(begun, a, b)
	leave(other)

	a, b, other = login()
	id := one.SQL("SELECT id FROM v_sessions WHERE node = 'two' AND username = 'alice'")
	begun = time.Now()
	if out, code := one.Run("session", "kick", id); code != 0 {
		t.Errorf("kick: %d\n%s", code, out)
	}
	ended(begun, b)
	a.Do("200", "NOOP")
	leave(a, other)

	a, b, other = login()
	begun = time.Now()
	if out, code := one.Run("session", "kick", "--user", "alice"); code != 0 {
		t.Errorf("kick: %d\n%s", code, out)
	}
	ended(begun, a, b)
	leave(other)
	if out, code := one.Run("session", "kick", "nobody"); code != 1 {
		t.Errorf("kick of nobody: %d\n%s", code, out)
	}
}

// Sessions are counted over all nodes, and never one too many, however many log in at once.
func TestSessionLimitsOverAllNodes(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	const limit = 5
	one.SQL(fmt.Sprintf("UPDATE users SET max_sessions = %d", limit))
	for range 3 {
		in, clients := loginAtOnce(t, 4*limit, one, two)
		if in != limit {
			t.Errorf("%d are in, want %d", in, limit)
		}
		for _, conn := range clients {
			_ = conn.Close()
		}
		awaitSQL(t, one, "SELECT COUNT(*) FROM sessions", "0")
	}

	// A node that dies gives its places back.
	for range limit {
		spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	}
	c := spdtest.DialFTP(t, one.Addr())
	c.Do("331", "USER alice")
	c.Do("421", "PASS secret")
	two.Kill()
	awaitSQL(t, one, "SELECT COUNT(*) FROM v_sessions", "0")
	spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
}

// loginAtOnce has so many clients log in at the same time, in turn on each node, and returns
// how many were let in, and all connections.
func loginAtOnce(t *testing.T, clients int, nodes ...*spdtest.SPD) (in int64, conns []net.Conn) {
	t.Helper()
	var count atomic.Int64
	var running sync.WaitGroup
	start := make(chan struct{})
	conns = make([]net.Conn, clients)
	for i := range clients {
		conn, err := net.Dial("tcp", nodes[i%len(nodes)].Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
		conns[i] = conn
		running.Go(func() {
			<-start
			lines := bufio.NewScanner(conn)
			_, _ = fmt.Fprint(conn, "USER alice\r\nPASS secret\r\n")
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "230") {
					count.Add(1)
					return
				}
				if strings.HasPrefix(lines.Text(), "421") {
					return
				}
			}
			t.Error("no answer to a login")
		})
	}
	close(start)
	running.Wait()
	return count.Load(), conns
}

func TestAddressLimitOverAllNodes(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, map[string]string{"ftp.max_sessions_per_ip": "3", "guard.allow": "192.0.2.0/24"})
	for _, node := range []*spdtest.SPD{one, two, one} {
		spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
	}
	c := spdtest.DialFTP(t, two.Addr())
	c.Do("331", "USER alice")
	c.Do("421", "PASS secret")
	c.Closed()
}

// A drain that was asked for in the database is one by SIGTERM.
func TestDrainBySQL(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	idle := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	busy := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	addr, admin := two.Addr(), two.Admin()
	content := noise(12, 12<<20)
	data := busy.Passive()
	busy.Do("150", "STOR f")
	send(t, data, content[:1<<20])

	begun := time.Now()
	one.SQL("UPDATE nodes SET draining = 1 WHERE name = 'two'")
	idle.Expect("421")
	soon(t, begun)
	if status, body := get(t, admin+"/readyz"); status != 503 || !strings.Contains(body, "draining") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("new clients are let in")
	}
	one.SQL("UPDATE nodes SET draining = 0 WHERE name = 'two'")
	awaitSQL(t, one, "SELECT draining FROM nodes WHERE name = 'two'", "1")
	send(t, data, content[1<<20:])
	_ = data.Close()
	busy.Expect("226")
	busy.Expect("421")
	if code := two.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := one.SQL("SELECT name FROM nodes"); got != "one" {
		t.Errorf("nodes %q are left", got)
	}
	if got := spdtest.LoginFTP(t, one.Addr(), "alice", "secret").Get("RETR f"); got != content {
		t.Error("the file differs")
	}
}

func TestDrainCommand(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	c := spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	if out, code := one.Run("drain", "--node", "two", "--wait"); code != 0 || !strings.Contains(out, "has ended") {
		t.Errorf("drain: %d\n%s", code, out)
	}
	c.Expect("421")
	if code := two.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out, code := one.Run("drain", "--node", "two"); code != 1 {
		t.Errorf("drain of a node that is gone: %d\n%s", code, out)
	}
	two.Serve()
	two.AwaitReady()
	spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
}

// A node that is restarted at once, under its name, is another run of it.
func TestNodeRestartsAtOnce(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	one.SQL("UPDATE users SET max_sessions = 1")
	spdtest.LoginFTP(t, two.Addr(), "alice", "secret")
	two.Kill()
	two.Serve()
	two.AwaitReady()
	awaitSQL(t, one, "SELECT COUNT(*) FROM nodes WHERE name = 'two'", "2")
	awaitSQL(t, one, "SELECT COUNT(*) FROM nodes WHERE name = 'two' AND lease >= UTC_TIMESTAMP()", "1")
	spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
}

// A node that does not reach the database lets nobody in, and is itself again when it does.
func TestNodeCutOffFromTheDatabase(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name string
		cut  func(*spdtest.Proxy)
	}{{"cut", (*spdtest.Proxy).Cut}, {"hanging", (*spdtest.Proxy).Hang}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			one, two, proxy := oneCutOff(t)
			c := spdtest.LoginFTP(t, one.Addr(), "alice", "secret")
			awaitSQL(t, two, "SELECT COUNT(*) FROM v_sessions", "1")
			begun := time.Now()
			way.cut(proxy)
			awaitReadyz(t, one.Admin(), 503)
			soon(t, begun)
			stranger := spdtest.DialFTP(t, one.Addr())
			stranger.Do("331", "USER alice")
			stranger.Do("421", "PASS secret")
			soon(t, begun)
			awaitSQL(t, two, "SELECT COUNT(*) FROM v_sessions", "0")
			c.Put("226", "STOR f", []byte("hello"))
			proxy.Restore()
			awaitReadyz(t, one.Admin(), 200)
			awaitSQL(t, two, "SELECT COUNT(*) FROM v_sessions", "1")
			c.Do("200", "NOOP") // it was not kicked, though its row had gone
			if n := strings.Count(one.Log(), "no heartbeat"); n != 1 {
				t.Errorf("the outage was logged %d times", n)
			}
		})
	}
}

// oneCutOff are two nodes, of which the first reaches the database through a proxy.
func oneCutOff(t *testing.T) (one, two *spdtest.SPD, proxy *spdtest.Proxy) {
	t.Helper()
	dsn := servers.Database.NewDatabase()
	_, after, _ := strings.Cut(dsn, "@")
	addr, name, _ := strings.Cut(after, "/")
	proxy = spdtest.NewProxy(t, addr)
	one = named(t, "one", spdtest.Options{Servers: servers, DSN: "mysql://spd:spdpass@" + proxy.Addr + "/" + name})
	one.AddUser("alice", "secret")
	two = named(t, "two", spdtest.Options{Servers: servers, DSN: dsn, Config: map[string]string{"s3.bucket": one.Bucket}})
	return one, two, proxy
}
