package integration

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// What is stored at first, and what is sent.
var (
	oldContent   = sync.OnceValue(func() string { return noise(1, 11<<20) }) // two ranges
	smallContent = sync.OnceValue(func() string { return noise(2, 1000) })   // one PUT
	largeContent = sync.OnceValue(func() string { return noise(3, 11<<20) }) // three parts
)

// faulty is a client of a node whose store fails, in a directory of its own.
type faulty struct {
	t      *testing.T
	node   *spdtest.SPD
	proxy  *s3Proxy
	bucket store.Store
	dir    string
	client *spdtest.FTPClient
}

func newFaulty(t *testing.T, node *spdtest.SPD, proxy *s3Proxy) *faulty {
	t.Helper()
	dir := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
	f := &faulty{t: t, node: node, proxy: proxy, dir: dir, bucket: bucketOf(t, node)}
	plant(t, f.bucket, f.key(""), "")
	plant(t, f.bucket, f.key("f"), oldContent())
	f.client = spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
	return f
}

func (f *faulty) key(name string) string { return "alice/" + f.dir + "/" + name }

// command is what the client does: "STOR small", "STOR large", or a command.
func (f *faulty) command(want, command string) string {
	f.t.Helper()
	path := f.dir + "/f"
	switch command {
	case "STOR small":
		return f.client.Put(want, "STOR "+path, []byte(f.fresh(command)))
	case "STOR large":
		return f.client.Put(want, "STOR "+path, []byte(f.fresh(command)))
	case "RETR":
		return f.retr(want, path)
	case "LIST":
		return f.client.Put(want, "LIST "+f.dir, nil) // what comes is not looked at
	}
	return f.client.Do(want, "%s %s", command, path)
}

// fresh is what STOR sends.
func (f *faulty) fresh(command string) string {
	if command == "STOR small" {
		return smallContent()
	}
	return largeContent()
}

// retr downloads a file, which must have the old content, or its beginning if the reply is
// not 226.
func (f *faulty) retr(want, path string) string {
	f.t.Helper()
	conn := f.client.Passive()
	f.client.Send("RETR %s", path)
	first := f.client.Expect("150|" + want)
	if !strings.HasPrefix(first, "150") {
		return first
	}
	got, err := io.ReadAll(conn)
	_ = conn.Close()
	reply := f.client.Expect(want)
	if strings.HasPrefix(reply, "226") && (err != nil || string(got) != oldContent()) || !strings.HasPrefix(oldContent(), string(got)) {
		f.t.Errorf("RETR: %d bytes of %d, or others, %v: %s", len(got), len(oldContent()), err, reply)
	}
	return reply
}

// isStored checks the file in the store itself.
func (f *faulty) isStored(want ...string) {
	f.t.Helper()
	got := storedAs(f.t, f.bucket, f.key("f"))
	if slices.Contains(want, got) {
		return
	}
	f.t.Errorf("the store holds %d bytes, want %d, or others", len(got), len(want[0]))
}

// noOrphans checks that the journal knows all uploads. But where beginning one was
// repeated, those that began unheard remain: the bucket's lifecycle must see to them. heard
// is how many were not.
func (f *faulty) noOrphans(heard int) {
	f.t.Helper()
	most := max(f.proxy.begins(f.dir)-heard, 0)
	if got := orphans(f.t, f.node, f.bucket, f.key("f")); got > most {
		f.t.Errorf("%d orphaned uploads, want at most %d", got, most)
	}
}

// faultCases are the requests that can fail, and the command that needs them.
func faultCases() []struct{ op, command string } {
	return []struct{ op, command string }{
		{"PutObject", "STOR small"},
		{"ListObjects", "STOR small"},
		{"CreateMultipartUpload", "STOR large"},
		{"UploadPart", "STOR large"},
		{"CompleteMultipartUpload", "STOR large"},
		{"GetObject", "RETR"},
		{"ListObjects", "LIST"},
		{"HeadObject", "SIZE"},
	}
}

