package server_test

import (
	"context"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestLogin(t *testing.T) {
	r := newRig(t, nil)

	c := r.connect()
	c.do("530", "PWD")
	c.do("503", "PASS alice")
	c.do("331", "USER alice")
	unknown := c.do("530", "PASS wrong")
	c.do("331", "USER mallory")
	if wrong := c.do("530", "PASS mallory"); wrong != unknown {
		t.Errorf("unknown user %q, wrong password %q", wrong, unknown)
	}
	c.do("331", "USER alice")
	c.do("530", "PASS wrong")
	c.do("220", "REIN") // which does not begin the count anew
	c.do("331", "USER alice")
	c.do("421", "PASS wrong")
	c.closed()

	c = r.connect()
	c.do("331", "USER alice")
	c.do("530", "PASS wrong")
	c.do("331", "USER alice")
	c.do("230", "PASS alice")
	c.do("503", "USER bob")
	c.do("257", "PWD")

	c = r.connect()
	c.do("331", "USER nobody")
	c.do("421", "PASS nobody")
	c.closed()
}

func TestReadOnlyUser(t *testing.T) {
	c := newRig(t, nil).login("bob")
	c.put("550", "STOR a", []byte("x"))
	c.do("550", "MKD d")
	c.get("LIST")
}

func TestUsersAreApart(t *testing.T) {
	r := newRig(t, nil)
	alice, bob := r.login("alice"), r.login("bob")
	alice.put("226", "STOR secret", []byte("x"))
	if got := bob.get("NLST"); got != "" {
		t.Errorf("bob sees %q", got)
	}
	for _, path := range []string{"/alice/secret", "../alice/secret", "/../alice/secret", "../../alice/secret"} {
		bob.do("550", "SIZE %s", path)
	}
}

func TestCommands(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.put("226", "STOR f", []byte("hello"))
	c.put("226", `STOR a "quoted" name`, []byte("hello"))
	const sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	for _, test := range []struct{ want, command string }{
		{"200", "NOOP"}, {"215", "SYST"}, {"211", "FEAT"}, {"211", "STAT"}, {"500", "NONSENSE"}, {"500", ""}, {"500", " x"},
		{"200", "TYPE I"}, {"200", "STRU F"}, {"504", "STRU R"}, {"200", "MODE S"}, {"504", "MODE B"},
		{"200", "ALLO 5"}, {"200", "ALLO 5 R 10"}, {"501", "ALLO x"}, {"501", "ALLO -1"},
		{"501", "REST -1"}, {"501", "REST x"}, {"350", "REST 3"}, {"501", "SIZE"}, {"501", "DELE"},
		{"250", "XCWD /"}, {"257", "XPWD"}, {"257", "XMKD sub"}, {"250", "CWD sub"}, {"250", "XCUP"}, {"250", "XRMD sub"},
		{"250-", "MLST f"}, {"213 20", "MDTM f"}, {"213", "MFMT 20200102030405 f"}, {"213 20200102030405", "MDTM f"},
		{"213", "MDTM 20210102030405 f"}, {"213 20210102030405", "MDTM f"},
		{"200", "SITE UTIME 20220102030405 f"}, {"213 20220102030405", "MDTM f"},
		{"502", "SITE CHMOD 755 f"}, {"502", "SITE CHMOD"}, {"214", "SITE HELP"}, {"500", "SITE RMDIR /"},
		{"213", "AVBL /"}, {"213", "STAT f"}, {"212", "STAT /"},
		{"250", "XCRC f"}, {"250", "XMD5 f"}, {"250", `XSHA256 "f" 0 5`}, {"213", "HASH f"},
		{"250", `XSHA1 a "quoted" name`}, {"213", `HASH a "quoted" name`},
		{"550", "CWD f"}, {"550", "MKD f"}, {"503", "RNTO x"}, {"550", "RNFR missing"},
		{"550", "HASH missing"}, {"500", "PORT 127,0,0,1,0,22"}, {"500", "PORT 8,8,8,8,200,1"},
		{"500", "EPRT |1|8.8.8.8|5000|"}, {"501", "PORT nonsense"}, {"425", "RETR f"}, {"425", "LIST"},
	} {
		got := c.do(test.want, "%s", test.command)
		if strings.ContainsAny(got, "\x01%") {
			t.Errorf("%s: %q", test.command, got)
		}
		if strings.HasPrefix(test.command, "HASH") && strings.HasPrefix(got, "213") && !strings.Contains(got, sha) {
			t.Errorf("%s: %q", test.command, got)
		}
	}
}

func TestErrorsLeakNothing(t *testing.T) {
	r := newRig(t, nil)
	var broken atomic.Bool
	secret := errors.New("dial tcp 10.1.2.3:9000: bucket spd-secret, key alice/f")
	r.files.Before = func(_ context.Context, call storetest.Call) error {
		if broken.Load() && call.Op == "Stat" {
			return store.Unavailable(secret)
		}
		return nil
	}
	c := r.login("alice")
	c.put("226", "STOR f", []byte("hello"))
	broken.Store(true)
	for _, command := range []string{"SIZE f", "MDTM f", "DELE f", "MFMT 20200101000000 f", "MLST f"} {
		if got := c.do("451", "%s", command); strings.Contains(got, "secret") || strings.Contains(got, "10.") {
			t.Errorf("%s: %q", command, got)
		}
	}
	broken.Store(false)
	c.do("213 5", "SIZE f") // the session lives on
}

func TestLineTooLong(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for _, n := range []int{4_001, 4_090, 4_096, 5_000, 8_000, 9_000, 70_000} {
		c.do("500", "%s", strings.Repeat("A", n))
		c.do("500|550", "DELE %s", strings.Repeat("/a", n/2))
	}
	c.do("550", "DELE %s", strings.Repeat("/a", 1_900))
	c.do("550", "DELE a\x00b")
	c.do("200", "NOOP")
}

func TestPipelinedCommands(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.send("NOOP\r\nPWD\r\nTYPE I\r\nNOOP")
	for _, want := range []string{"200", "257", "200", "200"} {
		c.expect(want)
	}
}

func TestClientThatSaysAllAtOnce(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial(r.addr)
	c.send("USER alice\r\nPASS alice\r\nMKD made\r\nQUIT")
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"220", "331", "230", "257", "221"} {
		c.expect(want)
	}
	c.closed()
	r.login("alice").do("250", "CWD made")
}

