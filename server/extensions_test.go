package server_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/server"
)

func TestHelp(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []*client{r.connect(), r.login("alice")} {
		c.talk([]exchange{
			{"214-", "HELP"}, {"214 Syntax: RETR <file>", "HELP retr"}, {"214 Syntax: NOOP", "HELP NOOP"}, {"502", "HELP NONSENSE"}, {"214-", "HELP SITE"},
		}...)
	}
	got := r.login("alice").do("214-", "SITE HELP")
	for _, verb := range []string{"\n CHARSET", "\n HELP", "\n UTIME "} {
		if !strings.Contains(got, verb) {
			t.Errorf("no %q in %q", verb, got)
		}
	}
}

func TestLang(t *testing.T) {
	c := newRig(t, nil).connect()
	c.talk([]exchange{
		{"200", "LANG"}, {"200", "LANG EN"}, {"200", "lang en-us"}, {"504", "LANG FR"}, {"504", "LANG fr-CA"}, {"504", "LANG x-klingon"},
		{"501", "LANG *"}, {"501", "LANG en-"}, {"501", "LANG en us"}, {"501", "LANG abcdefghi"}, {"501", "LANG \xff"},
		{"331", "USER alice"}, {"230", "PASS alice"}, {"200", "LANG EN"},
	}...)
}

func TestHost(t *testing.T) {
	cert := certificate(t)
	r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	c := r.connect()
	c.talk([]exchange{
		{"220", "HOST ftp.example.com"}, {"220", "HOST FTP.Example.COM."}, {"220", "HOST 127.0.0.1"}, {"220", "HOST [::1]"}, {"220", "HOST localhost"},
		{"501", "HOST"}, {"501", "HOST [::1"}, {"501", "HOST [127.0.0.1]"}, {"501", "HOST ::1"}, {"501", "HOST a b"}, {"501", "HOST a..b"}, {"501", "HOST [fe80::1%eth0]"},
		{"501", "HOST -a"}, {"501", "HOST " + strings.Repeat("a", 64)}, {"501", "HOST " + strings.Repeat("a.", 200)}, {"501", "HOST \xe9"}, {"501", "HOST ."},
		{"331", "USER alice"}, {"503", "HOST ftp.example.com"}, {"230", "PASS alice"}, {"503", "HOST ftp.example.com"},
	}...)
	for name, want := range map[string][]exchange{
		"ftp.example.com": {{"220", "HOST ftp.example.com"}, {"220", "HOST FTP.EXAMPLE.COM"}, {"504", "HOST other.example.com"}, {"504", "HOST 127.0.0.1"}},
		"":                {{"220", "HOST ftp.example.com"}, {"220", "HOST 127.0.0.1"}},
	} {
		c := r.connect()
		c.do("234", "AUTH TLS")
		c = newClient(t, tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: name}))
		c.talk(want...)
		c.talk(exchange{"331", "USER alice"}, exchange{"230", "PASS alice"})
	}
}

func TestMff(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR a file", []byte("hello"))
	c.talk([]exchange{
		{"213 Modify=20010203040506; a file", "MFF Modify=20010203040506; a file"}, {"213 20010203040506", "MDTM a file"},
		{"213 Modify=20010203040507; a file", "mff modify=20010203040507 a file"}, {"213 20010203040507", "MDTM a file"},
		{"504", "MFF UNIX.mode=0644; a file"}, {"504", "MFF Modify=20020203040507;Create=20010203040507; a file"}, {"504", "MFF Size=3; a file"},
		{"501", "MFF"}, {"501", "MFF Modify=20020203040507;"}, {"501", "MFF Modify; a file"}, {"501", "MFF ; a file"}, {"501", "MFF  a file"},
		{"501", "MFF Modify=2002; a file"}, {"501", "MFF Modify=; a file"}, {"501", "MFF Modify=20020203040507;Modify=20020203040507; a file"},
		{"550", "MFF Modify=20020203040507; missing"}, {"213 20010203040507", "MDTM a file"},
	}...)
	c = r.login("bob")
	c.do("550", "MFF Modify=20020203040507; missing")
}