// changes tells whether a request changes something, so that it matters if its answer is
// lost.
func changes(op string) bool {
	return op == "PutObject" || op == "CreateMultipartUpload" || op == "UploadPart" || op == "CompleteMultipartUpload"
}

// together runs some subtests at a time, however few processors there are: they mostly
// wait.
func together(t *testing.T, tests map[string]func(*testing.T)) {
	var running errgroup.Group
	running.SetLimit(12)
	for name, test := range tests {
		running.Go(func() error { t.Run(name, test); return nil })
	}
	_ = running.Wait() // nothing fails but the tests
}

// A fault that passes is the gateway's business, and no client ever hears of it.
func TestStoreFaultsThatPass(t *testing.T) {
	t.Parallel()
	node, proxy := behindS3Proxy(t, map[string]string{"s3.request_timeout": "5s", "transfer.retry_for": "60s"})
	tests := make(map[string]func(*testing.T))
	for name, do := range map[string]func(*s3Proxy, http.ResponseWriter, *http.Request){
		"busy": busy, "cut": cut, "lost": lose, "hanging": hang, "unheard": hangUnheard, "slow": slow,
		"cut in body": inBody(1<<20, cut), "hanging in body": inBody(1<<20, hang),
	} {
		unheard := name == "lost" || name == "unheard"
		for i, c := range faultCases() {
			if strings.Contains(name, "body") && c.op != "GetObject" || unheard && !changes(c.op) {
				continue
			}
			times := 1
			switch name {
			case "busy", "cut", "lost": // in a row
				times += i % 2
			case "slow":
				times = -1
			}
			tests[fmt.Sprintf("%s %s for %s", name, c.op, c.command)] = func(t *testing.T) {
				f := newFaulty(t, node, proxy)
				fault := proxy.fail(c.op, f.dir, times, do)
				f.command("2", c.command)
				if proxy.hits(fault) == 0 {
					t.Error("nothing has failed")
				}
				proxy.heal(fault)
				if !strings.HasPrefix(c.command, "STOR") {
					return
				}
				f.isStored(f.fresh(c.command))
				f.noOrphans(1)
			}
		}
	}
	together(t, tests)
}

// A fault that stays ends the transfer in time, and harms neither the old file nor the
// session.
func TestStoreFaultsThatStay(t *testing.T) {
	t.Parallel()
	const deadline = 45 * time.Second // the deadlines of all requests of a command together, and some room
	node, proxy := behindS3Proxy(t, map[string]string{"s3.request_timeout": "5s", "transfer.retry_for": "500ms"})
	tests := make(map[string]func(*testing.T))
	everything := []struct{ op, command string }{{"", "STOR large"}, {"", "RETR"}}
	for name, do := range map[string]func(*s3Proxy, http.ResponseWriter, *http.Request){
		"busy": busy, "cut": cut, "lost": lose, "hanging": hang,
	} {
		for _, c := range append(faultCases(), everything...) {
			if name == "lost" && !changes(c.op) {
				continue
			}
			tests[fmt.Sprintf("%s %s for %s", name, c.op, c.command)] = func(t *testing.T) {
				f := newFaulty(t, node, proxy)
				fault := proxy.fail(c.op, f.dir, -1, do)
				for proxy.hits(fault) == 0 { // another request may be slow by itself
					begun := time.Now()
					f.command("4", c.command)
					if took := time.Since(begun); took > deadline {
						t.Errorf("the session hung for %v", took)
					}
				}
				proxy.heal(fault)
				f.client.Do("200", "NOOP")
				possible := []string{oldContent()}
				if name == "lost" && (c.op == "PutObject" || c.op == "CompleteMultipartUpload") {
					possible = append(possible, f.fresh(c.command)) // published, and nobody was told
				}
				f.isStored(possible...)
				heard := 1
				if c.op == "CreateMultipartUpload" {
					heard = 0
				}
				f.noOrphans(heard)
				f.command("2", c.command)
				if strings.HasPrefix(c.command, "STOR") {
					f.isStored(f.fresh(c.command))
				}
			}
		}
	}
	together(t, tests)
}

