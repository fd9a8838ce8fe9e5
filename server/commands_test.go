package server_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/server"
)

// exchange is a command and how its reply begins.
type exchange struct{ want, command string }

// talk says commands and checks that each is answered by one reply of clean lines.
func (c *client) talk(exchanges ...exchange) {
	c.t.Helper()
	for _, e := range exchanges {
		got := c.do(e.want, "%s", e.command)
		for line := range strings.SplitSeq(got, "\n") {
			if strings.ContainsAny(line, "\x00\x01\r\x7f") {
				c.t.Errorf("%q: reply %q", e.command, got)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.put("226", "STOR f", []byte("hello"))
	c.talk([]exchange{
		{"501", "TYPE"}, {"501", "TYPE L"}, {"504", "TYPE E"}, {"504", "TYPE L 7"}, {"504", "TYPE A C"}, {"200", "TYPE L 8"}, {"200", "TYPE A N"},
		{"550", "SIZE f"}, {"501", "REST 3"}, {"350", "REST 0"}, {"501", "ALLO x"}, {"202", "ALLO 5"}, {"200", "type i"},
		{"501", "STRU"}, {"504", "STRU R"}, {"504", "STRU P"}, {"200", "STRU f"}, {"501", "MODE"}, {"504", "MODE B"}, {"504", "MODE Z"}, {"200", "MODE s"},
		{"501", "REST"}, {"501", "REST -1"}, {"501", "REST +3"}, {"501", "REST 99999999999999999999"}, {"350", "REST 007"}, {"350", "REST 0"},
		{"501", "ALLO"}, {"501", "ALLO 10 X 20"}, {"501", "ALLO 10 R"}, {"501", "ALLO 10 R x"}, {"501", "ALLO 10 R 20 30"}, {"200", "ALLO 10 r 20"},
		{"501", "OPTS"}, {"501", "OPTS FOO"}, {"501", "OPTS FOO bar"}, {"501", "OPTS UTF8 MAYBE"}, {"501", "OPTS HASH CRC-37"},
		{"501", "SITE"}, {"500", "SITE FOO"}, {"501", "SITE UTIME"}, {"501", "SITE UTIME 20200101000000"}, {"502", "SITE CHMOD 644 f"},
		{"501", "MFMT"}, {"501", "MFMT 20200101000000"}, {"501", "MFMT 2020 f"}, {"501", "MFMT 20201301000000 f"}, {"501", "MFMT 20200101000000,5 f"},
		{"213", "MFMT 20200101000000.5 f"}, {"550", "MFMT 20200101000000 missing"}, {"501", "MFMT 2020\r\x00 f"},
		{"501", "SIZE"}, {"501", "MDTM"}, {"501", "DELE"}, {"501", "MKD"}, {"501", "RMD"}, {"501", "CWD"}, {"501", "RNFR"}, {"501", "HASH"}, {"501", "XCRC"},
		{"502", "ACCT x"}, {"502", "SMNT x"}, {"502", "ADAT x"},
		{"550", "MKD no/such"}, {"550", "MKD f/x"}, {"550", "SIZE a\x00b"}, {"550", "DELE a\rb"}, {"550", "CWD a\x01b"}, {"550", "MKD " + strings.Repeat("a", 256)},
		{"550", "RMD /"}, {"550", "DELE /"}, {"550", "SIZE /"}, {"550", "AVBL f"}, {"213", "AVBL"},
	}...)
	c.put("553", "STOR no/such", nil)
	c.put("553", "APPE a\x00b", nil)
	c.put("550", "RETR a\x00b", nil)
}

func TestUnknownCommands(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for command, want := range map[string]string{
		"NONSENSE":                            "500 Unknown command NONSENSE",
		"nonsense with words":                 "500 Unknown command NONSENSE",
		strings.Repeat("\x01", 3900):          "500 Unknown command " + strings.Repeat("?", 20),
		"\x02\x7f\xe9t\xe9":                   "500 Unknown command ?????T???",
		"A\rB\x00C":                           "500 Unknown command A?B?C",
		"COMB a b":                            "500 Unknown command COMB",
		strings.Repeat("é", 4000):             "500 Unknown command " + strings.Repeat("?", 20),
		"OPTS a\rb" + strings.Repeat("c", 99): "501 No options of a?b" + strings.Repeat("c", 17) + " are known",
	} {
		if got := c.do("50", "%s", command); got != want {
			t.Errorf("%.30q: %q, want %q", command, got, want)
		}
	}
	c.do("200", "NOOP")
}

func TestBeforeLogin(t *testing.T) {
	c := newRig(t, nil).connect()
	c.talk([]exchange{
		{"500", "NONSENSE"}, {"215", "SYST"}, {"200", "NOOP"}, {"211", "FEAT"}, {"200", "CLNT x"}, {"200", "OPTS UTF8 ON"}, {"501", "OPTS"}, {"502", "ACCT x"},
		{"530", "PWD"}, {"530", "CWD"}, {"530", "SIZE f"}, {"530", "HASH f"}, {"530", "TYPE"}, {"530", "REST x"}, {"530", "SITE HELP"}, {"530", "RETR f"},
		{"530", "STRU"}, {"530", "MFMT"}, {"530", "AVBL"}, {"530", "PASV"}, {"530", "RNTO x"}, {"530", "STAT /"}, {"530", "MLST"},
	}...)
}

// Paths in commands may be as long as a line; only what they come to must be short.
func TestLongLines(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.put("226", "STOR f", []byte("hello"))
	c.do("257", "MKD d")
	around := func(n int) string { return strings.Repeat("./", n) }
	c.talk([]exchange{
		{"213 5", "SIZE " + around(4000) + "f"}, {"213 20", "MDTM " + around(4000) + "f"}, {"250", "CWD " + around(4000) + "d"}, {"250", "CDUP"},
		{"213", "MFMT 20200101000000 " + around(3000) + "f"}, {"250", "XMD5 " + around(4000) + "f"}, {"257", "MKD " + around(4000) + "e"},
		{"250", "RMD " + around(4000) + "e"}, {"200", "NOOP " + around(4000)}, {"500", "NOOP " + around(4200)}, {"250", "DELE " + around(4000) + "f"},
	}...)
	if got := c.do("257", "PWD"); got != `257 "/" is the current directory` {
		t.Error(got)
	}
}

func TestWorkingDirectory(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.put("226", "STOR f", []byte("hello"))
	for _, e := range []exchange{
		{`257 "/a ""b"""`, `MKD a "b"`}, {`257 "/a ""b""/c"`, `MKD a "b"/c`}, {"250", `CWD a "b"/c`}, {`257 "/a ""b""/c"`, "PWD"},
		{"250", "CDUP"}, {`257 "/a ""b"""`, "XPWD"}, {"250", "CWD ../../.."}, {`257 "/"`, "PWD"}, {"250", "CDUP"}, {`257 "/"`, "PWD"},
		{"550", "CWD f"}, {"550", "CWD missing"}, {"550", "MKD f"}, {`257 "/"`, "PWD"},
		{"250", "CWD /a \"b\""}, {"250", "RMD c"}, {"550", "CWD c"}, {"250", "SIZE"[:0] + "XCWD ."}, {"550", "RMD missing"}, {`257 "/` + "x\x1by" + `"`, "MKD /x\x1by"},
	} {
		c.do(e.want, "%s", e.command)
	}
}

func TestMdtm(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for _, name := range []string{"f", "20200102030405 x", "20209902030405 y", "20200102030405", "2020 f"} {
		c.put("226", "STOR "+name, []byte("hello"))
	}
	c.talk([]exchange{
		{"213 Modify=20010203040506; f", "MDTM 20010203040506 f"}, {"213 20010203040506", "MDTM f"},
		{"213 Modify=20010203040507; f", "MDTM 20010203040507.123 f"}, {"213 20010203040507", "MDTM f"},
		{"213 20", "MDTM 20200102030405 x"}, {"213 20", "MDTM 20209902030405 y"}, {"213 20", "MDTM 20200102030405"}, {"213 20", "MDTM 2020 f"},
		{"550", "MDTM 20200102030405 missing"}, {"501", "MDTM 20209902030405 f"}, {"550", "MDTM 20200102030405 "}, {"550", "MDTM missing"},
		{"213 20010203040507", "MDTM f"},
	}...)
	if got := c.do("213", "MDTM 20200102030405 x"); strings.Contains(got, "Modify") {
		t.Errorf("the file's time was changed: %q", got)
	}
}

func TestFeatures(t *testing.T) {
	cert := certificate(t)
	all := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} }).connect()
	got := all.do("211", "FEAT")
	for _, want := range []string{"AUTH TLS", "PBSZ", "PROT", "EPRT", "EPSV", "SIZE", "MDTM", "MFMT", "REST STREAM", "TVFS", "UTF8", "HASH SHA-256*;"} {
		if !strings.Contains(got, "\n "+want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	all.do("200 SHA-256", "OPTS HASH")
	all.do("200 SHA-1", "OPTS HASH sha-1")
	all.do("200 SHA-1", "OPTS HASH")
	if got := all.do("211", "FEAT"); !strings.Contains(got, "\n HASH SHA-256;SHA-512;SHA-1*;MD5;CRC32;\n") {
		t.Errorf("after OPTS HASH: %q", got)
	}
	few := newRig(t, func(o *server.Options) { o.ActiveMode = false }).connect()
	got = few.do("211", "FEAT")
	for _, no := range []string{"AUTH", "PBSZ", "PROT", "EPRT"} {
		if strings.Contains(got, "\n "+no) {
			t.Errorf("%s in %q", no, got)
		}
	}
}
