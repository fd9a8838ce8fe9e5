package server_test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/server"
)

// foreign is how clients in other charsets call a directory and files.
type foreign struct{ charset, dir, file, other string }

// foreigners speak nine charsets. None of them says which.
func foreigners() []foreign {
	return []foreign{
		{"GBK", "我的文件夹", "会议记录二零零五年.txt", "财务报表最终版本.xls"},
		{"Big5", "我的資料夾", "會議記錄與討論事項.txt", "財務報表最終版本.xls"},
		{"Shift_JIS", "新しいフォルダ", "予算の一覧表です.txt", "会議の議事録と資料.doc"},
		{"EUC-JP", "新しいフォルダ", "予算の一覧表です.txt", "会議の議事録と資料.doc"},
		{"EUC-KR", "새로운 폴더", "회의록과 참고자료.txt", "재무 보고서 최종본.xls"},
		{"windows-1251", "Новая папка", "Отчет за ноябрь для Сергея.txt", "Моя фотография с друзьями.jpg"},
		{"KOI8-R", "Новая папка", "Отчет за ноябрь для Сергея.txt", "Моя фотография с друзьями.jpg"},
		{"windows-1252", "Pièces jointes reçues", "Résumé de l'été dernier.txt", "Où êtes-vous allés.doc"},
		{"windows-874", "โฟลเดอร์ใหม่", "รายงานการประชุม.txt", "เอกสารการเงินประจำปี.xls"},
	}
}

// wired is the same in the client's bytes.
func (f foreign) wired(t *testing.T) foreign {
	t.Helper()
	c, err := encoding.Lookup(f.charset)
	if err != nil {
		t.Fatal(err)
	}
	return foreign{f.charset, c.Encode(f.dir), c.Encode(f.file), c.Encode(f.other)}
}

// telnet is a name as it travels on the control connection.
func telnet(name string) string { return strings.ReplaceAll(name, "\xff", "\xff\xff") }

// A client gets back the bytes that it has sent, whatever its charset is, with TLS and
// without, and clients that speak UTF-8 see the right names meanwhile.
func TestForeignClients(t *testing.T) {
	cert := certificate(t)
	for _, f := range foreigners() {
		for name, connect := range map[string]func(*rig) *client{
			"plain": func(r *rig) *client { return r.login("alice") }, "TLS": func(r *rig) *client { return r.loginTLS("alice") },
		} {
			t.Run(f.charset+" "+name, func(t *testing.T) {
				r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
				modern := r.login("alice")
				modern.do("200", "OPTS UTF8 ON")
				connect(r).worksIn(f.wired(t), func(dir string, files ...string) {
					t.Helper()
					if got := lines(modern.get("NLST " + dir)); !slices.Equal(got, files) {
						t.Errorf("a client of UTF-8 sees %q in %s, want %q", got, dir, files)
					}
				}, f)
			})
		}
	}
}

// loginTLS connects as a user, and protects all connections.
func (r *rig) loginTLS(name string) *client {
	r.t.Helper()
	c := r.connect()
	c.do("234", "AUTH TLS")
	config := &tls.Config{InsecureSkipVerify: true}
	c = newClient(r.t, tls.Client(c.conn, config))
	c.talk(exchange{"331", "USER " + name}, exchange{"230", "PASS " + name}, exchange{"200", "PBSZ 0"}, exchange{"200", "PROT P"})
	c.tls = config
	return c
}