// A download whose store hangs in mid-body, for good.
func TestStoreHangsInMidDownload(t *testing.T) {
	t.Parallel()
	node, proxy := behindS3Proxy(t, map[string]string{"s3.request_timeout": "5s", "transfer.retry_for": "500ms"})
	tests := make(map[string]func(*testing.T))
	for name, do := range map[string]func(*s3Proxy, http.ResponseWriter, *http.Request){"cut": cut, "hanging": hang} {
		tests[name] = func(t *testing.T) {
			f := newFaulty(t, node, proxy)
			first := proxy.fail("GetObject", f.dir, 1, inBody(1<<20, do))
			rest := proxy.fail("GetObject", f.dir, -1, do)
			f.command("426", "RETR")
			if proxy.hits(first) == 0 || proxy.hits(rest) == 0 {
				t.Error("nothing has failed")
			}
			proxy.heal(first)
			proxy.heal(rest)
			f.command("226", "RETR")
		}
	}
	together(t, tests)
}

// Who is silent on a data connection is cut off, and can go on with something else.
func TestSilentDataConnections(t *testing.T) {
	t.Parallel()
	node := start(t, spdtest.Options{Config: map[string]string{"ftp.data_timeout": "8s"}})
	bucket := bucketOf(t, node)
	content := noise(3, 48<<20) // more than the sockets between hold
	plant(t, bucket, "alice/large", content)
	plant(t, bucket, "alice/small", "hello")
	tests := make(map[string]func(*testing.T))
	for name, do := range map[string]func(*testing.T, *spdtest.FTPClient){
		"nothing at all": func(_ *testing.T, c *spdtest.FTPClient) {
			c.Passive()
			c.Do("150", "STOR silent")
			c.Expect("426")
		},
		"one byte and no more": func(t *testing.T, c *spdtest.FTPClient) {
			conn := c.Passive()
			c.Do("150", "STOR silent")
			send(t, conn, "x")
			c.Expect("426")
		},
		"many bytes and no more": func(t *testing.T, c *spdtest.FTPClient) {
			conn := c.Passive()
			c.Do("150", "STOR silent-large")
			send(t, conn, content[:20<<20])
			c.Expect("426")
			if got := c.Do("213", "SIZE silent-large"); got != fmt.Sprint("213 ", 16<<20) {
				t.Errorf("what came can be resumed from %q", got)
			}
		},
		"download that is not read": func(t *testing.T, c *spdtest.FTPClient) {
			conn := c.Passive()
			c.Do("150", "RETR large")
			if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			c.Expect("426")
		},
	} {
		tests[name] = func(t *testing.T) {
			c := spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
			do(t, c)
			c.Do("550", "RNFR silent")
			if got := c.Get("RETR small"); got != "hello" {
				t.Errorf("the next download: %q", got)
			}
			c.Do("221", "QUIT")
		}
	}
	together(t, tests)
}

// What clients do to a transfer, or to themselves.
func TestClientsInMidTransfer(t *testing.T) {
	t.Parallel()
	node := start(t, spdtest.Options{})
	t.Run("ABOR", func(t *testing.T) { abort(t, node) })
	t.Run("gone with commands waiting", func(t *testing.T) { leaveBehindATransfer(t, node) })
	t.Run("parameters without sense", func(t *testing.T) { talkNonsense(t, node) })
}

func abort(t *testing.T, node *spdtest.SPD) {
	bucket := bucketOf(t, node)
	old := noise(4, 24<<20)
	plant(t, bucket, "alice/f", old)
	c := spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
	for _, sent := range []int{0, 1, 10 << 20} {
		conn := c.Passive()
		c.Do("150", "STOR f")
		send(t, conn, old[:sent])
		c.Do("426", "ABOR")
		c.Expect("226")
		_ = conn.Close()
		if got := storedAs(t, bucket, "alice/f"); got != old {
			t.Errorf("after %d bytes: the file has %d bytes, or others", sent, len(got))
		}
	}
	for _, taken := range []int{0, 1, 9 << 20} {
		conn := c.Passive()
		c.Do("150", "RETR f")
		got := make([]byte, taken)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != old[:taken] {
			t.Errorf("%d bytes: %v", taken, err)
		}
		c.Do("426", "ABOR")
		c.Expect("226")
		_ = conn.Close()
	}
	c.Do("225", "ABOR") // of nothing
	if got := c.Get("RETR f"); got != old {
		t.Errorf("%d bytes, or others", len(got))
	}
	c.Do("221", "QUIT")
}

