package server

import "testing"

func TestForeign(t *testing.T) {
	for _, line := range []string{
		"GET / HTTP/1.1", "get / http/1.0", "POST /USER HTTP/1.1", "OPTIONS sip:nm SIP/2.0", "OPTIONS * RTSP/1.0", "FOO x HTTP/9",
		"PRI * HTTP/2.0", "Host: example.org", "Content-Length: 30", "SSH-2.0-OpenSSH_9.2", "EHLO mail", "MAIL FROM:<a@b>",
		"*1", "$4", "PING", `{"id": 1, "method": "login"}`, "<?xml version=\"1.0\"?>", "\x03\x00\x00/*\xe0", "\x00\x00\x00\x85\xffSMBr",
	} {
		if !foreign(line) {
			t.Errorf("%q is taken for FTP", line)
		}
	}
	for _, line := range []string{
		"", " ", "USER a", "PASS a b HTTP", "PASS {x}:<y>*", "OPTS UTF8 ON", "AUTH TLS", "HOST [::1]", "HELP SITE", "FEAT", "XSHA256 f",
		"NONSENSE", "\xf2ABOR", "QUIT", "STAT", "CLNT x/1.1", "PASS x/y", tooLongLine,
	} {
		if foreign(line) {
			t.Errorf("%q is taken for another protocol", line)
		}
	}
}