// What goes wrong is told in the client's charset, byte for byte, and nobody is shown another.
func TestForeignErrors(t *testing.T) {
	for _, f := range foreigners() {
		t.Run(f.charset, func(t *testing.T) {
			c := newRig(t, nil).login("alice")
			w := f.wired(t)
			dir, file, other := telnet(w.dir), telnet(w.file), telnet(w.other)
			c.do("257", "MKD %s", dir)
			c.put("226", "STOR "+file, []byte("content"))
			for _, e := range []exchange{
				{"550", "MKD " + dir}, {"550", "MKD " + file}, {"550", "CWD " + file}, {"550", "CWD " + other}, {"550", "RMD " + other}, {"550", "RMD " + file},
				{"550", "DELE " + other}, {"550", "DELE " + dir}, {"550", "SIZE " + other}, {"550", "SIZE " + dir}, {"550", "MDTM " + other},
				{"550", "MLST " + other}, {"550", "RNFR " + other}, {"550", "HASH " + other}, {"550", "XCRC " + other}, {"550", "AVBL " + other},
				{"550", "MFMT 20200101000000 " + other}, {"550", "MFF Modify=20200101000000; " + other}, {"450|550", "STAT " + other},
				{"550", "SITE UTIME 20200101000000 " + other},
			} {
				c.tellsOnlyBytesOf(f, c.do(e.want, "%s", e.command), e.command)
			}
			for _, command := range []string{"RETR " + other, "RETR " + dir, "STOR " + dir, "STOR " + other + "/x", "APPE " + dir, "LIST " + other, "MLSD " + other, "MLSD " + file} {
				c.tellsOnlyBytesOf(f, c.refused(command), command)
			}
			c.do("350", "RNFR %s", file)
			c.tellsOnlyBytesOf(f, c.do("550|553", "RNTO %s", dir), "RNTO")
		})
	}
}

// refused sends a command that would need a data connection, and returns how that ended.
func (c *client) refused(command string) string {
	c.t.Helper()
	conn := c.passive()
	c.send("%s", command)
	reply := c.expect("150|4|5")
	_ = conn.Close()
	if strings.HasPrefix(reply, "150") {
		reply = c.expect("2|4|5")
	}
	return reply
}

// tellsOnlyBytesOf checks that a reply is in a client's charset, and holds no other text.
func (c *client) tellsOnlyBytesOf(f foreign, reply, command string) {
	c.t.Helper()
	codec, err := encoding.Lookup(f.charset)
	if err != nil {
		c.t.Fatal(err)
	}
	text := codec.Decode(strings.ReplaceAll(reply, "\xff\xff", "\xff"))
	for _, known := range []string{f.dir, f.file, f.other} {
		text = strings.ReplaceAll(text, known, "")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e }) || strings.Contains(text, "=x") {
		c.t.Errorf("%s: the reply %q has text other than the client's names: %q", command, reply, text)
	}
}

// worksIn does with names in the client's bytes all that one can do with names. seen checks
// what others see, which is text.
func (c *client) worksIn(w foreign, seen func(dir string, files ...string), text foreign) {
	t := c.t
	t.Helper()
	dir, file, other := telnet(w.dir), telnet(w.file), telnet(w.other)
	contains := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	is(c.do("257", "MKD %s", dir), `257 "/`+dir+`" created`)
	c.do("250", "CWD %s", dir)
	is(c.do("257", "PWD"), `257 "/`+dir+`" is the current directory`)
	contains(c.do("211", "STAT"), `"/`+dir+`"`)
	c.put("226", "STOR "+file, []byte("content"))
	seen(text.dir, text.dir+"/"+text.file)
	is(c.get("NLST"), w.file+"\r\n")
	is(c.get("NLST *"+telnet(w.file[2:])), w.file+"\r\n")
	contains(c.get("LIST"), " "+w.file+"\r\n")
	contains(c.get("MLSD"), " "+w.file+"\r\n")
	contains(c.do("250", "MLST %s", file), file)
	contains(c.do("213", "STAT %s", file), " "+file)
	contains(c.do("213", "HASH %s", file), " "+file)
	contains(c.do("212", "STAT /"), " "+dir)
	is(c.get("RETR "+file), "content")
	is(c.get("RETR /"+dir+"/"+file), "content")
	c.do("213 7", "SIZE %s", file)
	contains(c.put("226", "STOU "+file, nil), "the file is "+file+".")
	c.do("250", "DELE %s", strings.TrimSuffix(telnet(strings.Split(c.get("NLST "+file+".*"), "\r\n")[0]), "\r\n"))
	c.do("350", "RNFR %s", file)
	c.do("250", "RNTO %s", other)
	seen(text.dir, text.dir+"/"+text.other)
	is(c.get("NLST"), w.other+"\r\n")
	c.do("550", "SIZE %s", file)
	c.do("250", "DELE %s", other)
	c.do("250", "CDUP")
	is(c.get("NLST"), w.dir+"\r\n")
	c.do("250", "RMD %s", dir)
	seen("/")
}

