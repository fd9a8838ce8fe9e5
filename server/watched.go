package server

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/spdscheme/spdserver/socket"
)

// watchedConn is the connection below TLS. It knows how its data ended, and can gather TLS
// records, of 16 KiB each, so that several of them are one write, which wakes the client
// once, or one read.
type watchedConn struct {
	net.Conn
	ended atomic.Bool

	came  int           // bytes read, until there is
	ahead *bufio.Reader // for those who send much

	corks *sync.Pool // of *[]byte of corkSize
	mu    sync.Mutex // guards cork: whoever closes a connection of TLS writes, too, its alert
	cork  *[]byte    // of a writer that gathers; nil: none does
}

// corkSize is how many bytes are gathered at most: 7 records of 16 KiB and a little more.
const corkSize = 128 << 10

// aheadFrom is after how many bytes much is sent.
const aheadFrom = 256 << 10

// Read implements net.Conn.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

func (c *watchedConn) read(p []byte) (int, error) {
	if c.ahead != nil {
		return c.ahead.Read(p)
	}
	n, err := c.Conn.Read(p)
	if c.came += n; c.came > aheadFrom {
		c.ahead = bufio.NewReaderSize(c.Conn, corkSize)
	}
	return n, err
}

// Ended tells whether the connection itself has been read to its end. It is not when the
// client has said close_notify, as one that is killed has not (RFC 4217, 12.4).
func (c *watchedConn) Ended() bool { return c.ended.Load() }

// Write implements net.Conn.
func (c *watchedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.cork == nil {
		c.mu.Unlock()
		return c.Conn.Write(p)
	}
	defer c.mu.Unlock()
	if len(*c.cork)+len(p) > corkSize {
		if err := c.flush(c.cork); err != nil {
			return 0, err
		}
	}
	*c.cork = append(*c.cork, p...)
	return len(p), nil
}

// Cork gathers what is written from now on; see driver.Corker. It and Uncork are called by
// the goroutine that writes.
func (c *watchedConn) Cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cork, _ = c.corks.Get().(*[]byte); c.cork == nil {
		gathered := make([]byte, 0, corkSize)
		c.cork = &gathered
	}
}

// Uncork sends what has been gathered. An alert that is written meanwhile goes its own way:
// it must not stay in memory that another connection gets.
func (c *watchedConn) Uncork() error {
	c.mu.Lock()
	cork := c.cork
	c.cork = nil
	c.mu.Unlock()
	err := c.flush(cork)
	c.corks.Put(cork)
	return err
}

func (c *watchedConn) flush(cork *[]byte) error {
	gathered := *cork
	*cork = gathered[:0]
	if len(gathered) >= socket.Worth {
		if raw, err := socket.Of(c.Conn); err == nil {
			_, err := socket.Write(raw, gathered)
			return err
		}
	}
	_, err := c.Conn.Write(gathered)
	return err
}
