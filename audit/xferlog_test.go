package audit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func transfer(action Action, path string) Event {
	return Event{
		Time: time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC), User: "alice", Remote: "192.0.2.1:4711",
		Action: action, Path: path, Bytes: 1234, Duration: 90 * time.Second,
	}
}

func TestXferlog(t *testing.T) {
	zone := time.FixedZone("", 3600)
	change := func(e Event, f func(*Event)) Event { f(&e); return e }
	up := transfer(Upload, "/a b/\tc\x7f\x00\n中\xff")
	for _, test := range []struct {
		e    Event
		want string
	}{
		{up, "Sun Mar  1 05:05:06 2026 90 192.0.2.1 1234 /a_b/_c___中\xff b _ i r alice ftp 0 * c"},
		{change(up, func(e *Event) { e.Action, e.ASCII = Download, true }),
			"Sun Mar  1 05:05:06 2026 90 192.0.2.1 1234 /a_b/_c___中\xff a _ o r alice ftp 0 * c"},
		{change(up, func(e *Event) { e.Err, e.Duration = "broken", 100*time.Millisecond }),
			"Sun Mar  1 05:05:06 2026 1 192.0.2.1 1234 /a_b/_c___中\xff b _ i r alice ftp 0 * i"},
		{change(up, func(e *Event) { e.Remote, e.Bytes, e.User, e.Path = "[2001:db8::1]:5", 0, "a b\n", "" }),
			"Sun Mar  1 05:05:06 2026 90 2001:db8::1 0 _ b _ i r a_b_ ftp 0 * c"},
		{change(up, func(e *Event) { e.Err, e.Bytes = "refused", 0 }), ""},
		{change(up, func(e *Event) { e.Action = Delete }), ""},
		{change(up, func(e *Event) { e.Action = Login }), ""},
	} {
		if got := string(Xferlog(zone)([]byte("> "), test.e)); got != "> "+test.want {
			t.Errorf("written\n%q, want\n%q", got, test.want)
		}
	}
}

// xferlogEntry is what an analyser reads: the fields of xferlog(5).
type xferlogEntry struct {
	when                   time.Time
	seconds, bytes         int
	host, file             string
	kind, flag, direction  string
	access, user, service  string
	auth, id, completeness string
}

// parseXferlog reads a line as the statistics scripts do, which split it at white space:
// five words of date and time, and then one word a field.
func parseXferlog(line string) (e xferlogEntry, err error) {
	words := regexp.MustCompile(`[ \t\n\v\f\r]+`).Split(line, -1)
	if len(words) != 18 {
		return e, fmt.Errorf("%d words", len(words))
	}
	if e.when, err = time.Parse("Mon Jan 2 15:04:05 2006", strings.Join(words[:5], " ")); err != nil {
		return e, err
	}
	if e.seconds, err = strconv.Atoi(words[5]); err != nil {
		return e, err
	}
	if e.bytes, err = strconv.Atoi(words[7]); err != nil {
		return e, err
	}
	e.host, e.file, e.kind, e.flag, e.direction = words[6], words[8], words[9], words[10], words[11]
	e.access, e.user, e.service, e.auth, e.id, e.completeness = words[12], words[13], words[14], words[15], words[16], words[17]
	for field, pattern := range map[string]string{
		e.kind: "^[ab]$", e.flag: "^(_|[CTU]+)$", e.direction: "^[iod]$", e.access: "^[agr]$", e.auth: "^[01]$", e.completeness: "^[ci]$",
	} {
		if !regexp.MustCompile(pattern).MatchString(field) {
			return e, fmt.Errorf("field %q", field)
		}
	}
	return e, nil
}

func TestXferlogIsParsed(t *testing.T) {
	for _, path := range []string{"/plain", "/with  spaces ", "/tab\tand\nline\r\n", "/中文/文件 名.txt", "/\xe9t\xe9", "/ c c c c", ""} {
		for _, user := range []string{"alice", "a b", ""} {
			for _, kind := range []Action{Upload, Download} {
				e := transfer(kind, path)
				e.User = user
				got, err := parseXferlog(string(Xferlog(time.UTC)(nil, e)))
				if err != nil {
					t.Errorf("%q of %q: %v", path, user, err)
					continue
				}
				direction := map[Action]string{Upload: "i", Download: "o"}[kind]
				if !got.when.Equal(e.Time) || got.seconds != 90 || got.bytes != 1234 || got.host != "192.0.2.1" ||
					got.direction != direction || got.completeness != "c" || path != "" && len(got.file) != len(path) {
					t.Errorf("%q of %q is read as %+v", path, user, got)
				}
			}
		}
	}
}

func FuzzXferlogIsParsed(f *testing.F) {
	f.Add("/a b", "alice", "192.0.2.1:4711")
	f.Add("", "\x00", "[::1%eth 0]:1")
	f.Fuzz(func(t *testing.T, path, user, remote string) {
		e := transfer(Upload, path)
		e.User, e.Remote = user, remote
		line := string(Xferlog(time.UTC)(nil, e))
		if _, err := parseXferlog(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	})
}
