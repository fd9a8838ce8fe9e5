package spdtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// FTPClient is an FTP client that does what a test says, and nothing else. Everything
// unexpected fails the test. It is for one goroutine, that of the test.
type FTPClient struct {
	Conn net.Conn

	t  testing.TB
	in *bufio.Reader
}

// DialFTP connects to addr ("host:port") and reads the greeting. The connection ends in
// t.Cleanup.
func DialFTP(t testing.TB, addr string) *FTPClient {
	t.Helper()
	c := &FTPClient{t: t}
	c.use(c.dial(addr))
	c.Expect("220")
	return c
}

// LoginFTP connects and logs in.
func LoginFTP(t testing.TB, addr, user, password string) *FTPClient {
	t.Helper()
	c := DialFTP(t, addr)
	c.Do("331", "USER %s", user)
	c.Do("230", "PASS %s", password)
	return c
}

func (c *FTPClient) dial(addr string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func (c *FTPClient) use(conn net.Conn) { c.Conn, c.in = conn, bufio.NewReader(conn) }

// StartTLS is AUTH TLS, without a look at the certificate. It returns what the handshake
// has shown.
func (c *FTPClient) StartTLS() tls.ConnectionState {
	c.t.Helper()
	c.Do("234", "AUTH TLS")
	conn := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.use(conn)
	return conn.ConnectionState()
}

// Send sends a command without waiting for the reply.
func (c *FTPClient) Send(format string, args ...any) {
	c.t.Helper()
	_ = c.Conn.SetDeadline(time.Now().Add(patience)) // fails only if closed
	if _, err := fmt.Fprintf(c.Conn, format+"\r\n", args...); err != nil {
		c.t.Fatalf("send %.80s: %v", format, err)
	}
}

// Do sends a command and expects a reply that begins with one of the codes in want, as in
// "550" or "426|451".
func (c *FTPClient) Do(want, format string, args ...any) string {
	c.t.Helper()
	c.Send(format, args...)
	return c.expect(want, fmt.Sprintf(format, args...))
}

// Expect reads a reply, like Do.
func (c *FTPClient) Expect(want string) string {
	c.t.Helper()
	return c.expect(want, "")
}

func (c *FTPClient) expect(want, command string) string {
	c.t.Helper()
	got, err := c.reply()
	if err != nil {
		c.t.Fatalf("%.80s: read reply: %v (after %q)", command, err, got)
	}
	for code := range strings.SplitSeq(want, "|") {
		if strings.HasPrefix(got, code) {
			return got
		}
	}
	c.t.Fatalf("%.80s: reply %q, want %s", command, got, want)
	return ""
}

// reply reads one reply, of any number of lines (RFC 959, 4.2).
func (c *FTPClient) reply() (string, error) {
	first, err := c.in.ReadString('\n')
	var all strings.Builder
	all.WriteString(first)
	if len(first) > 3 && first[3] == '-' {
		for line := ""; err == nil && !strings.HasPrefix(line, first[:3]+" "); {
			line, err = c.in.ReadString('\n')
			all.WriteString(line)
		}
	}
	return strings.TrimSuffix(all.String(), "\r\n"), err
}

// Closed expects the server to close the connection without another reply.
func (c *FTPClient) Closed() {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if timeout, ok := errors.AsType[net.Error](err); len(rest) > 0 || ok && timeout.Timeout() {
		c.t.Fatalf("connection not closed: %q, %v", rest, err)
	}
}

// Passive opens a data connection (RFC 2428).
func (c *FTPClient) Passive() net.Conn {
	c.t.Helper()
	reply := c.Do("229", "EPSV")
	_, at, _ := strings.Cut(reply, "(|||")
	port, _, _ := strings.Cut(at, "|")
	host, _, err := net.SplitHostPort(c.Conn.RemoteAddr().String())
	if err != nil {
		c.t.Fatal(err)
	}
	return c.dial(net.JoinHostPort(host, port))
}

// Put sends data by a command such as "STOR name", and expects the final reply, which may
// be the first.
func (c *FTPClient) Put(want, command string, data []byte) string {
	c.t.Helper()
	conn := c.Passive()
	c.Send("%s", command)
	first := c.expect("150|"+want, command)
	if !strings.HasPrefix(first, "150") {
		return first
	}
	_, _ = conn.Write(data) // the server may have refused meanwhile
	_ = conn.Close()
	return c.expect(want, command)
}

// Get receives what a command such as "RETR name" or "LIST" sends.
func (c *FTPClient) Get(command string) string {
	c.t.Helper()
	conn := c.Passive()
	c.Do("150", "%s", command)
	var data bytes.Buffer
	if _, err := io.Copy(&data, conn); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	_ = conn.Close()
	c.expect("226", command)
	return data.String()
}
