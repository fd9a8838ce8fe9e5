package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// security is how a session is protected.
type security string

const (
	plainFTP security = "plain"
	explicit security = "explicit FTPS"
	implicit security = "implicit FTPS"
)

// modes are the commands that begin a data connection.
var modes = []string{"PASV", "EPSV", "PORT", "EPRT"} //nolint:gochecknoglobals // a constant

// ftpLimit bounds a step of a session. It is above the time in which connections recover
// from a failed director.
const ftpLimit = 15 * time.Second

// replyLimit bounds the wait for a reply. The server tries the store again for two minutes.
const replyLimit = 150 * time.Second

// session is an FTP client of our own, which tells what others do not: its node, where
// data came from, the longest pause. It is for one goroutine.
type session struct {
	node     string // as the greeting says
	dataPeer string // other end of the last data connection
	begun    bool   // whether the last transfer was answered 150

	vip    string
	from   string
	conn   net.Conn
	in     *bufio.Reader
	tls    *tls.Config // nil: plain
	socket *net.TCPConn
	opened *net.TCPConn // last data connection
}

// connect logs in from one of the clients' addresses.
func connect(vip, from string, how security, user string) (*session, error) {
	return connectWithin(ftpLimit, vip, from, how, user)
}

// connectWithin is connect for clients of more or less patience.
func connectWithin(limit time.Duration, vip, from string, how security, user string) (*session, error) {
	s := &session{vip: vip, from: from}
	port := "21"
	if how == implicit {
		port = "990"
	}
	dialer := net.Dialer{Timeout: limit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", net.JoinHostPort(vip, port))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s.socket = conn.(*net.TCPConn)
	s.use(conn)
	if err := s.login(how, user); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) use(conn net.Conn) { s.conn, s.in = conn, bufio.NewReader(conn) }

func (s *session) login(how security, user string) error {
	if how != plainFTP {
		s.tls = &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(8), ServerName: "spd.lab"}
	}
	if how == implicit {
		if err := s.startTLS(); err != nil {
			return err
		}
	}
	greeting, err := s.reply("220")
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if _, name, ok := strings.Cut(greeting, "SPD on "); ok {
		s.node = strings.Fields(name)[0]
	}
	if how == explicit {
		if _, err := s.do("234", "AUTH TLS"); err != nil {
			return err
		}
		if err := s.startTLS(); err != nil {
			return err
		}
	}
	lines := []string{"331 USER " + user, "230 PASS " + user, "200 TYPE I"}
	if s.tls != nil {
		lines = append(lines, "200 PBSZ 0", "200 PROT P")
	}
	for _, line := range lines {
		if _, err := s.do(line[:3], "%s", line[4:]); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) startTLS() error {
	conn := tls.Client(s.conn, s.tls)
	_ = conn.SetDeadline(time.Now().Add(ftpLimit)) // fails only if closed
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	s.use(conn)
	return nil
}

// do sends a command and returns its reply, whose code must begin with code.
func (s *session) do(code, format string, args ...any) (string, error) {
	if err := s.send(format, args...); err != nil {
		return "", err
	}
	reply, err := s.reply(code)
	if err != nil {
		return reply, fmt.Errorf("%s: %w", strings.Fields(format + " " + fmt.Sprint(args...))[0], err)
	}
	return reply, nil
}

func (s *session) send(format string, args ...any) error {
	_ = s.conn.SetDeadline(time.Now().Add(ftpLimit)) // fails only if closed
	_, err := fmt.Fprintf(s.conn, format+"\r\n", args...)
	return err
}

// reply reads a reply, of any number of lines.
func (s *session) reply(code string) (string, error) {
	_ = s.conn.SetDeadline(time.Now().Add(replyLimit)) // fails only if closed
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(line) < 4 || line[3] != ' ' || strings.Trim(line[:3], "0123456789") != "" {
			continue // not the last one
		}
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, code) {
			return line, replyError{line}
		}
		return line, nil
	}
}

// quit ends a session politely.
func (s *session) quit() {
	_, _ = s.do("221", "QUIT") // it ends in any case
	s.close()
}

func (s *session) close() { _ = s.socket.Close() }

