package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAuditSinks(t *testing.T) {
	for text, want := range map[string]AuditSink{
		"stdout":                {Kind: AuditStdout},
		"sql":                   {Kind: AuditSQL, Keep: 90 * 24 * time.Hour},
		"sql?keep=7d":           {Kind: AuditSQL, Keep: 7 * 24 * time.Hour},
		"sql?keep=0s":           {Kind: AuditSQL},
		"file:///var/a%2Cb.log": {Kind: AuditFile, Path: "/var/a,b.log"},
		"file:///a?rotate_size=10MiB&rotate_age=24h&keep=14": {
			Kind: AuditFile, Path: "/a", RotateSize: 10 * MiB, RotateAge: 24 * time.Hour, RotateKeep: 14},
		"xferlog:///x?rotate_age=1d":         {Kind: AuditXferlog, Path: "/x", RotateAge: 24 * time.Hour},
		"syslog+udp://[::1]":                 {Kind: AuditSyslog, Transport: "udp", Address: "[::1]:514", Format: "rfc5424"},
		"syslog+udp://h:5/?format=rfc3164":   {Kind: AuditSyslog, Transport: "udp", Address: "h:5", Format: "rfc3164"},
		"syslog+tcp://10.0.0.9?framing=lf":   {Kind: AuditSyslog, Transport: "tcp", Address: "10.0.0.9:514", Format: "rfc5424", Framing: "lf"},
		"syslog+tls://h?ca=/c&cert=/a&key=b": {Kind: AuditSyslog, Transport: "tls", Address: "h:6514", Format: "rfc5424", CA: "/c", Cert: "/a", Key: "b"},
		"syslog+unix:///dev/log":             {Kind: AuditSyslog, Transport: "unix", Path: "/dev/log", Format: "rfc3164"},
	} {
		want.text = text
		got, err := ParseAuditSinks(" " + text + " ")
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s:\n%+v, %v\nwant\n%+v", text, got, err, want)
		}
	}
	two, err := ParseAuditSinks("stdout , sql")
	if err != nil || len(two) != 2 || two.String() != "stdout, sql" {
		t.Errorf("%v, %v", two, err)
	}
	if none, err := ParseAuditSinks(" "); none != nil || err != nil {
		t.Errorf("%v, %v", none, err)
	}
}

func TestAuditSinksThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"file":                           "is no sink",
		"file://relative/path":           "is no sink",
		"file:relative":                  "is no sink",
		"/var/log/audit":                 "is no sink",
		"syslog://h":                     "is no sink",
		"syslog+udp://":                  "is no sink",
		"syslog+udp://:514":              "is no sink",
		"syslog+udp://h/path":            "is no sink",
		"syslog+udp://user@h":            "is no sink",
		"syslog+unix://h/path":           "is no sink",
		"http://h":                       "is no sink",
		"sql://h":                        "is no sink",
		"stdout,":                        "is no sink",
		"stdout?keep=1":                  "there are none",
		"sql?keep=x":                     "is no duration",
		"sql?keep=-1h":                   "below 0",
		"sql?keep=1h&keep=2h":            "twice",
		"file:///a?rotate_size=-1":       "is no size",
		"file:///a?format=rfc5424":       "there are keep, rotate_age, rotate_size",
		"syslog+udp://h?framing=lf":      "there are format",
		"syslog+tcp://h?framing=crlf":    "octets or lf",
		"syslog+tcp://h?format=5424":     "rfc5424 or rfc3164",
		"syslog+tls://h?cert=/a":         "need each other",
		"sql?keep=%zz":                   "name=value",
		"stdout, stdout":                 "twice",
		"file:///a, xferlog:///a?keep=1": "twice",
	} {
		if got, err := ParseAuditSinks(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", text, got, err, want)
		}
	}
}

func TestEveryProblemOfTheSinksIsReported(t *testing.T) {
	_, err := Load("", []string{
		"SPD_DATABASE_DSN=sqlite:///x", "SPD_AUDIT_SINKS=ftp://h, sql?keep=x&size=1, file:///a?keep=-1",
	})
	problems, _ := errors.AsType[Problems](err)
	if len(problems) != 4 {
		t.Fatalf("%v", err)
	}
	for _, p := range problems {
		if p.Key != "audit.sinks" || p.Where != "SPD_AUDIT_SINKS" {
			t.Errorf("%v", p)
		}
	}
	for file, sink := range map[string]string{"-": "stdout", "/a": "xferlog:///a"} {
		_, err := Load("", []string{"SPD_DATABASE_DSN=sqlite:///x", "SPD_AUDIT_FILE=" + file, "SPD_AUDIT_SINKS=" + sink + ", sql"})
		if err == nil || !strings.Contains(err.Error(), "is audit.file, too") {
			t.Errorf("%s and %s: %v", file, sink, err)
		}
	}
}
