package server_test

import "testing"

// A rename belongs to the RNFR right before it.
func TestRenameIsForgotten(t *testing.T) {
	c := newRig(t, nil).login("alice")
	for _, name := range []string{"f", "g"} {
		c.put("226", "STOR "+name, []byte(name))
	}
	for _, between := range []struct{ want, command string }{
		{"200", "NOOP"}, {"257", "PWD"}, {"550", "RNFR missing"}, {"501", "RNFR"}, {"211", "STAT"}, {"500", "NONSENSE"},
		{"213", "SIZE f"}, {"225", "ABOR"}, {"500", longLine()}, {"550", "RNFR " + "x/y"},
	} {
		c.do("350", "RNFR g")
		c.do(between.want, "%s", between.command)
		c.do("503", "RNTO h")
	}
	c.do("350", "RNFR g")
	c.do("553", "RNTO missing/g")
	c.do("503", "RNTO h")
	c.do("350", "RNFR missing/../g")
	c.do("250", "RNTO h")
	c.do("503", "RNTO i")
	if got := c.get("NLST"); got != "f\r\nh\r\n" {
		t.Errorf("left: %q", got)
	}
}

func longLine() string {
	line := make([]byte, 9000)
	for i := range line {
		line[i] = 'x'
	}
	return "RNFR " + string(line)
}

// A restart point belongs to the transfer that it was sent for.
func TestRestartPointIsForgotten(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.put("226", "STOR f", []byte("0123456789"))
	for _, between := range []struct{ want, command string }{
		{"200", "NOOP"}, {"257", "PWD"}, {"213", "SIZE f"}, {"211", "STAT"}, {"500", "NONSENSE"}, {"225", "ABOR"}, {"250", "CWD /"},
	} {
		c.do("350", "REST 3")
		c.do(between.want, "%s", between.command)
		if got := c.get("RETR f"); got != "0123456789" {
			t.Errorf("after %s: %q", between.command, got)
		}
	}
	for _, between := range []struct{ want, command string }{
		{"200", "TYPE I"}, {"200", "MODE S"}, {"200", "STRU F"}, {"227", "PASV"}, {"200", "ALLO 10"},
	} {
		c.do("350", "REST 3")
		c.do(between.want, "%s", between.command)
		if got := c.get("RETR f"); got != "3456789" {
			t.Errorf("after %s: %q", between.command, got)
		}
	}
	c.do("350", "REST 3")
	_ = c.get("NLST")
	if got := c.get("RETR f"); got != "0123456789" {
		t.Errorf("after NLST: %q", got)
	}
}

// So does a size.
func TestSizeIsForgotten(t *testing.T) {
	c := newRig(t, nil).login("alice")
	c.put("226", "STOR f", []byte("hello"))
	c.do("200", "ALLO 100")
	c.put("426", "STOR g", []byte("hello"))
	c.do("200", "ALLO 100")
	c.do("200", "NOOP")
	c.put("226", "STOR g", []byte("hello"))
	c.do("200", "ALLO 100")
	_ = c.get("RETR f")
	c.put("226", "STOR h", []byte("hello"))
	c.do("200", "ALLO 100")
	c.do("350", "REST 0")
	c.do("200", "TYPE I")
	c.put("426", "STOR i", []byte("hello"))
}
