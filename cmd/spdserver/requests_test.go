package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// counter is a transport that notes the requests that go through it.
type counter struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen []string // methods
}

var _ http.RoundTripper = (*counter)(nil)

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	bucketOnly := !strings.Contains(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method != http.MethodHead || !bucketOnly { // a look at the bucket is for /readyz
		c.mu.Lock()
		c.seen = append(c.seen, r.Method)
		c.mu.Unlock()
	}
	return c.next.RoundTrip(r)
}

// take returns the methods since the last call, sorted.
func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	slices.Sort(seen)
	return seen
}

// Requests to the store are what operations cost, in money and in time. This is the price
// of a whole node, in a directory that the session has entered.
func TestRequests(t *testing.T) {
	app, err := New(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	var requests counter
	app.Transport = func(next http.RoundTripper) http.RoundTripper {
		requests.next = next
		return &requests
	}
	at, _ := runApp(t, app)
	plantFiles(t, app, "alice/large/", 1000)

	c := spdtest.LoginFTP(t, at.FTP.String(), "alice", "secret")
	c.Do("257", "MKD /dir")
	c.Do("257", "MKD /dir/empty")
	c.Put("226", "STOR /dir/old", []byte("hello"))
	c.Do("221", "QUIT")
	c.Closed()
	c = spdtest.LoginFTP(t, at.FTP.String(), "alice", "secret")
	requests.take()

	do := func(want, command string) func() { return func() { c.Do(want, "%s", command) } }
	put := func(command string) func() { return func() { c.Put("226", command, []byte("hello")) } }
	get := func(command string) func() { return func() { c.Get(command) } }
	for _, step := range []struct {
		what string
		most int
		do   func()
	}{
		{"CWD", 1, do("250", "CWD /dir")},
		{"STOR of a new file", 2, put("STOR new")},
		{"STOR over a file", 2, put("STOR old")},
		{"STOR of an empty file", 2, func() { c.Put("226", "STOR nothing", nil) }},
		{"RETR", 1, get("RETR old")},
		{"RETR of the rest", 1, func() { c.Do("350", "REST 3"); c.Get("RETR old") }},
		{"SIZE", 1, do("213", "SIZE old")},
		{"MDTM", 1, do("213", "MDTM old")},
		{"MKD", 2, do("257", "MKD sub")},
		{"RMD", 2, do("250", "RMD sub")},
		{"DELE", 2, do("250", "DELE nothing")},
		{"RNFR and RNTO", 3, func() { c.Do("350", "RNFR old"); c.Do("250", "RNTO newer") }},
		{"RNFR and RNTO to another directory", 5, func() { c.Do("350", "RNFR newer"); c.Do("250", "RNTO empty/newer") }},
		{"LIST", 1, get("LIST")},
		{"LIST of 1,000", 2, get("LIST /large")},
		{"MLSD of 1,000", 2, get("MLSD /large")},
		{"NOOP, PWD, TYPE, FEAT", 0, func() {
			for _, command := range []string{"NOOP", "PWD", "TYPE I", "FEAT"} {
				c.Do("2", "%s", command)
			}
		}},
	} {
		step.do()
		seen := requests.take()
		if len(seen) > step.most {
			t.Errorf("%s: %d requests (%s), want at most %d", step.what, len(seen), strings.Join(seen, " "), step.most)
		}
		puts := slices.Index(seen, http.MethodPut) // sorted: PUTs come last
		if strings.HasPrefix(step.what, "STOR") && (puts < 0 || len(seen)-puts != 1) {
			t.Errorf("%s: %s, want one PUT", step.what, strings.Join(seen, " "))
		}
	}
}

// plantFiles puts n empty files into a directory that was made by MKD.
func plantFiles(t *testing.T, app *App, dir string, n int) {
	t.Helper()
	bucket, err := app.files("")
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{dir}
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s%04d", dir, i))
	}
	var group errgroup.Group
	group.SetLimit(16)
	for _, key := range keys {
		group.Go(func() error {
			_, err := bucket.Put(t.Context(), key, strings.NewReader(""), 0, store.PutOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
