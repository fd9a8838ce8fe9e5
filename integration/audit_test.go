package integration

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// auditLine is an event as the JSON sinks write it.
type auditLine struct {
	Time                                                          time.Time
	ID, Node, Session, User, Remote, Action, Path, Target, Reason string
	Err                                                           string
	TLS, OK                                                       bool
	Bytes                                                         int64
	DurationMS                                                    *int64 `json:"duration_ms"`
}

// about is what a line is known by.
func (l auditLine) about() string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s %d %v", l.Action, l.Path, l.Target, l.Bytes, l.OK), " ")
}

// Every action is one event, with all there is to say, and no password.
func TestEveryActionIsAnEvent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	node := start(t, spdtest.Options{TLS: true, Config: map[string]string{
		"audit.sinks": "file://" + file, "cluster.node": "the-node", "guard.allow": "192.0.2.1/32", "guard.address_failures": "3",
	}})
	lines := func() (all []auditLine) {
		for text := range strings.Lines(read(t, file)) {
			var l auditLine
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			all = append(all, l)
		}
		return all
	}

	c := spdtest.DialFTP(t, node.Addr())
	c.StartTLS()
	c.Do("331", "USER alice")
	c.Do("530", "PASS very wrong")
	c.Do("331", "USER alice")
	c.Do("230", "PASS secret")
	c.Do("257", "MKD 目录")
	c.Do("250", "CWD 目录")
	c.Do("200", "PBSZ 0")
	c.Do("200", "PROT C")
	c.Put("226", "STOR 文件", []byte("hello"))
	c.Get("RETR 文件")
	c.Do("350", "RNFR 文件")
	c.Do("250", "RNTO new name")
	c.Do("250", "DELE new name")
	c.Do("550", "DELE new name")
	c.Do("250", "CWD /")
	c.Do("250", "RMD 目录")
	c.Do("221", "QUIT")

	kicked := spdtest.LoginFTP(t, node.Addr(), "alice", "secret")
	awaitSQL(t, node, "SELECT COUNT(*) FROM v_sessions", "1")
	node.SQL("DELETE FROM sessions")
	kicked.Expect("421")
	for range 3 {
		loginFrom("127.0.8.1", node.Addr(), "alice", "very wrong, too")
	}

	want := []string{
		"login-failed   0 false", "login   0 true", "mkdir /目录  0 true", "upload /目录/文件  5 true", "download /目录/文件  5 true",
		"rename /目录/文件 /目录/new name 0 true", "delete /目录/new name  0 true", "delete /目录/new name  0 false", "rmdir /目录  0 true", "logout   0 true",
	}
	spdtest.Await(t, "all events are written", func() error {
		seen := make(map[string]int)
		for _, l := range lines() {
			seen[l.Action]++
		}
		if seen["kick"] == 0 || seen["ban"] == 0 || seen["logout"] < 2 || seen["login-failed"] < 4 {
			return fmt.Errorf("%v", seen)
		}
		return nil
	})
	all := lines()
	for i, about := range want {
		l := all[i]
		if got := l.about(); got != about {
			t.Errorf("%d: %q, want %q", i, got, about)
		}
		if l.User != "alice" || !l.TLS || l.Session == "" || l.Session != all[0].Session || (l.OK == (l.Err != "")) {
			t.Errorf("%+v", l)
		}
	}
	ids := make(map[string]bool)
	for _, l := range all {
		_, err := netip.ParseAddrPort(l.Remote)
		if (err != nil && l.Action != "ban") || l.Node != "the-node" || l.ID == "" || ids[l.ID] || l.DurationMS == nil || l.Time.IsZero() {
			t.Errorf("%v in %+v", err, l)
		}
		ids[l.ID] = true
		switch l.Action {
		case "kick":
			if l.User != "alice" || l.Reason == "" || l.Session == "" || l.TLS {
				t.Errorf("%+v", l)
			}
		case "ban":
			if l.Remote != "127.0.8.1" || l.Reason == "" {
				t.Errorf("%+v", l)
			}
		}
	}
	if text := read(t, file); strings.Contains(text, "secret") || strings.Contains(text, "very wrong") {
		t.Errorf("a password:\n%s", text)
	}
}
