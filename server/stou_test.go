package server_test

import (
	"strings"
	"testing"
)

func TestStou(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.do("257", "MKD d")
	c.put("226", "STOR file", []byte("old"))
	names := map[string]bool{}
	for command, prefix := range map[string]string{
		"STOU": "file.", "STOU file": "file.", "STOU d/x y": "d/x y.", "STOU d/": "d/file.", "STOU /d/z": "/d/z.",
	} {
		for range 3 {
			c.do("350", "REST 2") // has no meaning for a new file
			data := c.passive()
			first := c.do("150 FILE: ", "%s", command)
			_, _ = data.Write([]byte("new"))
			_ = data.Close()
			name := strings.TrimPrefix(first, "150 FILE: ")
			if last := c.expect("226"); !strings.HasSuffix(last, name) || !strings.HasPrefix(name, prefix) || names[name] {
				t.Errorf("%s: %q, %q", command, first, last)
			}
			names[name] = true
			if got := c.get("RETR " + name); got != "new" {
				t.Errorf("%s holds %q", name, got)
			}
		}
	}
	if got := c.get("RETR file"); got != "old" {
		t.Errorf("the other file holds %q", got)
	}
	c.put("553", "STOU missing/x", nil)
	c.put("553", "STOU a\x00b", nil)
	c.do("425", "STOU")
}

func TestStouIsAnUpload(t *testing.T) {
	r := newRig(t, nil)
	r.login("bob").put("550", "STOU", nil) // read only
	c := r.login("alice")
	data := c.passive()
	c.do("150", "STOU")
	_, _ = data.Write([]byte("new"))
	c.do("426", "ABOR")
	c.expect("226")
	if got := c.get("NLST"); got != "" {
		t.Errorf("aborted, but there is %q", got)
	}
}

// A missing argument is told before a missing data connection.
func TestTransferWithoutPath(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for _, verb := range []string{"RETR", "STOR", "APPE"} {
		c.do("501", "%s", verb)
		c.do("425", "%s f", verb)
	}
	_ = c.passive()
	c.do("501", "RETR")
}
