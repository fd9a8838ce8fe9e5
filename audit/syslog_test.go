package audit

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// grammar5424 is the ABNF of RFC 5424, 6, for messages without structured data.
func grammar5424() *regexp.Regexp {
	return regexp.MustCompile(`^<(\d{1,3})>1 ` +
		`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ` + // TIMESTAMP
		`([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ` + // HOSTNAME, APP-NAME, PROCID, MSGID
		`- (.*)$`)
}

// grammar3164 is RFC 3164, 4.1, with the host or, as on the machine itself, without it.
func grammar3164() *regexp.Regexp {
	return regexp.MustCompile(`^<(\d{1,3})>((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\d \d\d:\d\d:\d\d) ` +
		`(?:([!-~]+) )?([A-Za-z0-9]{1,32})\[(\d+)\]: (.*)$`)
}

func source() Source { return Source{Host: "node1", App: "spdserver", Proc: "42"} }

func TestSyslogPriority(t *testing.T) {
	for want, e := range map[int]Event{94: {Action: Upload}, 93: {Action: Upload, Err: "no"}, 92: {Action: LoginFailed, Err: "no"}} {
		if got := priority(e); got != want {
			t.Errorf("%s: %d, want %d", e.Action, got, want)
		}
	}
}

func TestRFC5424(t *testing.T) {
	e := anEvent()
	got := string(RFC5424(source())(nil, e))
	want := `<94>1 2026-03-01T11:00:00.005000Z node1 spdserver 42 upload - @cee: {"time":"2026-03-01T11:00:00.005Z","id":"x-1","node":"a",` +
		`"session":"s1","user":"alice","remote":"192.0.2.1:4711","tls":true,"action":"upload","path":"/a<b>\n\u4e2d.txt","bytes":12,"duration_ms":1500,"ok":true}`
	if got != want {
		t.Errorf("written\n%s\nwant\n%s", got, want)
	}
	bare := string(RFC5424(Source{Host: "h\xc3\xb6 st", Proc: strings.Repeat("1", 200)})(nil, Event{}))
	m := grammar5424().FindStringSubmatch(bare)
	if m == nil || m[3] != "hst" || m[4] != "-" || len(m[5]) != 128 || m[6] != "-" {
		t.Errorf("%s is read as %q", bare, m)
	}
}

func TestRFC3164(t *testing.T) {
	e := anEvent()
	zone := time.FixedZone("", 7200)
	for host, want := range map[string]string{"node1": "<94>Mar  1 13:00:00 node1 spdserver[42]: @cee: {", "": "<94>Mar  1 13:00:00 spdserver[42]: @cee: {"} {
		s := source()
		s.Host = host
		got := string(RFC3164(s, zone)(nil, e))
		if !strings.HasPrefix(got, want) || !grammar3164().MatchString(got) {
			t.Errorf("written\n%s\nwant\n%s", got, want)
		}
	}
}

