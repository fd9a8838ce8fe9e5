package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// opTimeout bounds a command or a transfer; far more than any of them takes.
const opTimeout = 2 * time.Minute

// ftpClient is one logged-in FTP session that costs its process little. It is for one
// goroutine.
type ftpClient struct {
	conn net.Conn
	in   *bufio.Reader
	host netip.Addr
	tls  *tls.Config // nil: no TLS
	buf  []byte      // downloads are read into it and dropped
}

// dialFTP connects and logs in; with a TLS configuration as explicit FTPS, with
// encrypted data connections (RFC 4217).
func dialFTP(addr string, config *tls.Config) (*ftpClient, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", addr, opTimeout)
	if err != nil {
		return nil, err
	}
	c := &ftpClient{conn: conn, in: bufio.NewReaderSize(conn, 512), host: to.Addr(), tls: config}
	if err := c.login(); err != nil {
		c.close()
		return nil, fmt.Errorf("log in: %w", err)
	}
	return c, nil
}

func (c *ftpClient) login() error {
	if err := c.conn.SetDeadline(time.Now().Add(opTimeout)); err != nil {
		return err
	}
	if _, err := c.expect("220"); err != nil {
		return err
	}
	if c.tls != nil {
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	return c.all("331 USER "+user, "230 PASS "+password, "200 TYPE I")
}

func (c *ftpClient) startTLS() error {
	if err := c.do("234", "AUTH TLS"); err != nil {
		return err
	}
	conn := tls.Client(c.conn, c.tls)
	if err := conn.Handshake(); err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, 512)
	return c.all("200 PBSZ 0", "200 PROT P")
}

// all does commands one after the other; each is written behind the code of its reply.
func (c *ftpClient) all(commands ...string) error {
	for _, command := range commands {
		if err := c.do(command[:3], command[4:]); err != nil {
			return err
		}
	}
	return nil
}

func (c *ftpClient) close() { _ = c.conn.Close() } // all that matters has been replied to

// do sends a command and expects a reply.
func (c *ftpClient) do(want, command string) error {
	if err := c.send(command); err != nil {
		return err
	}
	if _, err := c.expect(want); err != nil {
		return fmt.Errorf("%.40s: %w", command, err)
	}
	return nil
}

func (c *ftpClient) send(command string) error {
	_, err := io.WriteString(c.conn, command+"\r\n")
	return err
}

// expect reads a reply, which must have this code, and returns its last line.
func (c *ftpClient) expect(code string) (string, error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("read reply: %w", err)
		}
		switch {
		case !strings.HasPrefix(line, code):
			return "", fmt.Errorf("reply %q, want %s", strings.TrimSpace(line), code)
		case line[3] == ' ':
			return line, nil
		}
	}
}

// store uploads size bytes of the content that all files have.
func (c *ftpClient) store(name string, size int64) error {
	data, err := c.begin("STOR " + name)
	if err != nil {
		return err
	}
	err = writeContent(data, size)
	if err == nil {
		err = finish(data)
	}
	return c.end("STOR "+name, data, err)
}

// finish says that all has been sent. Over TLS the other side's end is awaited, too: to
// close a connection with something unread in it would reset it.
func finish(data net.Conn) error {
	t, ok := data.(*tls.Conn)
	if !ok {
		return data.Close()
	}
	if err := t.CloseWrite(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, t)
	return err
}

// retrieve downloads a file that must have size bytes.
func (c *ftpClient) retrieve(name string, size int64) error {
	data, err := c.begin("RETR " + name)
	if err != nil {
		return err
	}
	if want := min(size+1, readSize); int64(len(c.buf)) < want {
		c.buf = make([]byte, want)
	}
	n, err := discard(data, c.buf)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes, want %d", n, size)
	}
	return c.end("RETR "+name, data, err)
}

// begin opens a data connection for a command and waits for the 150.
func (c *ftpClient) begin(command string) (net.Conn, error) {
	if err := c.conn.SetDeadline(time.Now().Add(opTimeout)); err != nil {
		return nil, err
	}
	data, err := c.passive()
	if err != nil {
		return nil, err
	}
	if err := c.do("150", command); err != nil {
		_ = data.Close() // never used
		return nil, err
	}
	if c.tls != nil {
		return tls.Client(data, c.tls), nil
	}
	return data, nil
}

// passive opens a data connection (EPSV, RFC 2428).
func (c *ftpClient) passive() (net.Conn, error) {
	if err := c.send("EPSV"); err != nil {
		return nil, err
	}
	reply, err := c.expect("229")
	if err != nil {
		return nil, fmt.Errorf("EPSV: %w", err)
	}
	_, at, _ := strings.Cut(reply, "(|||")
	digits, _, _ := strings.Cut(at, "|")
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("EPSV: reply %q", reply)
	}
	data, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.host, uint16(port))))
	if err != nil {
		return nil, err
	}
	return data, data.SetDeadline(time.Now().Add(opTimeout))
}

// end closes a data connection and reads what the server says about the transfer, which
// must be 226. Its word says more than the error that the connection had, if any.
func (c *ftpClient) end(command string, data net.Conn, failed error) error {
	_ = data.Close() // perhaps for the second time
	if _, err := c.expect("226"); err != nil {
		return fmt.Errorf("%.40s: %w (data connection: %v)", command, err, failed) //nolint:errorlint // the reply is the error
	}
	if failed != nil {
		return fmt.Errorf("%.40s: %w", command, failed)
	}
	return nil
}