// Commands that wait behind a transfer do not hide that the client is gone.
func leaveBehindATransfer(t *testing.T, node *spdtest.SPD) {
	bucket := bucketOf(t, node)
	plant(t, bucket, "alice/f", "old")
	for _, waiting := range []string{"NOOP\r\n", "PWD\r\n", "SIZE f\r\n", strings.Repeat("PWD\r\n", 200), strings.Repeat("NOOP\r\n", 200), "half a comm"} {
		for _, size := range []int{1000, 9 << 20} {
			c := spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
			conn := c.Passive()
			c.Do("150", "STOR f")
			send(t, conn, strings.Repeat("x", size))
			send(t, c.Conn, waiting)
			_ = c.Conn.Close() // killed: both end, in this order
			_ = conn.Close()
			spdtest.Await(t, "the session is over", func() error {
				return spdtest.Equal(metric(t, node.Admin(), "spd_sessions"), 0)
			})
			if got := storedAs(t, bucket, "alice/f"); got != "old" {
				t.Errorf("%.10q and %d bytes: the file has %d bytes", waiting, size, len(got))
			}
		}
	}
}

// What makes no sense is refused in words, and does no harm.
func talkNonsense(t *testing.T, node *spdtest.SPD) {
	c := spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
	c.Do("257", "MKD /nonsense")
	c.Do("250", "CWD /nonsense")
	c.Put("226", "STOR f", []byte("hello"))
	for _, arg := range []string{"-1", "-9223372036854775808", "9223372036854775808", "1e3", "0x10", "five", "1.5", "1 2", "", " ", "٣", strings.Repeat("9", 400)} {
		c.Do("501", "REST %s", arg)
	}
	for _, arg := range []string{"-1", "many", "", "9223372036854775808", "1e3", strings.Repeat("9", 400)} {
		c.Do("501|504", "ALLO %s", arg)
	}
	c.Do("552", "ALLO 9223372036854775807")
	for _, command := range []string{"STOR f", "RETR f"} {
		c.Do("350", "REST 9223372036854775807")
		c.Put("554", command, nil)
	}
	c.Do("350", "REST 0")
	if got := c.Get("RETR f"); got != "hello" {
		t.Errorf("got %q", got)
	}
	c.Do("200", "ALLO 3 R 1")
	c.Put("226", "STOR f", []byte("hello")) // more than announced is no loss
	c.Do("200", "ALLO 6")
	c.Put("426", "STOR f", []byte("fewer"))
	c.Put("226", "STOR g", []byte("fewer")) // it held for one upload
	large := []byte(noise(5, 20<<20))
	c.Do("200", "ALLO %d", len(large)+1)
	c.Put("426", "STOR large", large)
	c.Do(fmt.Sprint("213 ", 16<<20), "SIZE large")
	c.Do("350", "REST %d", 16<<20)
	c.Put("226", "STOR large", large[16<<20:])
	if got := c.Get("RETR large"); got != string(large) {
		t.Errorf("%d bytes, or others", len(got))
	}
	c.Do("257", "MKD dir")
	c.Put("553", "APPE dir", []byte("x"))
	c.Put("553", "STOR dir", []byte("x"))
	c.Do("350", "REST 3")
	c.Put("226", "APPE g", []byte(" and more")) // REST is not for APPE
	if got := c.Get("RETR g"); got != "fewer and more" {
		t.Errorf("got %q", got)
	}
	if got := c.Get("RETR f"); got != "hello" {
		t.Errorf("got %q", got)
	}
}