func TestStrangerOnPassivePort(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("mine"))
	reply := c.do("227", "PASV")
	port, _ := parse227(t, reply)
	stranger := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	thief, err := stranger.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thief.Close() }()
	c.send("RETR f")
	_ = thief.SetDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(thief); len(got) > 0 {
		t.Errorf("the thief got %q, %v", got, err)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	c.expect("150")
	if got, err := io.ReadAll(conn); string(got) != "mine" {
		t.Errorf("the owner got %q, %v", got, err)
	}
	_ = conn.Close()
	c.expect("226")
}

func parse227(t *testing.T, reply string) (port string, host string) {
	t.Helper()
	_, at, _ := strings.Cut(reply, "(")
	fields := strings.Split(strings.TrimSuffix(at, ")"), ",")
	if len(fields) != 6 {
		t.Fatalf("reply %q", reply)
	}
	high, low := new(big.Int), new(big.Int)
	high.SetString(fields[4], 10)
	low.SetString(fields[5], 10)
	return new(big.Int).Add(high.Lsh(high, 8), low).String(), strings.Join(fields[:4], ".")
}

func TestActiveMode(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("hello"))
	for _, verb := range []string{"EPRT", "PORT"} {
		conn := c.begin(verb, "RETR f")
		if got, _ := io.ReadAll(conn); string(got) != "hello" {
			t.Errorf("%s: got %q", verb, got)
		}
		_ = conn.Close()
		c.expect("150")
		c.expect("226")
	}
}

// A client that is killed closes all its sockets; the data look complete.
func TestKilledClientPublishesNothing(t *testing.T) {
	r := newRig(t, nil)
	watcher := r.login("alice")
	watcher.put("226", "STOR old", []byte("old content"))
	for _, size := range []int{100, 100_000, 12 << 20} {
		for _, name := range []string{"new", "old"} {
			c := r.login("alice")
			data := c.passive()
			c.do("150", "STOR %s", name)
			_, _ = data.Write(make([]byte, size))
			_ = c.conn.Close()
			_ = data.Close()
			r.waitSessions(1)
		}
		watcher.put("550", "RETR new", nil)
		if got := watcher.get("RETR old"); got != "old content" {
			t.Errorf("%d bytes: old file is now %.20q, %d bytes", size, got, len(got))
		}
	}
}

