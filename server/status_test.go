package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.do("257", "MKD d")
	c.do("250", "CWD d")
	for _, want := range []string{"Connected from 127.0.0.1", "Logged in as alice", `"/d"`, "TYPE I", "No transfer in progress"} {
		if got := c.do("211-", "STAT"); !strings.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	data := c.passive()
	c.do("150", "STOR f")
	_, _ = data.Write(make([]byte, 1234))
	for !strings.Contains(c.do("211-", "STAT"), "STOR f: 1234 bytes received") { // once the server has it
	}
	_ = data.Close()
	c.expect("226")

	c.put("226", "STOR large", make([]byte, 3*part))
	_ = c.passive() // which reads nothing
	c.do("150", "RETR large")
	for sent := 0; sent == 0; {
		_, status, _ := strings.Cut(c.do("211-", "STAT"), "RETR large: ")
		if _, err := fmt.Sscanf(status, "%d bytes sent", &sent); err != nil || sent > 3*part {
			t.Fatalf("%v: %q", err, status)
		}
	}
	c.do("426", "ABOR")
	c.expect("226")
}

func TestStatusOfPath(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.do("257", "MKD d")
	c.put("226", "STOR d/213 End", []byte("hello"))
	for _, test := range []struct{ command, begins, has string }{
		{"STAT d", "212-", " 5 "},
		{"STAT -la d", "212-", " 213 End\n212 "},
		{"STAT -1 d", "212-", "\n 213 End\n212 "},
		{"STAT d/213 End", "213-", " 213 End\n213 "},
		{"STAT d/*", "213-", " 213 End\n213 "},
		{"STAT missing", "550", ""},
	} {
		c.send("%s", test.command)
		if got := c.reply(); !strings.HasPrefix(got, test.begins) || !strings.Contains(got, test.has) {
			t.Errorf("%s: %q", test.command, got)
		}
	}
	for i := range 40 {
		c.do("257", "MKD %s%d", strings.Repeat("long", 60), i)
	}
	if got := c.do("212-", "STAT"+" /"); strings.Count(got, "\n") != 42 {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

// The end of a transfer is told before or behind the status, not in the middle.
func TestStatusIsInOnePiece(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for i := range 200 {
		data := c.passive()
		c.do("150", "STOR f")
		go func() { _ = data.(*net.TCPConn).CloseWrite() }()
		c.send("STAT")
		for range 2 {
			first := c.line()
			switch {
			case strings.HasPrefix(first, "226"):
			case !strings.HasPrefix(first, "211-"):
				t.Fatalf("round %d: %q", i, first)
			default:
				for line := ""; !strings.HasPrefix(line, "211 "); {
					if line = c.line(); strings.HasPrefix(line, "226") {
						t.Fatalf("round %d: %q", i, line)
					}
				}
			}
		}
		c.do(fmt.Sprint(213), "SIZE f")
	}
}
