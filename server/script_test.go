package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/server"
	"github.com/spdscheme/spdserver/store"
)

// Conversations with the server, in testdata/*.txtar: a file for each RFC, a case for each
// "-- title --". A case has a home of its own, and one instruction a line:
//
//	login [user]     connect and log in as alice, or bob, who may only read
//	connect [how]    connect only; how is "ipv6", or "bare": no PBSZ and PROT
//	C: line          say a line; \r, \x00 and the like are understood, here and below
//	C> bytes         say just these bytes
//	S: 5xx pattern   expect a reply of this code (x: any digit; 450|550: either), whose text
//	                 has the pattern, a regular expression
//	refused 5xx      the same for a transfer's final reply, which may come behind 150
//	S+ pattern       one of the lines of that reply has the pattern
//	S- pattern       none has
//	TLS              do the TLS handshake (after AUTH)
//	closed           the server has closed the connection, without another reply
//	passive          say EPSV and open the data connection
//	dial             open the data connection to the address of the last 227 or 229
//	active verb      listen, and say PORT or EPRT
//	D> text          send text over the data connection
//	D.               close it
//	D< text          receive all to the end, which must be this
//	D~ pattern       receive all to the end; one of the lines has the pattern
//	D0               the server closes it, and has not sent a byte
//	D+, D-           as S+ and S-, of what has been received
//	file name text   a file that is in the store
//	big name size    one of so many bytes
//	stored name text the store must have this file
//	gone name        and must not have this one
//	only how...      the case is for plain, explicit or implicit TLS alone
//
// What a group of a pattern has matched, (?P<name>...), is meant by ${name} in later lines.
// Empty lines, and those that begin with "#", say nothing to the server.

// Every file is played without TLS, and with both kinds of it.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	cert := certificate(t)
	for _, how := range []string{"plain", "explicit", "implicit"} {
		t.Run(how, func(t *testing.T) {
			st := newStage(t, how, cert)
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
					for _, scene := range readScenes(t, file) {
						t.Run(scene.title, func(t *testing.T) { st.play(t, scene) })
					}
				})
			}
		})
	}
}

// scene is a case of a script.
type scene struct {
	title string
	lines []scriptLine
}

type scriptLine struct {
	at   string // "testdata/rfc0959.txtar:12"
	verb string // "C:", "login"
	arg  string
}

// readScenes takes a file apart. What is before the first title is a comment.
func readScenes(t *testing.T, file string) []scene {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var scenes []scene
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		title, isTitle := strings.CutPrefix(line, "-- ")
		switch {
		case isTitle:
			scenes = append(scenes, scene{title: strings.TrimSuffix(title, " --")})
		case len(scenes) == 0 || line == "" || line[0] == '#':
		default:
			last := &scenes[len(scenes)-1]
			verb, arg, _ := strings.Cut(line, " ")
			last.lines = append(last.lines, scriptLine{fmt.Sprintf("%s:%d", file, n), verb, arg})
		}
	}
	return scenes
}

// stage is a server that scenes are played on, one after the other.
type stage struct {
	rig    *rig
	how    string
	addr   map[string]string // of the listeners, by "" and "ipv6"
	tls    *tls.Config       // of clients
	home   string            // of who logs in now
	scenes int
}

func newStage(t *testing.T, how string, cert tls.Certificate) *stage {
	st := &stage{how: how, tls: &tls.Config{InsecureSkipVerify: true}}
	st.rig = newRig(t, func(o *server.Options) {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		o.Login = st.login
	})
	serve := st.rig.server.Serve
	if how == "implicit" {
		serve = st.rig.server.ServeTLS
	}
	st.addr = map[string]string{"": st.rig.listen(serve), "ipv6": st.rig.listenOn("[::1]:0", serve)}
	return st
}

// login gives whoever comes the home of the scene.
func (st *stage) login(ctx context.Context, name, password string, conn auth.Connection) (*auth.User, error) {
	user, err := loginByName(ctx, name, password, conn)
	if user != nil {
		user.Prefix = st.home
	}
	return user, err
}

func (st *stage) play(t *testing.T, scene scene) {
	t.Helper()
	st.scenes++
	st.home = fmt.Sprintf("home%d/", st.scenes)
	p := &player{t: t, stage: st, known: map[string]string{}}
	defer p.leave()
	for _, p.line = range scene.lines {
		if p.line.verb == "only" {
			if !slices.Contains(strings.Fields(p.line.arg), st.how) {
				return
			}
			continue
		}
		p.perform(p.line.verb, p.expand(p.line.arg))
	}
}