func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' })
}

// A client that does not know Telnet sends the byte FF as it is.
func TestUndoubledFF(t *testing.T) {
	c := newRig(t, nil).login("alice")
	const name = "\xcc\xee\xff \xf4\xee\xf2\xee\xe3\xf0\xe0\xf4\xe8\xff" // Моя фотография in windows-1251
	c.put("226", "STOR "+name, nil)
	if got := c.get("NLST"); got != name+"\r\n" {
		t.Errorf("%q", got)
	}
}

// Clients of all charsets share a directory, each in a session of its own.
func TestForeignClientsTogether(t *testing.T) {
	r := newRig(t, func(o *server.Options) { o.Login = sharedHome })
	sessions := make([]*client, 0, len(foreigners()))
	for i, f := range foreigners() {
		c := r.login([]string{"alice", "bob"}[i%2])
		sessions = append(sessions, c)
		if f.charset != "EUC-JP" && f.charset != "KOI8-R" { // whose names are others', too
			c.put("226", "STOR "+telnet(f.wired(t).file), []byte(f.charset))
		}
	}
	modern := r.login("alice")
	for i, f := range foreigners() {
		codec, _ := encoding.Lookup(f.charset)
		w := f.wired(t)
		if content := sessions[i].get("RETR " + telnet(w.file)); f.charset != "EUC-JP" && f.charset != "KOI8-R" && content != f.charset {
			t.Errorf("%s: content %q", f.charset, content)
		}
		for _, other := range foreigners() {
			if got := lines(sessions[i].get("NLST")); !slices.Contains(got, codec.Encode(other.file)) {
				t.Errorf("%s: %q not in %q", f.charset, codec.Encode(other.file), got)
			}
			if got := sessions[i].get("RETR " + telnet(codec.Encode(other.file))); got == "" {
				t.Errorf("%s: no content of %s", f.charset, other.file)
			}
		}
		if got := lines(modern.get("NLST")); !slices.Contains(got, f.file) {
			t.Errorf("%s: %q not in %q", f.charset, f.file, got)
		}
	}
}

// Names that are plain ASCII decide nothing.
func TestForeignAfterASCII(t *testing.T) {
	for _, f := range foreigners() {
		t.Run(f.charset, func(t *testing.T) {
			r := newRig(t, nil)
			c := r.login("alice")
			for _, name := range []string{"readme.txt", "a=b", "index.html"} {
				c.put("226", "STOR "+name, nil)
				c.do("250", "DELE %s", name)
			}
			c.worksIn(f.wired(t), func(string, ...string) {}, f)
		})
	}
}

// A client that turns to another charset, as one that serves several people does.
func TestForeignSwitches(t *testing.T) {
	for _, order := range []string{"names", "OPTS", "SITE"} {
		t.Run(order, func(t *testing.T) {
			r := newRig(t, nil)
			c := r.login("alice")
			for _, f := range foreigners() {
				switch order {
				case "OPTS":
					c.do("200", "OPTS UTF8 ON")
					c.put("226", "STOR "+f.other, nil)
					c.do("250", "DELE %s", f.other)
					c.do("200", "OPTS UTF8 OFF")
				case "SITE":
					c.do("200 File names are in "+f.charset, "SITE CHARSET %s", f.charset)
				}
				c.worksIn(f.wired(t), func(string, ...string) {}, f)
			}
		})
	}
}

