package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// guarded starts two nodes that take loopback for strangers, but for one network.
func guarded(t *testing.T, config map[string]string) (nodes []*spdtest.SPD) {
	t.Helper()
	all := map[string]string{
		"guard.allow": "127.0.99.0/24", "guard.address_failures": "5", "guard.account_failures": "0", "audit.sinks": "sql",
	}
	maps.Copy(all, config)
	one := named(t, "one", spdtest.Options{Servers: servers, Plain: true, Config: all})
	all["s3.bucket"] = one.Bucket
	two := named(t, "two", spdtest.Options{Servers: one.Servers, DSN: one.DSN, Plain: true, Config: all})
	one.AddUser("alice", "secret")
	return []*spdtest.SPD{one, two}
}

// dialFrom connects from one of the addresses of loopback.
func dialFrom(from, to string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 30 * time.Second}
	conn, err := dialer.Dial("tcp", to)
	if err == nil {
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // fails only if closed
	}
	return conn, err
}

// loginFrom tries to log in, and returns the final reply, or the error of who is not let so
// far.
func loginFrom(from, to, user, password string) string {
	conn, err := dialFrom(from, to)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }() // nothing is lost
	in := bufio.NewReader(conn)
	reply := ""
	for _, command := range []string{"", "USER " + user + "\r\n", "PASS " + password + "\r\n"} {
		if _, err := conn.Write([]byte(command)); err != nil {
			return err.Error()
		}
		if reply, err = in.ReadString('\n'); err != nil {
			return err.Error()
		}
	}
	return strings.TrimSpace(reply)
}

const (
	wrongLogin = "530 Login incorrect"
	goodLogin  = "230"
)

// refusals counts, by address, the logins of a node whose password was looked at, and those
// that a ban has refused.
func refusals(t *testing.T, nodes []*spdtest.SPD) (looked, banned map[string]int) {
	t.Helper()
	looked, banned = make(map[string]int), make(map[string]int)
	for _, node := range nodes {
		for line := range strings.Lines(node.Log()) {
			var e struct{ Msg, From, Reason string }
			if json.Unmarshal([]byte(line), &e) != nil || e.Msg != "login refused" {
				continue
			}
			if e.Reason == "banned" {
				banned[e.From]++
			} else if e.From != "" {
				looked[e.From]++
			}
		}
	}
	return looked, banned
}

// 1,000 guesses from 50 addresses over two nodes: of each address as many are looked at as
// may fail, and not one more. The right password is not told apart then.
func TestGuessingIsStopped(t *testing.T) {
	t.Parallel()
	nodes := guarded(t, nil)
	const addresses, guesses = 50, 20
	var wg sync.WaitGroup
	for i := range addresses {
		wg.Go(func() {
			from := fmt.Sprintf("127.0.1.%d", i+1)
			for guess := range guesses {
				password := fmt.Sprintf("guess %d", guess)
				if guess == guesses-1 {
					password = "secret"
				}
				if got := loginFrom(from, nodes[guess%2].Addr(), "alice", password); got != wrongLogin {
					t.Errorf("%s: guess %d: %s", from, guess, got)
				}
			}
		})
	}
	wg.Go(func() { // who is on the allow-list may try as often as he likes
		for guess := range 30 {
			if got := loginFrom("127.0.99.1", nodes[guess%2].Addr(), "alice", "wrong"); got != wrongLogin {
				t.Errorf("allowed: guess %d: %s", guess, got)
			}
		}
	})
	wg.Wait()
	looked, banned := refusals(t, nodes)
	for i := range addresses {
		from := fmt.Sprintf("127.0.1.%d", i+1)
		if looked[from] != 5 || banned[from] < guesses-5 {
			t.Errorf("%s: %d guesses were looked at, %d refused", from, looked[from], banned[from])
		}
	}
	for _, node := range nodes {
		if got := loginFrom("127.0.99.1", node.Addr(), "alice", "secret"); !strings.HasPrefix(got, goodLogin) {
			t.Errorf("who is allowed is refused: %s", got)
		}
		if got := loginFrom("127.0.2.1", node.Addr(), "alice", "secret"); !strings.HasPrefix(got, goodLogin) {
			t.Errorf("who has done nothing is refused: %s", got)
		}
	}
	if got := nodes[0].SQL("SELECT COUNT(*), MIN(strikes), MAX(strikes) FROM v_bans WHERE kind = 'address' AND reason LIKE '5 failed%'"); got != "50\t1\t1" {
		t.Errorf("v_bans: %s", got)
	}
	spdtest.Await(t, "each ban is one event", func() error {
		return spdtest.Equal(nodes[0].SQL("SELECT COUNT(*), COUNT(DISTINCT remote) FROM events WHERE action = 'ban'"), "50\t50")
	})
}

