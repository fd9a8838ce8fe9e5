package server_test

import (
	"strings"
	"testing"
)

func TestFirstSession(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.do("257", "PWD")
	c.put("226", "STOR hello.txt", []byte("hello"))
	if got := c.get("RETR hello.txt"); got != "hello" {
		t.Errorf("RETR: %q", got)
	}
	c.do("213 5", "SIZE hello.txt")
	c.do("257", "MKD dir")
	c.do("250", "CWD dir")
	c.put("226", "STOR a b", []byte("x"))
	c.put("226", "APPE a b", []byte("y"))
	if got := c.get("RETR a b"); got != "xy" {
		t.Errorf("after APPE: %q", got)
	}
	c.do("250", "CDUP")
	if got := c.get("LIST -la"); !strings.Contains(got, " hello.txt\r\n") || !strings.Contains(got, "drwxr-xr-x") {
		t.Errorf("LIST: %q", got)
	}
	c.do("350", "RNFR dir")
	c.do("250", "RNTO dir2")
	if got := c.get("NLST dir2"); got != "dir2/a b\r\n" {
		t.Errorf("NLST: %q", got)
	}
	c.do("550", "RMD dir2")
	c.do("250", "DELE dir2/a b")
	c.do("250", "RMD dir2")
	c.do("550", "CWD dir2")
	c.do("221", "QUIT")
	c.closed()
}