// player plays the client's part of a scene.
type player struct {
	t     *testing.T
	stage *stage
	line  scriptLine
	known map[string]string // by the groups of patterns

	*client
	conns    []io.Closer
	reply    string // the last one
	port     string // of the last 227 or 229
	listener net.Listener
	data     net.Conn
	clear    net.Conn // below data, without TLS
	received string
	private  bool // after PROT P
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s: %s %s\n%s", p.line.at, p.line.verb, p.line.arg, fmt.Sprintf(format, args...))
}

func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.fail("%v", err)
	}
}

func (p *player) leave() {
	for _, c := range slices.Backward(p.conns) {
		_ = c.Close() // the scene may have done it
	}
}

func (p *player) expand(text string) string {
	for name, value := range p.known {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

func (p *player) perform(verb, arg string) {
	p.t.Helper()
	switch verb {
	case "login":
		p.login(arg)
	case "connect":
		p.connect(arg)
	case "C:":
		p.say(p.unescape(arg) + "\r\n")
	case "C>":
		p.say(p.unescape(arg))
	case "S:":
		p.expectReply(arg)
	case "refused":
		p.expectRefusal(arg)
	case "S+", "S-":
		p.match(p.reply, arg, verb == "S+")
	case "TLS":
		p.secure()
	case "closed":
		p.closed()
	case "passive", "dial", "active", "D>", "D.", "D0", "D<", "D~", "D+", "D-":
		p.performData(verb, arg)
	case "file", "big", "stored", "gone":
		name, text, _ := strings.Cut(arg, " ")
		p.performStore(verb, p.stage.home+p.unescape(name), p.unescape(text))
	default:
		p.fail("no such instruction")
	}
}

// connect opens a control connection, and asks for protected data connections if there is
// TLS.
func (p *player) connect(how string) {
	p.t.Helper()
	at := p.stage.addr[map[string]string{"ipv6": "ipv6"}[how]]
	conn, err := net.Dial("tcp", at)
	p.must(err)
	p.conns = append(p.conns, conn)
	if p.stage.how == "implicit" {
		conn = tls.Client(conn, p.stage.tls)
	}
	p.client, p.private = newClient(p.t, conn), p.stage.how == "implicit"
	p.expectReply("220")
	if p.stage.how == "explicit" {
		p.exchange("AUTH TLS", "234")
		p.secure()
	}
	if p.stage.how != "plain" && how != "bare" {
		p.exchange("PBSZ 0", "200")
		p.exchange("PROT P", "200")
	}
}

func (p *player) login(user string) {
	p.t.Helper()
	if user == "" {
		user = "alice"
	}
	p.connect("")
	p.exchange("USER "+user, "331")
	p.exchange("PASS "+user, "230")
}

// secure does the handshake, which must succeed.
func (p *player) secure() {
	p.t.Helper()
	conn := tls.Client(p.conn, p.stage.tls)
	p.must(conn.Handshake())
	p.client = newClient(p.t, conn)
}

func (p *player) exchange(line, want string) {
	p.t.Helper()
	p.say(line + "\r\n")
	p.expectReply(want)
}

func (p *player) say(bytes string) {
	p.t.Helper()
	if p.client == nil {
		p.fail("not connected")
	}
	_, err := io.WriteString(p.conn, bytes)
	p.must(err)
	if words := strings.Fields(strings.ToUpper(bytes)); len(words) == 2 && words[0] == "PROT" {
		p.private = words[1] == "P"
	}
}

// expectReply reads a reply of one or more lines (RFC 959, 4.2).
func (p *player) expectReply(want string) {
	p.t.Helper()
	codes, pattern, _ := strings.Cut(want, " ")
	p.reply = p.readReply()
	code, text := p.reply[:3], p.reply[4:]
	if !regexp.MustCompile("^(" + strings.ReplaceAll(codes, "x", "[0-9]") + ")$").MatchString(code) {
		p.fail("the reply is %q", p.reply)
	}
	p.match(text, pattern, true)
	if code == "227" || code == "229" {
		p.port = passivePort(p.reply)
	}
}

// expectRefusal ends a transfer that the server may refuse before or behind its 150.
func (p *player) expectRefusal(want string) {
	p.t.Helper()
	p.expectReply("150|" + want)
	if strings.HasPrefix(p.reply, "150") {
		_ = p.dataConn().Close() // the server may have done it
		p.data = nil
		p.expectReply(want)
	}
}

func (p *player) readReply() string {
	p.t.Helper()
	form := regexp.MustCompile(`^[1-5][0-9][0-9][ -]`)
	var lines []string
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			p.fail("no reply: %v, after %q", err, append(lines, line))
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(text, "\r\x00\x7f") || len(lines) == 0 && !form.MatchString(text) {
			p.fail("no line of a reply: %q", line)
		}
		lines = append(lines, text)
		if first := lines[0]; first[3] == ' ' || len(lines) > 1 && strings.HasPrefix(text, first[:3]+" ") {
			return strings.Join(lines, "\n")
		}
	}
}

func passivePort(reply string) string {
	if m := regexp.MustCompile(`\|\|\|(\d+)\|`).FindStringSubmatch(reply); m != nil {
		return m[1]
	}
	m := regexp.MustCompile(`(\d+),(\d+)\D*$`).FindStringSubmatch(reply)
	if m == nil {
		return ""
	}
	high, _ := strconv.Atoi(m[1]) // both are
	low, _ := strconv.Atoi(m[2])  // digits
	return strconv.Itoa(high<<8 | low)
}

// match looks for a pattern in one of the lines of text.
func (p *player) match(text, pattern string, want bool) {
	p.t.Helper()
	found, err := regexp.Compile("(?m)" + pattern)
	p.must(err)
	m := found.FindStringSubmatch(text)
	if (m != nil) != want {
		p.fail("this is not as it should be:\n%q", text)
	}
	for i, name := range found.SubexpNames() {
		if name != "" && m != nil {
			p.known[name] = m[i]
		}
	}
}

// unescape reads \r and the like.
func (p *player) unescape(text string) string {
	p.t.Helper()
	plain, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	p.must(err)
	return plain
}

func (p *player) performData(verb, arg string) {
	p.t.Helper()
	switch verb {
	case "passive":
		p.exchange("EPSV", "229")
		p.dial()
	case "dial":
		p.dial()
	case "active":
		p.listen(arg)
	case "D>":
		_, err := io.WriteString(p.dataConn(), p.unescape(arg))
		p.must(err)
	case "D.":
		p.must(p.dataConn().Close())
		p.data = nil
	case "D0":
		data, err := io.ReadAll(p.clear) // a reset is an end, too
		if len(data) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			p.fail("received %q, %v", data, err)
		}
	case "D<", "D~":
		data, err := io.ReadAll(p.dataConn())
		p.must(err)
		p.must(p.data.Close())
		p.data, p.received = nil, string(data)
		if verb == "D~" {
			p.match(p.received, arg, true)
		} else if p.received != p.unescape(arg) {
			p.fail("received %q", p.received)
		}
	case "D+", "D-":
		p.match(p.received, arg, verb == "D+")
	}
}

