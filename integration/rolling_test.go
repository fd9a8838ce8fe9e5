package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// Nodes are restarted one after the other while clients upload and download. None of their
// transfers fails, and no byte is wrong.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, nil)
	nodes := []*spdtest.SPD{one, two, join(t, one, "three", nil)}
	addrs := make([]atomic.Pointer[string], len(nodes))
	for i, n := range nodes {
		addrs[i].Store(new(n.Addr()))
	}
	var stop atomic.Bool
	var done atomic.Int64
	var running sync.WaitGroup
	defer running.Wait()
	defer stop.Store(true)
	const clients = 6
	for i := range clients {
		c := &wanderer{addrs: addrs, turn: i, name: fmt.Sprint("f", i), content: noise(byte(20+i), 9<<20+i)}
		running.Go(func() {
			defer c.leave()
			for !stop.Load() && !t.Failed() {
				if err := c.round(); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				done.Add(1)
			}
		})
	}
	for i, n := range nodes {
		before := done.Load()
		spdtest.Await(t, "there is traffic", func() error {
			return spdtest.Equal(done.Load() > before+clients || t.Failed(), true)
		})
		n.Signal(syscall.SIGTERM)
		if code := n.Wait(); code != 0 {
			t.Errorf("node %d: exit code %d", i, code)
		}
		n.Serve()
		n.AwaitReady()
		addrs[i].Store(new(n.Addr()))
	}
	before := done.Load()
	spdtest.Await(t, "there is traffic", func() error {
		return spdtest.Equal(done.Load() > before+clients || t.Failed(), true)
	})
	t.Logf("%d rounds", done.Load())
}

// wanderer is a client that goes to the next node when one sends it away, as behind a
// balancer. What it has begun to transfer must not fail.
type wanderer struct {
	addrs   []atomic.Pointer[string]
	turn    int
	name    string
	content string
	conn    net.Conn
	in      *bufio.Reader
}

// errSentAway: the node does not want to begin anything more.
var errSentAway = errors.New("sent away")

// wanderPatience bounds everything that a client waits for.
const wanderPatience = 60 * time.Second

// round uploads the file and downloads it.
func (c *wanderer) round() error {
	if err := c.insist(func() error { return c.transfer("STOR", c.upload) }); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := c.insist(func() error { return c.transfer("RETR", c.download) }); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}

// insist does something on one node after the other, until one does not send it away.
func (c *wanderer) insist(do func() error) error {
	deadline := time.Now().Add(wanderPatience)
	for {
		err := c.connect()
		if err == nil {
			err = do()
		}
		if err == nil || !errors.Is(err, errSentAway) || time.Now().After(deadline) {
			return err
		}
		c.leave()
		c.turn++
		time.Sleep(10 * time.Millisecond) // a node that is down refuses at once
	}
}

func (c *wanderer) leave() {
	if c.conn != nil {
		_ = c.conn.Close() // the node has done so
		c.conn = nil
	}
}

func (c *wanderer) connect() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.Dial("tcp", *c.addrs[c.turn%len(c.addrs)].Load())
	if err != nil {
		return fmt.Errorf("%w: %w", errSentAway, err)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * wanderPatience)) // it is open
	c.conn, c.in = conn, bufio.NewReader(conn)
	for _, step := range []struct{ command, want string }{{"", "220"}, {"USER alice", "331"}, {"PASS secret", "230"}, {"TYPE I", "200"}} {
		if _, err := c.do(step.command, step.want); err != nil {
			return err
		}
	}
	return nil
}

// do sends a command, if it is not "", and reads the reply.
func (c *wanderer) do(command, want string) (string, error) {
	if command != "" {
		if _, err := fmt.Fprintf(c.conn, "%s\r\n", command); err != nil {
			return "", fmt.Errorf("%w: %s: %w", errSentAway, command, err)
		}
	}
	reply, err := c.in.ReadString('\n')
	switch {
	case err != nil || strings.HasPrefix(reply, "421"):
		return "", fmt.Errorf("%w: %s: %q, %w", errSentAway, command, reply, err)
	case !strings.HasPrefix(reply, want):
		return "", fmt.Errorf("%s: %q", command, reply)
	}
	return reply, nil
}

func (c *wanderer) transfer(verb string, move func(net.Conn) error) error {
	reply, err := c.do("EPSV", "229")
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(reply, "(|||")
	port, _, _ = strings.Cut(port, "|")
	data, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return fmt.Errorf("%w: data connection: %w", errSentAway, err)
	}
	defer func() { _ = data.Close() }() // move has
	if _, err := c.do(verb+" "+c.name, "150"); err != nil {
		return err
	}
	_ = data.SetDeadline(time.Now().Add(wanderPatience)) // it is open
	if err := move(data); err != nil {
		return fmt.Errorf("data connection broke: %w", err)
	}
	if _, err := c.do("", "226"); err != nil {
		return errors.New("not completed: " + err.Error()) // not errSentAway: it had begun
	}
	return nil
}

func (c *wanderer) upload(data net.Conn) error {
	if _, err := io.WriteString(data, c.content); err != nil {
		return err
	}
	return data.Close()
}

func (c *wanderer) download(data net.Conn) error {
	got, err := io.ReadAll(data)
	if err == nil && string(got) != c.content {
		err = fmt.Errorf("%d bytes that are not those of the file, which has %d", len(got), len(c.content))
	}
	return err
}