// Whatever a client sends: a message is one line of ASCII after the grammar, not too long
// for any receiver's datagram, and its JSON tells the names.
func FuzzSyslogGrammar(f *testing.F) {
	f.Add("/a b", "alice", "upload")
	f.Add("/\xff\x00\x7f\u2028😀", "\n<94>1 - -", "")
	f.Add(strings.Repeat("/\x01中", 5000), strings.Repeat("😀", 3000), "x y")
	f.Fuzz(func(t *testing.T, path, user, action string) {
		e := anEvent()
		e.Path, e.Target, e.User, e.Action = path, path, user, Action(action)
		for grammar, format := range map[*regexp.Regexp]Format{grammar5424(): RFC5424(source()), grammar3164(): RFC3164(source(), time.UTC)} {
			line := string(format(nil, e))
			m := grammar.FindStringSubmatch(line)
			if m == nil || len(line) > 32<<10 {
				t.Fatalf("%d bytes: %q", len(line), line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("not ASCII: %q", line)
			}
			text, ok := strings.CutPrefix(m[len(m)-1], "@cee: ")
			var read eventJSON
			if err := json.Unmarshal([]byte(text), &read); !ok || err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if want := strings.ToValidUTF8(path, "\ufffd"); len(path) <= syslogNameLimit && want == path && read.Path != path {
				t.Fatalf("%q is read as %q", path, read.Path)
			}
		}
	})
}

// receiver is a syslog daemon that passes on what it gets, message by message.
type receiver struct {
	address  string
	messages chan string
}

func (r *receiver) expect(t *testing.T, paths ...string) {
	t.Helper()
	for _, want := range paths {
		select {
		case got := <-r.messages:
			if !strings.Contains(got, `"path":"`+want+`"`) {
				t.Fatalf("received %s, want path %s", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s was not received", want)
		}
	}
}

// octets reads messages framed by their length (RFC 6587, 3.4.1).
func octets(r *bufio.Reader) (string, error) {
	digits, err := r.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, " "))
	if err != nil {
		return "", err
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return string(message), err
}

// lines reads messages that end in a line feed (RFC 6587, 3.4.2).
func lines(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// receive accepts streams, one after the other, until the listener is closed.
func receive(t *testing.T, l net.Listener, read func(*bufio.Reader) (string, error)) *receiver {
	t.Helper()
	r := &receiver{address: l.Addr().String(), messages: make(chan string, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { _ = conn.Close() }) // may be closed already
			in := bufio.NewReader(conn)
			for message, err := read(in); err == nil; message, err = read(in) {
				r.messages <- message
			}
			_ = conn.Close() // only read
		}
	}()
	t.Cleanup(func() {
		_ = l.Close() // may be closed already
		<-done
	})
	return r
}

// receivePackets receives datagrams.
func receivePackets(t *testing.T, conn net.PacketConn) *receiver {
	t.Helper()
	r := &receiver{address: conn.LocalAddr().String(), messages: make(chan string, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 64<<10)
		for {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			r.messages <- string(buffer[:n])
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close() // only read
		<-done
	})
	return r
}

func mustListen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustListenPacket(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// certificate is one for 127.0.0.1 that signs itself, and how to trust it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

func send(t *testing.T, s *Syslog, paths ...string) {
	t.Helper()
	mustWrite(t, s, paths...)
}

func newTestSyslog(t *testing.T, o SyslogOptions) *Syslog {
	t.Helper()
	o.Format = RFC5424(source())
	s := NewSyslog(o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSyslogTransports(t *testing.T) {
	server, client := certificate(t)
	socket := func() string { return filepath.Join(t.TempDir(), "log") }
	for name, test := range map[string]struct {
		r *receiver
		o SyslogOptions
	}{
		"udp":          {receivePackets(t, mustListenPacket(t, "udp", "127.0.0.1:0")), SyslogOptions{Transport: UDP}},
		"tcp octets":   {receive(t, mustListen(t, "tcp", "127.0.0.1:0"), octets), SyslogOptions{Transport: TCP}},
		"tcp lf":       {receive(t, mustListen(t, "tcp", "127.0.0.1:0"), lines), SyslogOptions{Transport: TCP, Framing: LineFeeds}},
		"tls":          {receive(t, tls.NewListener(mustListen(t, "tcp", "127.0.0.1:0"), server), octets), SyslogOptions{Transport: TLS, TLS: client}},
		"unix":         {receivePackets(t, mustListenPacket(t, "unixgram", socket())), SyslogOptions{Transport: Unix}},
		"unix, stream": {receive(t, mustListen(t, "unix", socket()), lines), SyslogOptions{Transport: Unix, Framing: LineFeeds}},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.Address = test.r.address
			s := newTestSyslog(t, test.o)
			send(t, s, "/1", "/2", "/3")
			test.r.expect(t, "/1", "/2", "/3")
		})
	}
}

func TestSyslogDistrustsStrangers(t *testing.T) {
	server, _ := certificate(t)
	_, other := certificate(t)
	r := receive(t, tls.NewListener(mustListen(t, "tcp", "127.0.0.1:0"), server), octets)
	s := newTestSyslog(t, SyslogOptions{Transport: TLS, Address: r.address, TLS: other})
	n, err := s.Write(t.Context(), []Event{anEvent()})
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); n != 0 || !ok {
		t.Errorf("sent %d, %v", n, err)
	}
}

// A receiver that was restarted gets everything from then on: that it hung up is noticed
// before anything is sent in vain.
func TestSyslogConnectsAgain(t *testing.T) {
	l := mustListen(t, "tcp", "127.0.0.1:0")
	hungUp := make(chan error)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = octets(bufio.NewReader(conn))
			err = errors.Join(err, conn.Close(), l.Close())
		}
		hungUp <- err
	}()
	s := newTestSyslog(t, SyslogOptions{Transport: TCP, Address: l.Addr().String()})
	send(t, s, "/1")
	if err := <-hungUp; err != nil {
		t.Fatal(err)
	}
	<-s.link.gone
	if n, err := s.Write(t.Context(), []Event{anEvent()}); n != 0 || err == nil {
		t.Errorf("nobody listens, and %d were sent, %v", n, err)
	}
	r := receive(t, mustListen(t, "tcp", l.Addr().String()), octets)
	send(t, s, "/2", "/3")
	r.expect(t, "/2", "/3")
}

// A receiver that does not read holds nobody up beyond the end of the context.
func TestSyslogEndsWithItsContext(t *testing.T) {
	l := mustListen(t, "tcp", "127.0.0.1:0")
	defer func() { _ = l.Close() }() // nothing was accepted
	s := newTestSyslog(t, SyslogOptions{Transport: TCP, Address: l.Addr().String()})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		e := anEvent()
		for {
			if _, err := s.Write(ctx, []Event{e, e, e}); err != nil {
				ended <- err
				return
			}
		}
	}()
	time.AfterFunc(100*time.Millisecond, cancel) // full or not, it must end
	if err := <-ended; err == nil || ctx.Err() == nil {
		t.Errorf("ended with %v", err)
	}
}
