package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/internal/spdtest/dbtest"
	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server over a memory store, with users alice (rw) and bob (ro), whose
// passwords are their names.
type rig struct {
	t      *testing.T
	server *server.Server
	addr   string
	files  *storetest.Faulty // bucket "spd"
	db     *db.DB
}

func newRig(t *testing.T, change func(*server.Options)) *rig {
	t.Helper()
	database := dbtest.Open(t)
	r := &rig{t: t, files: &storetest.Faulty{Store: memory.New().Bucket("spd")}, db: database}
	r.start("first", change)
	return r
}

// another is a second node in front of the same store and database.
func (r *rig) another() *rig {
	r.t.Helper()
	other := &rig{t: r.t, files: r.files, db: r.db}
	other.start("second", nil)
	return other
}

func (r *rig) start(node string, change func(*server.Options)) {
	r.t.Helper()
	log := slog.New(slog.DiscardHandler)
	budget := buffer.NewBudget(64 << 20)
	uploads := upload.NewManager(upload.Options{Journal: r.db, Node: node, Log: log})
	opts := server.Options{
		Banner: "test", ActiveMode: true, ConnectTimeout: 5 * time.Second, LoginAttempts: 3,
		Log: log, Login: loginByName,
		Driver: func(ctx context.Context, deps driver.Deps, user *auth.User) (*driver.Driver, error) {
			deps.Names = encoding.NewDetector(encoding.Hints{})
			deps.Store, deps.Uploads, deps.Budget = r.files, uploads, budget
			deps.Times = r.db
			deps.PartSize, deps.PartsInFlight = store.MinPartSize, 2
			deps.DataTimeout = 10 * time.Second
			return driver.New(ctx, deps, user), nil
		},
	}
	if change != nil {
		change(&opts)
	}
	var err error
	if r.server, err = server.New(opts); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.server.Close)
	r.addr = r.listen(r.server.Serve)
}

func loginByName(_ context.Context, name, password string, _ auth.Connection) (*auth.User, error) {
	user := &auth.User{Name: name, Bucket: "spd", Prefix: name + "/", Permissions: auth.ReadWrite}
	switch {
	case name == "nobody":
		return nil, auth.ErrUnavailable
	case name != "alice" && name != "bob" || password != name:
		return nil, auth.ErrDenied
	case name == "bob":
		user.Permissions = auth.ReadOnly
	}
	return user, nil
}

// sharedHome puts both users into one place.
func sharedHome(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error) {
	user, err := loginByName(ctx, name, password, conn)
	if user != nil {
		user.Prefix, user.Permissions = "shared/", auth.ReadWrite
	}
	return user, err
}

func (r *rig) listen(serve func(net.Listener) error) string {
	r.t.Helper()
	return r.listenOn("127.0.0.1:0", serve)
}

func (r *rig) listenOn(addr string, serve func(net.Listener) error) string {
	r.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	r.t.Cleanup(func() {
		r.server.Close()
		if err := <-done; !errors.Is(err, server.ErrClosed) {
			r.t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

// client is an FTP client that does what a test says, and nothing else.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	tls  *tls.Config // for data connections, after PROT P
}

// patience is how long a client waits for anything: far longer than it ever takes.
const patience = 30 * time.Second

func (r *rig) connect() *client {
	r.t.Helper()
	c := r.dial(r.addr)
	c.expect("220")
	return c
}

func (r *rig) dial(addr string) *client {
	r.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return newClient(r.t, conn)
}

func newClient(t *testing.T, conn net.Conn) *client {
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// login connects as a user.
func (r *rig) login(name string) *client {
	r.t.Helper()
	c := r.connect()
	c.do("331", "USER %s", name)
	c.do("230", "PASS %s", name)
	return c
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, format+"\r\n", args...); err != nil {
		c.t.Fatalf("send %s: %v", format, err)
	}
}

// reply reads one reply, of any number of lines.
func (c *client) reply() string {
	c.t.Helper()
	first := c.line()
	all := first
	if len(first) > 3 && first[3] == '-' {
		for line := ""; !strings.HasPrefix(line, first[:3]+" "); {
			line = c.line()
			all += "\n" + line
		}
	}
	return all
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read reply: %v (after %q)", err, line)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// expect reads a reply that begins with one of the wanted codes ("550" or "550|553").
func (c *client) expect(want string) string {
	c.t.Helper()
	got := c.reply()
	for code := range strings.SplitSeq(want, "|") {
		if strings.HasPrefix(got, code) {
			return got
		}
	}
	c.t.Fatalf("reply %q, want %s", got, want)
	return ""
}

// do sends a command and expects a reply.
func (c *client) do(want, format string, args ...any) string {
	c.t.Helper()
	c.send(format, args...)
	got := c.reply()
	for code := range strings.SplitSeq(want, "|") {
		if strings.HasPrefix(got, code) {
			return got
		}
	}
	c.t.Fatalf("%s: reply %q, want %s", fmt.Sprintf(format, args...), got, want)
	return ""
}

// closed expects the server to close the connection, without another reply.
func (c *client) closed() {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if err != nil && !strings.Contains(err.Error(), "reset") || len(rest) > 0 {
		c.t.Fatalf("connection not closed: %q, %v", rest, err)
	}
}

// passive opens a data connection by EPSV.
func (c *client) passive() net.Conn {
	c.t.Helper()
	reply := c.do("229", "EPSV")
	_, at, _ := strings.Cut(reply, "(|||")
	port, err := strconv.Atoi(strings.TrimSuffix(at, "|)"))
	if err != nil {
		c.t.Fatal(err)
	}
	host, _, _ := net.SplitHostPort(c.conn.RemoteAddr().String())
	conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if c.tls != nil {
		return tls.Client(conn, c.tls)
	}
	return conn
}

// active tells the server, by PORT or EPRT, where to connect to.
func (c *client) active(verb string) net.Listener {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = l.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	if verb == "PORT" {
		c.do("200", "PORT 127,0,0,1,%d,%d", port>>8, port&255)
	} else {
		c.do("200", "EPRT |1|127.0.0.1|%d|", port)
	}
	return l
}

// begin sends a command with a data connection, opened by EPSV, PORT or EPRT.
func (c *client) begin(mode, command string) net.Conn {
	c.t.Helper()
	if mode == "EPSV" {
		conn := c.passive()
		c.send("%s", command)
		return conn
	}
	l := c.active(mode)
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c.send("%s", command)
	conn, err := l.Accept()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if c.tls != nil {
		return tls.Client(conn, c.tls)
	}
	return conn
}

// put uploads by a command such as "STOR a" and expects the final reply.
func (c *client) put(want, command string, data []byte) string {
	c.t.Helper()
	conn := c.passive()
	c.send("%s", command)
	if first := c.expect("150|" + want); !strings.HasPrefix(first, "150") {
		return first
	}
	_, _ = conn.Write(data) // the server may have refused meanwhile
	_ = conn.Close()
	return c.expect(want)
}

// get downloads by a command such as "RETR a" or "LIST".
func (c *client) get(command string) string {
	c.t.Helper()
	conn := c.passive()
	c.do("150", "%s", command)
	var data bytes.Buffer
	if _, err := io.Copy(&data, conn); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	_ = conn.Close()
	c.expect("226")
	return data.String()
}

// slowWriter sends a byte now and a byte then.
type slowWriter struct{ net.Conn }

// Write implements io.Writer.
func (w *slowWriter) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := w.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		if i%8 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return len(p), nil
}