// Guesses from everywhere close the account, but not to where its user logs in.
func TestGuessedAccountIsClosedToStrangers(t *testing.T) {
	t.Parallel()
	nodes := guarded(t, map[string]string{"guard.account_failures": "20"})
	nodes[0].AddUser("bob", "secret")
	if got := loginFrom("127.0.5.1", nodes[0].Addr(), "alice", "secret"); !strings.HasPrefix(got, goodLogin) {
		t.Fatal(got)
	}
	spdtest.Await(t, "the good login is noted", func() error {
		return spdtest.Equal(nodes[0].SQL("SELECT username, network FROM login_places"), "alice\t127.0.5.1")
	})
	for i := range 30 {
		from := fmt.Sprintf("127.0.6.%d", i+1)
		if got := loginFrom(from, nodes[i%2].Addr(), "alice", "guess"); got != wrongLogin {
			t.Errorf("%s: %s", from, got)
		}
	}
	looked, _ := refusals(t, nodes)
	if n := len(looked); n < 20 || n > 21 { // the other node may look at one more before it hears of the ban
		t.Errorf("%d guesses were looked at: %v", n, slices.Sorted(maps.Keys(looked)))
	}
	for _, node := range nodes {
		spdtest.Await(t, "the node knows the ban", func() error {
			return spdtest.Equal(loginFrom("127.0.7.1", node.Addr(), "alice", "secret"), wrongLogin)
		})
		for who, from := range map[string]string{"alice": "127.0.5.1", "bob": "127.0.7.1"} {
			if got := loginFrom(from, node.Addr(), who, "secret"); !strings.HasPrefix(got, goodLogin) {
				t.Errorf("%s is locked out: %s", who, got)
			}
		}
		if got := loginFrom("127.0.99.1", node.Addr(), "alice", "secret"); !strings.HasPrefix(got, goodLogin) {
			t.Errorf("who is allowed is locked out: %s", got)
		}
	}
	if out, code := nodes[0].Run("ban", "del", "--account", "alice"); code != 0 {
		t.Fatalf("ban del: %d\n%s", code, out)
	}
	spdtest.Await(t, "the account is open again", func() error {
		if got := loginFrom("127.0.7.2", nodes[1].Addr(), "alice", "secret"); !strings.HasPrefix(got, goodLogin) {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	spdtest.Await(t, "the end of the ban is an event", func() error {
		return spdtest.Equal(nodes[0].SQL("SELECT action, username FROM events WHERE action IN ('ban', 'unban') ORDER BY time"), "ban\talice\nunban\talice")
	})
}

// A node whose database is away goes on with the bans it knows.
func TestBansSurviveAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	database := spdtest.MariaDB(t)
	node := spdtest.Start(t, spdtest.Options{
		Servers: spdtest.Servers{S3: servers.S3, Database: database},
		Config:  map[string]string{"guard.allow": "", "guard.address_failures": "3"},
	})
	node.AddUser("alice", "secret")
	for range 3 {
		loginFrom("127.0.8.1", node.Addr(), "alice", "wrong")
	}
	database.Kill()
	if got := loginFrom("127.0.8.1", node.Addr(), "alice", "secret"); got != wrongLogin {
		t.Errorf("banned, and the database is away: %s", got)
	}
	database.Start()
	if got := loginFrom("127.0.8.1", node.Addr(), "alice", "secret"); got != wrongLogin {
		t.Errorf("banned, and the database is back: %s", got)
	}
	spdtest.Await(t, "others can log in again", func() error {
		if got := loginFrom("127.0.8.2", node.Addr(), "alice", "secret"); !strings.HasPrefix(got, goodLogin) {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
}

// What a transfer has moved is counted within five seconds, stays counted when the node is
// killed, and counts once when the transfer ends.
func TestTrafficSurvivesAKill(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{Config: map[string]string{"audit.sinks": "sql"}})
	const traffic = "SELECT COALESCE(SUM(bytes), 0), COALESCE(SUM(files), 0) FROM v_traffic WHERE username = 'alice' AND direction = 'up'"
	const size = 3 << 20
	upload := func(name string) (*spdtest.FTPClient, net.Conn) {
		c := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
		conn := c.Passive()
		c.Do("150", "STOR %s", name)
		if _, err := conn.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		return c, conn
	}
	c, conn := upload("whole")
	began := time.Now()
	awaitSQL(t, s, traffic, fmt.Sprintf("%d\t0", size))
	soon(t, began)
	_ = conn.Close()
	c.Expect("226")
	awaitSQL(t, s, traffic, fmt.Sprintf("%d\t1", size))

	upload("half")
	awaitSQL(t, s, traffic, fmt.Sprintf("%d\t1", 2*size))
	s.Kill()
	s.Serve()
	s.AwaitReady()
	if got := s.SQL(traffic); got != fmt.Sprintf("%d\t1", 2*size) {
		t.Errorf("traffic %s", got)
	}
}

// A ban by a person closes connections on every node within two seconds, and so does its end.
func TestBansByHandReachEveryNode(t *testing.T) {
	t.Parallel()
	nodes := guarded(t, nil)
	awaitLogin := func(from, want string) {
		t.Helper()
		began := time.Now()
		for _, node := range nodes {
			spdtest.Await(t, "the node knows", func() error {
				if got := loginFrom(from, node.Addr(), "alice", "secret"); !strings.HasPrefix(got, want) {
					return fmt.Errorf("%s", got)
				}
				return nil
			})
		}
		if took := time.Since(began); took > 3*time.Second { // two, and the last attempts
			t.Errorf("it took %v", took)
		}
	}
	awaitLogin("127.0.3.1", goodLogin)
	nodes[0].SQL("INSERT INTO bans (kind, subject, reason) VALUES ('address', '127.0.3.0/24', 'abuse')")
	for _, node := range nodes {
		spdtest.Await(t, "connections are closed", func() error {
			if got := loginFrom("127.0.3.1", node.Addr(), "alice", "secret"); strings.HasPrefix(got, "2") || strings.HasPrefix(got, "5") {
				return fmt.Errorf("%s", got)
			}
			return nil
		})
	}
	awaitLogin("127.0.4.1", goodLogin)
	nodes[1].SQL("DELETE FROM bans")
	awaitLogin("127.0.3.1", goodLogin)
	if out, code := nodes[0].Run("ban", "add", "127.0.3.1", "--reason", "again", "--for", "1h"); code != 0 {
		t.Fatalf("ban add: %d\n%s", code, out)
	}
	if out, code := nodes[1].Run("ban", "list"); code != 0 || !strings.Contains(out, "127.0.3.1") || !strings.Contains(out, "again") {
		t.Errorf("ban list: %d\n%s", code, out)
	}
	if out, code := nodes[1].Run("ban", "del", "127.0.3.1"); code != 0 {
		t.Errorf("ban del: %d\n%s", code, out)
	}
	if out, code := nodes[1].Run("ban", "del", "127.0.3.1"); code == 0 {
		t.Errorf("ban del of none: %s", out)
	}
	if out, code := nodes[1].Run("ban", "add", "everywhere"); code == 0 {
		t.Errorf("ban add of no network: %s", out)
	}
	spdtest.Await(t, "the first ban is two events", func() error {
		return spdtest.Equal(nodes[0].SQL("SELECT action, remote, error FROM events WHERE action IN ('ban', 'unban') AND error = 'abuse' ORDER BY time"),
			"ban\t127.0.3.0/24\tabuse\nunban\t127.0.3.0/24\tabuse")
	})
}
