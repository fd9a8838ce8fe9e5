package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

const part = store.MinPartSize

func noise(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	return data
}

// breakOff uploads data and dies: both connections close at once.
func (r *rig) breakOff(user, command string, data []byte) {
	r.t.Helper()
	sessions := r.server.Summary().Sessions
	c := r.login(user)
	conn := c.passive()
	c.do("150", "%s", command)
	_, _ = conn.Write(data)
	r.waitParts(len(data) / part)
	_ = c.conn.Close()
	_ = conn.Close()
	r.waitSessions(sessions)
}

// waitParts waits until the only upload has so many full parts.
func (r *rig) waitParts(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		uploads, err := r.files.Uploads(r.t.Context(), "")
		if err == nil && len(uploads) == 1 {
			parts, err := r.files.Parts(r.t.Context(), uploads[0].Key, uploads[0].ID)
			full := slices.DeleteFunc(parts, func(p store.Part) bool { return p.Size < part })
			if err == nil && len(full) == n {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	r.t.Fatalf("no upload of %d parts", n)
}

// uploads counts the multipart uploads that the store holds.
func (r *rig) uploads() int {
	r.t.Helper()
	uploads, err := r.files.Uploads(r.t.Context(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	records, err := r.db.Of(r.t.Context(), "spd", "alice")
	if err != nil {
		r.t.Fatal(err)
	}
	if len(records) != len(uploads) {
		r.t.Errorf("%d uploads in the store, %d in the journal", len(uploads), len(records))
	}
	return len(uploads)
}

func TestResumeOnAnotherNode(t *testing.T) {
	first := newRig(t, nil)
	second := first.another()
	data := noise(3*part + 1000)
	first.breakOff("alice", "STOR f", data[:2*part+part/2])

	c := second.login("alice")
	c.put("550", "RETR f", nil)
	c.do(fmt.Sprint("213 ", 2*part), "SIZE f")
	c.do("213 20", "MDTM f")
	if got := c.do("250", "MLST f"); !strings.Contains(got, fmt.Sprintf("size=%d;", 2*part)) {
		t.Errorf("MLST: %q", got)
	}
	if got := c.get("LIST"); !strings.Contains(got, fmt.Sprintf(" %d ", 2*part)) {
		t.Errorf("LIST: %q", got)
	}
	c.do("350", "REST %d", 2*part)
	c.put("226", "STOR f", data[2*part:])
	if got := c.get("RETR f"); got != string(data) {
		t.Errorf("the file has %d bytes, or others", len(got))
	}
	c.do(fmt.Sprint("213 ", len(data)), "SIZE f")
	if n := first.uploads(); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

func TestResumeAgainAndAgain(t *testing.T) {
	r := newRig(t, nil)
	data := noise(5*part + 17)
	r.breakOff("alice", "STOR f", data[:part+1])
	c := r.login("alice")
	for durable := part; durable < 4*part; durable += part {
		c.do(fmt.Sprint("213 ", durable), "SIZE f")
		conn := c.passive()
		c.do("350", "REST %d", durable)
		c.do("150", "STOR f")
		_, _ = conn.Write(data[durable : durable+part+5])
		r.waitParts(durable/part + 1)
		c.do("426", "ABOR")
		c.expect("226")
		_ = conn.Close()
	}
	c.put("226", "APPE f", data[4*part:])
	if got := c.get("RETR f"); got != string(data) {
		t.Errorf("the file has %d bytes, or others", len(got))
	}
}

func TestInterruptedOverwriteKeepsTheOldFile(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR f", []byte("old"))
	data := noise(2 * part)
	r.breakOff("alice", "STOR f", data[:part+1])
	c = r.login("alice")
	if got := c.get("RETR f"); got != "old" {
		t.Errorf("the old file has %d bytes", len(got))
	}
	c.do(fmt.Sprint("213 ", part), "SIZE f")
	c.put("226", "APPE f", data[part:])
	if got := c.get("RETR f"); got != string(data) {
		t.Errorf("the new file has %d bytes, or others", len(got))
	}
}

func TestWhatEndsAnInterruptedUpload(t *testing.T) {
	for name, end := range map[string]func(*client){
		"STOR afresh": func(c *client) { c.put("226", "STOR f", []byte("new")) },
		"DELE":        func(c *client) { c.do("250", "DELE f"); c.do("550", "SIZE f"); c.do("550", "DELE f") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.breakOff("alice", "STOR f", noise(part+1))
			c := r.login("alice")
			c.do(fmt.Sprint("213 ", part), "SIZE f")
			end(c)
			if n := r.uploads(); n != 0 {
				t.Errorf("%d uploads left", n)
			}
		})
	}
}

func TestOnlyTheOwnerSeesAnInterruptedUpload(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.Login = sharedHome })
	r.breakOff("alice", "STOR f", noise(part+1))
	bob := r.login("bob")
	bob.do("550", "SIZE f")
	if got := bob.get("NLST"); got != "" {
		t.Errorf("bob sees %q", got)
	}
	bob.do("350", "REST %d", part)
	bob.put("550 No such file", "STOR f", nil)
	bob.put("226", "APPE f", []byte("of bob")) // a file of its own
	if got := bob.get("RETR f"); got != "of bob" {
		t.Errorf("bob reads %d bytes", len(got))
	}
	alice := r.login("alice")
	alice.do(fmt.Sprint("213 ", part), "SIZE f")
	alice.put("226", "APPE f", []byte("of alice"))
	if got := bob.get("RETR f"); len(got) != part+len("of alice") {
		t.Errorf("%d bytes, and alice has put %d", len(got), part+len("of alice"))
	}
}

func TestRestElsewhere(t *testing.T) {
	r := newRig(t, nil)
	r.breakOff("alice", "STOR f", noise(2*part+1))
	c := r.login("alice")
	for _, offset := range []int{1, part - 1, part + 1, 2*part + 1, 1 << 40} {
		c.do("350", "REST %d", offset)
		c.put("550|553|554", "STOR f", nil)
	}
	data := noise(2 * part)
	c.do("350", "REST %d", part) // a part ends here
	c.put("226", "STOR f", data[part:])
	c.do(fmt.Sprint("213 ", len(data)), "SIZE f")
}

// The parts may vanish behind our back.
func TestInterruptedUploadLostByTheStore(t *testing.T) {
	r := newRig(t, nil)
	r.breakOff("alice", "STOR f", noise(part+1))
	uploads, err := r.files.Uploads(t.Context(), "")
	if err != nil || len(uploads) != 1 {
		t.Fatal(uploads, err)
	}
	if err := r.files.Abort(t.Context(), uploads[0].Key, uploads[0].ID); err != nil {
		t.Fatal(err)
	}
	c := r.login("alice")
	c.do("550", "SIZE f")
	c.put("226", "APPE f", []byte("new"))
	if got := c.get("RETR f"); got != "new" {
		t.Errorf("got %q", got)
	}
	if n := r.uploads(); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

func TestTwoSessionsOnOneName(t *testing.T) {
	r := newRig(t, nil)
	a, b := r.login("alice"), r.login("alice")
	dataA, dataB := bytes.Repeat([]byte("a"), 2*part+1), bytes.Repeat([]byte("b"), 2*part+2)
	connA, connB := a.passive(), b.passive()
	a.do("150", "STOR f")
	b.do("150", "STOR f")
	_, _ = connA.Write(dataA)
	_, _ = connB.Write(dataB)
	_ = connB.Close()
	b.expect("226")
	_ = connA.Close()
	a.expect("226")
	if got := a.get("RETR f"); got != string(dataA) {
		t.Errorf("the file has %d bytes, or others", len(got))
	}
	if n := r.uploads(); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

// A session that was taken for dead must not spoil what its successor does.
func TestTakenOver(t *testing.T) {
	first := newRig(t, nil)
	second := first.another()
	a := first.login("alice")
	data := noise(2*part + 1)
	connA := a.passive()
	a.do("150", "STOR f")
	_, _ = connA.Write(data[:part+1])

	b := second.login("alice")
	for { // until the first part is stored
		if b.send("SIZE f"); strings.HasPrefix(b.reply(), "213") {
			break
		}
	}
	connB := b.passive()
	b.do("350", "REST %d", part)
	b.do("150", "STOR f")
	_, _ = connA.Write(bytes.Repeat([]byte("x"), 2*part))
	_ = connA.Close()
	a.expect("426")
	_, _ = connB.Write(data[part:])
	_ = connB.Close()
	b.expect("226")
	if got := b.get("RETR f"); got != string(data) {
		t.Errorf("the file has %d bytes, or others", len(got))
	}
	if n := first.uploads(); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

func TestJanitor(t *testing.T) {
	r := newRig(t, nil)
	r.breakOff("alice", "STOR f", noise(part+1))
	unknown, err := r.files.Begin(t.Context(), "alice/orphan", store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	janitor := func(node string, keep time.Duration) *upload.Janitor {
		return &upload.Janitor{
			Journal: r.db, Node: node, Keep: keep, Buckets: []string{"spd"},
			Stores: func(string) (store.Store, error) { return r.files, nil },
			Log:    slog.New(slog.DiscardHandler),
		}
	}
	left := func() int {
		uploads, err := r.files.Uploads(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return len(uploads)
	}
	work := func(j *upload.Janitor) {
		t.Helper()
		if err := j.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	work(janitor("first", time.Hour))
	if left() != 2 {
		t.Errorf("%d uploads left after a round that found none old enough", left())
	}
	work(janitor("second", -time.Hour)) // not the leader
	if left() != 2 {
		t.Errorf("%d uploads left; two nodes worked at a time", left())
	}
	work(janitor("first", -time.Hour))
	if left() != 0 {
		t.Errorf("%d uploads left; one was %s", left(), unknown)
	}
	r.uploads()
}

// A TLS data connection that ends without close_notify was cut off, whoever opened it, and
// in whatever TYPE.
func TestTruncatedTLS(t *testing.T) {
	cert := certificate(t)
	for _, mode := range []string{"EPSV", "PORT", "EPRT"} {
		for _, kind := range []string{"I", "A"} {
			t.Run(mode+", TYPE "+kind, func(t *testing.T) {
				r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
				c := r.connect()
				c.do("234", "AUTH TLS")
				clientTLS := &tls.Config{InsecureSkipVerify: true}
				c = newClient(t, tls.Client(c.conn, clientTLS))
				c.do("331", "USER alice")
				c.do("230", "PASS alice")
				c.do("200", "PBSZ 0")
				c.do("200", "PROT P")
				c.do("200", "TYPE %s", kind)
				c.tls = clientTLS
				r.truncateTLS(c, mode)
			})
		}
	}
}

// truncateTLS uploads over TLS data connections that are closed in order, and that are not.
func (r *rig) truncateTLS(c *client, mode string) {
	r.t.Helper()
	upload := func(command, data string) *tls.Conn {
		conn := c.begin(mode, command).(*tls.Conn)
		if err := conn.Handshake(); err != nil {
			r.t.Fatal(err)
		}
		_, _ = conn.Write([]byte(data))
		c.expect("150")
		return conn
	}
	_ = upload("STOR whole", "hello").Close()
	c.expect("226")
	for _, size := range []int{0, 5, part + 5} {
		conn := upload("STOR f", strings.Repeat("x", size))
		if size > part {
			r.waitParts(1)
		}
		_ = conn.NetConn().Close()
		c.expect("426")
	}
	c.do("200", "TYPE I")
	c.do(fmt.Sprint("213 ", part), "SIZE f")
	c.put("550", "RETR f", nil)
	c.do("213 5", "SIZE whole")
}

// Whoever reads a file that is being replaced sees the file, size and content.
func TestFileBeingReplaced(t *testing.T) {
	r := newRig(t, nil)
	a, b := r.login("alice"), r.login("alice")
	a.put("226", "STOR f", []byte("old"))
	conn := a.passive()
	a.do("150", "STOR f")
	data := noise(part + 1)
	_, _ = conn.Write(data)
	r.waitParts(1)
	b.do("213 3", "SIZE f")
	if got := b.get("LIST"); !strings.Contains(got, " 3 ") || strings.Count(got, "\n") != 1 {
		t.Errorf("LIST: %q", got)
	}
	if got := b.get("RETR f"); got != "old" {
		t.Errorf("RETR: %d bytes", len(got))
	}
	_ = conn.Close()
	a.expect("226")
	if got := b.get("RETR f"); got != string(data) {
		t.Errorf("RETR afterwards: %d bytes", len(got))
	}
}
