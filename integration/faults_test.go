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

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

const (
	smallFile = 1000     // bytes: one PUT
	largeFile = 11 << 20 // bytes: three parts
)

// faulty is a client of a node whose store fails, in a directory of its own.
type faulty struct {
	t      *testing.T
	node   *spdtest.SPD
	proxy  *s3Proxy
	bucket store.Store
	dir    string
	client *spdtest.FTPClient
	old    string // content of dir/f, at first
}

func newFaulty(t *testing.T, node *spdtest.SPD, proxy *s3Proxy, dir string, size int) *faulty {
	t.Helper()
	f := &faulty{t: t, node: node, proxy: proxy, dir: dir, bucket: bucketOf(t, node), old: noise(1, size)}
	plant(t, f.bucket, f.key(""), "")
	plant(t, f.bucket, f.key("f"), f.old)
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
		return noise(2, smallFile)
	}
	return noise(2, largeFile)
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
	if strings.HasPrefix(reply, "226") && (err != nil || string(got) != f.old) || !strings.HasPrefix(f.old, string(got)) {
		f.t.Errorf("RETR: %d bytes of %d, or others, %v: %s", len(got), len(f.old), err, reply)
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

// together runs subtests at the same time, however few processors there are: they mostly
// wait.
func together(t *testing.T, tests map[string]func(*testing.T)) {
	var running sync.WaitGroup
	for name, test := range tests {
		running.Go(func() { t.Run(name, test) })
	}
	running.Wait()
}

// place is a directory for a test.
func place(t *testing.T) string { return strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) }

// A fault that passes is the gateway's business, and no client ever hears of it.
func TestStoreFaultsThatPass(t *testing.T) {
	t.Parallel()
	node, proxy := behindS3Proxy(t, map[string]string{"s3.request_timeout": "2s", "transfer.retry_for": "60s"})
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
			times := 1 + i%2 // in a row
			if name == "slow" {
				times = -1
			}
			tests[fmt.Sprintf("%s %s for %s", name, c.op, c.command)] = func(t *testing.T) {
				f := newFaulty(t, node, proxy, place(t), largeFile)
				fault := proxy.fail(c.op, f.dir, times, do)
				f.command("2", c.command)
				if proxy.heal(fault) == 0 {
					t.Error("nothing has failed")
				}
				if !strings.HasPrefix(c.command, "STOR") {
					return
				}
				f.isStored(f.fresh(c.command))
				begun := 0
				if c.op == "CreateMultipartUpload" && unheard {
					begun = fault.hit // MinIO cannot be asked for them; the bucket's lifecycle must see to these
				}
				if got := orphans(t, node, f.bucket, f.key("f")); got != begun {
					t.Errorf("%d orphaned uploads, want %d", got, begun)
				}
			}
		}
	}
	together(t, tests)
}

// A fault that stays ends the transfer in time, and harms neither the old file nor the
// session.
func TestStoreFaultsThatStay(t *testing.T) {
	t.Parallel()
	const deadline = 30 * time.Second // the deadlines of all requests of a command together, and some room
	node, proxy := behindS3Proxy(t, map[string]string{"s3.request_timeout": "3s", "transfer.retry_for": "500ms"})
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
				f := newFaulty(t, node, proxy, place(t), largeFile)
				fault := proxy.fail(c.op, f.dir, -1, do)
				begun := time.Now()
				f.command("4", c.command)
				if took := time.Since(begun); took > deadline {
					t.Errorf("the session hung for %v", took)
				}
				if proxy.heal(fault) == 0 {
					t.Error("nothing has failed")
				}
				f.client.Do("200", "NOOP")
				possible := []string{f.old}
				if name == "lost" && (c.op == "PutObject" || c.op == "CompleteMultipartUpload") {
					possible = append(possible, f.fresh(c.command)) // published, and nobody was told
				}
				f.isStored(possible...)
				lost := 0
				if name == "lost" && c.op == "CreateMultipartUpload" {
					lost = fault.hit
				}
				if got := orphans(t, node, f.bucket, f.key("f")); got != lost {
					t.Errorf("%d orphaned uploads, want %d", got, lost)
				}
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
	node, proxy := behindS3Proxy(t, map[string]string{"s3.request_timeout": "1s", "transfer.retry_for": "500ms"})
	tests := make(map[string]func(*testing.T))
	for name, do := range map[string]func(*s3Proxy, http.ResponseWriter, *http.Request){"cut": cut, "hanging": hang} {
		tests[name] = func(t *testing.T) {
			f := newFaulty(t, node, proxy, place(t), largeFile)
			first := proxy.fail("GetObject", f.dir, 1, inBody(1<<20, do))
			rest := proxy.fail("GetObject", f.dir, -1, do)
			f.command("426", "RETR")
			if proxy.heal(first) == 0 || proxy.heal(rest) == 0 {
				t.Error("nothing has failed")
			}
			f.command("226", "RETR")
		}
	}
	together(t, tests)
}

// Who is silent on a data connection is cut off, and can go on with something else.
func TestSilentDataConnections(t *testing.T) {
	t.Parallel()
	node := start(t, spdtest.Options{TLS: true, Config: map[string]string{"ftp.data_timeout": "8s"}})
	bucket := bucketOf(t, node)
	content := noise(3, 48<<20) // more than the sockets between hold
	plant(t, bucket, "alice/large", content)
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
			if got := c.Get("RETR large"); got != content {
				t.Errorf("the next download has %d bytes, or others", len(got))
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
	c.Do("226", "ABOR") // of nothing
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