// size asks for the durable size of a file.
func (s *session) size(path string) (int64, error) {
	reply, err := s.do("213", "SIZE %s", path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(reply[4:], 10, 64)
}

// transfer begins a transfer at an offset and returns its data connection.
func (s *session) transfer(mode, command string, offset int64) (net.Conn, error) {
	s.begun = false
	listener, addr, err := s.dataPort(mode)
	if err != nil {
		return nil, err
	}
	if listener != nil {
		defer func() { _ = listener.Close() }() // for one connection
	}
	if offset > 0 {
		if _, err := s.do("350", "REST %d", offset); err != nil {
			return nil, err
		}
	}
	conn, err := s.dataConn(command, listener, addr)
	if err != nil {
		return nil, err
	}
	s.begun = true
	s.opened = conn.(*net.TCPConn)
	s.dataPeer = conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String()
	if s.tls == nil {
		return conn, nil
	}
	secure := tls.Client(conn, s.tls)
	_ = secure.SetDeadline(time.Now().Add(ftpLimit)) // fails only if closed
	if err := secure.Handshake(); err != nil {
		_ = conn.Close() // the first error tells more
		return nil, fmt.Errorf("TLS handshake of the data connection: %w", err)
	}
	_ = secure.SetDeadline(time.Time{})
	return secure, nil
}

// dataConn gives the command, and opens or accepts the connection.
func (s *session) dataConn(command string, listener *net.TCPListener, addr string) (net.Conn, error) {
	if listener == nil {
		dialer := net.Dialer{Timeout: ftpLimit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(s.from)}}
		conn, err := dialer.Dial("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("data connection: %w", err)
		}
		if _, err := s.do("150", "%s", command); err != nil {
			_ = conn.Close() // the first error tells more
			return nil, err
		}
		return conn, nil
	}
	if err := s.send("%s", command); err != nil {
		return nil, err
	}
	_ = listener.SetDeadline(time.Now().Add(ftpLimit)) // fails only if closed
	conn, err := listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("data connection from the server: %w", err)
	}
	if _, err := s.reply("150"); err != nil {
		_ = conn.Close() // the first error tells more
		return nil, err
	}
	return conn, nil
}

var (
	pasvReply = regexp.MustCompile(`\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)`)
	epsvReply = regexp.MustCompile(`\(\|\|\|(\d+)\|\)`)
)

// dataPort agrees on a port: ours, or one of the server's.
func (s *session) dataPort(mode string) (*net.TCPListener, string, error) {
	switch mode {
	case "PASV":
		reply, err := s.do("227", "PASV")
		m := pasvReply.FindStringSubmatch(reply)
		if err != nil || m == nil {
			return nil, "", fmt.Errorf("%q: %w", reply, errors.Join(err))
		}
		high, _ := strconv.Atoi(m[5]) // digits
		low, _ := strconv.Atoi(m[6])
		return nil, net.JoinHostPort(strings.Join(m[1:5], "."), strconv.Itoa(high<<8|low)), nil
	case "EPSV":
		reply, err := s.do("229", "EPSV")
		m := epsvReply.FindStringSubmatch(reply)
		if err != nil || m == nil {
			return nil, "", fmt.Errorf("%q: %w", reply, errors.Join(err))
		}
		return nil, net.JoinHostPort(s.vip, m[1]), nil
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(s.from)})
	if err != nil {
		return nil, "", err
	}
	if _, err := s.do("200", "%s", portCommand(mode, s.from, listener.Addr().(*net.TCPAddr).Port)); err != nil {
		_ = listener.Close() // the first error tells more
		return nil, "", err
	}
	return listener, "", nil
}

func portCommand(mode, ip string, port int) string {
	if mode == "PORT" {
		return fmt.Sprintf("PORT %s,%d,%d", strings.ReplaceAll(ip, ".", ","), port>>8, port&255)
	}
	family := 1
	if netip.MustParseAddr(ip).Is6() {
		family = 2
	}
	return fmt.Sprintf("EPRT |%d|%s|%d|", family, ip, port)
}

// upload stores what it reads.
func (s *session) upload(mode, path string, offset int64, from io.Reader) error {
	conn, err := s.transfer(mode, "STOR "+path, offset)
	if err != nil {
		return err
	}
	sent, err := io.Copy(deadlineWriter{conn}, from)
	if closeErr := conn.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", sent, err)
	}
	_, err = s.reply("226")
	return err
}

// download fetches from an offset on.
func (s *session) download(mode, path string, offset int64, to io.Writer) error {
	conn, err := s.transfer(mode, "RETR "+path, offset)
	if err != nil {
		return err
	}
	got, err := io.Copy(to, deadlineReader{conn})
	_ = conn.Close() // only read
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", got, err)
	}
	_, err = s.reply("226")
	return err
}

// stall is how long a data connection may stand still before the lab calls it lost.
const stall = 20 * time.Second

type deadlineWriter struct{ net.Conn }

func (w deadlineWriter) Write(p []byte) (int, error) {
	_ = w.SetWriteDeadline(time.Now().Add(stall)) // fails only if closed
	return w.Conn.Write(p)
}

type deadlineReader struct{ net.Conn }

func (r deadlineReader) Read(p []byte) (int, error) {
	_ = r.SetReadDeadline(time.Now().Add(stall)) // fails only if closed
	return r.Conn.Read(p)
}

// sleep waits, unless the lab ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// replyError is a reply other than the one that was asked for.
type replyError struct{ line string }

func (e replyError) Error() string { return "server says: " + e.line }

// hasReply tells whether a step failed with a reply of this code.
func hasReply(err error, code string) bool {
	var reply replyError
	return errors.As(err, &reply) && strings.HasPrefix(reply.line, code)
}