func (p *player) dial() {
	p.t.Helper()
	host, _, err := net.SplitHostPort(p.conn.RemoteAddr().String())
	p.must(err)
	conn, err := net.Dial("tcp", net.JoinHostPort(host, p.port))
	p.must(err)
	p.useData(conn)
}

func (p *player) listen(verb string) {
	p.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	p.conns, p.listener, p.data = append(p.conns, l), l, nil
	port := l.Addr().(*net.TCPAddr).Port
	if verb == "PORT" {
		p.exchange(fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&255), "200")
	} else {
		p.exchange(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port), "200")
	}
}

func (p *player) useData(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	p.conns, p.data, p.clear = append(p.conns, conn), conn, conn
	if p.private {
		p.data = tls.Client(conn, p.stage.tls)
	}
}

// dataConn is the data connection: one that the client has opened, or that the server opens
// now.
func (p *player) dataConn() net.Conn {
	p.t.Helper()
	if p.data == nil && p.listener != nil {
		_ = p.listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		conn, err := p.listener.Accept()
		p.must(err)
		p.listener = nil
		p.useData(conn)
	}
	if p.data == nil {
		p.fail("there is no data connection")
	}
	if secure, ok := p.data.(*tls.Conn); ok {
		p.must(secure.Handshake())
	}
	return p.data
}

func (p *player) performStore(verb, key, text string) {
	p.t.Helper()
	files, ctx := p.stage.rig.files, p.t.Context()
	switch verb {
	case "file", "big":
		data := []byte(text)
		if verb == "big" {
			size, err := strconv.Atoi(text)
			p.must(err)
			data = bytes.Repeat([]byte("x"), size)
		}
		_, err := files.Put(ctx, key, bytes.NewReader(data), int64(len(data)), store.PutOptions{})
		p.must(err)
	case "stored":
		body, _, err := files.Open(ctx, key, 0, -1, "")
		p.must(err)
		data, err := io.ReadAll(body)
		_ = body.Close() // it has been read
		p.must(err)
		if string(data) != text {
			p.fail("the store has %q", data)
		}
	case "gone":
		if o, err := files.Stat(ctx, key); err == nil {
			p.fail("the store has it, %d bytes", o.Size)
		}
	}
}