// waitSessions waits until so many sessions are left.
func (r *rig) waitSessions(n int) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for r.server.Summary().Sessions != n {
		if time.Now().After(deadline) {
			r.t.Fatalf("still %d sessions", r.server.Summary().Sessions)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAbort(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	_, _ = data.Write(make([]byte, 1000))
	c.do("426", "ABOR")
	c.expect("226")
	c.do("550", "SIZE f")
	c.do("225", "ABOR")
}

func TestCommandsDuringTransfer(t *testing.T) {
	c := newRig(t, nil).login("alice")
	data := c.passive()
	c.do("150", "STOR f")
	c.do("200", "NOOP")
	c.do("211", "STAT")
	c.send("SIZE f") // waits its turn
	_, _ = data.Write([]byte("hello"))
	_ = data.Close()
	c.expect("226")
	c.expect("213 5")
}

func TestLimits(t *testing.T) {
	r := newRig(t, func(o *server.Options) {
		o.MaxSessionsPerIP = 2
		login := o.Login
		o.Login = func(ctx context.Context, name, pass string, conn auth.Connection) (*auth.User, error) {
			user, err := login(ctx, name, pass, conn)
			if user != nil {
				user.MaxSessions = 1
			}
			return user, err
		}
	})
	first := r.login("alice")
	second := r.connect()
	third := r.dial(r.addr)
	third.expect("421")
	third.closed()
	second.do("331", "USER alice")
	second.do("421", "PASS alice")
	second.closed()
	first.do("200", "NOOP")
}

func TestLoginTimeout(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.LoginTimeout = 50 * time.Millisecond })
	c := r.connect()
	c.expect("421 Login")
	c.closed()
}

func TestIdleTimeout(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.IdleTimeout = 2 * time.Second })
	c := r.dial(r.addr)
	c.send("USER alice\r\nPASS alice")
	for _, want := range []string{"220", "331", "230", "421 Idle"} {
		c.expect(want)
	}
	c.closed()
}

func TestDrain(t *testing.T) {
	r := newRig(t, nil)
	idle, busy := r.login("alice"), r.login("alice")
	data := busy.passive()
	busy.do("150", "STOR f")
	done := make(chan error)
	go func() { done <- r.server.Shutdown(t.Context()) }()
	idle.expect("421")
	idle.closed()
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("still accepting")
	}
	_, _ = data.Write([]byte("hello"))
	_ = data.Close()
	busy.expect("226")
	busy.expect("421")
	busy.closed()
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestDrainTimeout(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	_ = c.passive()
	c.do("150", "STOR f")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
}

func TestManyConnections(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.MaxSessions = 50 })
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				return // the backlog is full
			}
			_, _ = conn.Write([]byte("\x00\xff\xfe garbage without an end"))
			_ = conn.Close()
		})
	}
	wg.Wait()
	for { // some may still wait to be accepted
		c := r.dial(r.addr)
		if strings.HasPrefix(c.reply(), "220") {
			c.do("331", "USER alice")
			c.do("230", "PASS alice")
			return
		}
	}
}

func TestCharset(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.do("200", "OPTS UTF8 ON")
	c.do("200 File names are in UTF-8", "SITE CHARSET")
	c.do("200", "SITE CHARSET GBK")
	c.do("257", "MKD \xd6\xd0\xce\xc4") // 中文
	if got := c.get("NLST"); got != "\xd6\xd0\xce\xc4\r\n" {
		t.Errorf("in GBK: %q", got)
	}
	c.do("501", "SITE CHARSET klingon")
	c.do("200", "OPTS UTF8 ON")
	if got := c.get("NLST"); got != "中文\r\n" {
		t.Errorf("in UTF-8: %q", got)
	}
	c.do("501", "OPTS UTF8 MAYBE")
}

// A client may say QUIT, and more, behind an upload, and leave: what it said counts.
func TestQuitBehindTransfer(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	data := c.passive()
	c.send("STOR f\r\nMKD d\r\nQUIT")
	c.expect("150")
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, _ = data.Write([]byte("hello"))
	_ = data.Close()
	for _, want := range []string{"226", "257", "221"} {
		c.expect(want)
	}
	c.closed()
	c = r.login("alice")
	c.do("213 5", "SIZE f")
	c.do("250", "CWD d")
	c.do("250", "CDUP")

	data = c.passive() // and one that only leaves
	c.send("STOR g\r\nMKD e")
	c.expect("150")
	_, _ = data.Write([]byte("hello"))
	_ = c.conn.Close()
	_ = data.Close()
	r.waitSessions(0)
	r.login("alice").do("550", "SIZE g")
}

// What a client announces in TYPE A is not what is stored: line ends become shorter.
func TestAllocateInASCII(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.do("200", "TYPE A")
	c.do("202", "ALLO 6")
	c.put("226", "STOR text", []byte("a\r\nb\r\n"))
	c.do("200", "TYPE I")
	c.do("213 4", "SIZE text")
}