// What a client says of itself before the login holds after it.
func TestLanguageBeforeLogin(t *testing.T) {
	const name = "\xed\xe5\xf2" // нет in windows-1251, νες in windows-1253
	for language, want := range map[string]string{"ru-RU": "нет", "el": "νες"} {
		r := newRig(t, nil)
		c := r.connect()
		c.talk(exchange{"504", "LANG " + language}, exchange{"331", "USER alice"}, exchange{"230", "PASS alice"})
		c.put("226", "STOR "+name, nil)
		if got := r.login("alice").get("NLST"); got != want+"\r\n" {
			t.Errorf("LANG %s: %q", language, got)
		}
	}
}

// So does the name of the client's program.
func TestClientBeforeLogin(t *testing.T) {
	const name = "\xc3\xb1" // ñ in UTF-8, 帽 in GBK
	answers := make(map[string]bool)
	for _, program := range []string{"FileZilla", "lftp/4.9.2"} {
		sure := make(map[string]string)
		for _, when := range []string{"before", "after"} {
			c := newRig(t, nil).connect()
			if when == "before" {
				c.do("200", "CLNT %s", program)
			}
			c.talk(exchange{"331", "USER alice"}, exchange{"230", "PASS alice"})
			if when == "after" {
				c.do("200", "CLNT %s", program)
			}
			c.put("226", "STOR "+name, nil)
			sure[when] = c.do("200", "SITE CHARSET")
			answers[sure[when]] = true
		}
		if sure["before"] != sure["after"] {
			t.Errorf("CLNT %s: before the login %q, after it %q", program, sure["before"], sure["after"])
		}
	}
	if len(answers) != 2 {
		t.Errorf("of two clients, one of which is known to speak UTF-8: %v", answers)
	}
}

// OPTS UTF8 OFF takes OPTS UTF8 ON back, before the login and after it.
func TestUTF8Off(t *testing.T) {
	f := foreigners()[0]
	w := f.wired(t)
	r := newRig(t, nil)
	c := r.connect()
	c.talk(exchange{"200", "OPTS UTF8 ON"}, exchange{"200", "OPTS UTF8 OFF"}, exchange{"331", "USER alice"}, exchange{"230", "PASS alice"})
	c.put("226", "STOR "+w.file, nil)
	c.do("200", "OPTS UTF8 ON")
	c.do("213", "SIZE %s", f.file)
	c.do("200", "OPTS UTF8 OFF")
	c.do("213", "SIZE %s", w.file)
}

// One letter of a pattern tells little of a charset; the names that exist tell more.
func TestForeignPatterns(t *testing.T) {
	r := newRig(t, nil)
	modern := r.login("alice")
	modern.do("200", "OPTS UTF8 ON")
	for _, name := range []string{"Моя жизнь.txt", "Φίλος.txt", "été.txt"} {
		modern.put("226", "STOR "+name, []byte(name))
	}
	gbk := foreigners()[0].wired(t)
	for _, test := range []struct{ charset, pattern, name string }{
		{"windows-1251", "*ж*", "Моя жизнь.txt"}, {"windows-1251", "*зн*", "Моя жизнь.txt"}, {"KOI8-R", "*ж*", "Моя жизнь.txt"},
		{"IBM866", "*ж*", "Моя жизнь.txt"}, {"windows-1253", "Φ*", "Φίλος.txt"}, {"windows-1252", "é*", "été.txt"},
		{"UTF-8", "*ж*", "Моя жизнь.txt"}, {"UTF-8", "é*", "été.txt"},
	} {
		codec, err := encoding.Lookup(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range []string{"", gbk.file} {
			t.Run(fmt.Sprintf("%s %s after %q", test.charset, test.pattern, before), func(t *testing.T) {
				c := r.login("alice")
				c.t = t
				if before != "" { // the session has spoken GBK
					c.put("226", "STOR "+before, nil)
					c.do("250", "DELE %s", before)
				}
				name, _, more := strings.Cut(c.get("NLST "+telnet(codec.Encode(test.pattern))), "\r\n")
				if content := c.get("RETR " + telnet(name)); !more || content != test.name {
					t.Errorf("%q, which holds %q", name, content)
				}
			})
		}
	}
	r.login("alice").do("550", "STAT *\xf1\xf1*")
}
