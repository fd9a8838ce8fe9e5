package driver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

func TestSite(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.must(s.cwd("dir"))
	for _, c := range []struct {
		param string
		code  int
	}{
		{"HELP", 500},
		{"CHMOD 644 file", 502}, {"chmod", 502}, {"CHOWN me file", 502}, {"CHGRP us file", 502}, {"UMASK 022", 502},
		{"SYMLINK a b", 502},
		{"", 500}, {"RMDIR /dir", 500}, {"MKDIR x", 500}, {"EXEC rm -rf /", 500},
		{"UTIME", 501}, {"UTIME 20010203040506", 501}, {"UTIME file", 501}, {"UTIME 2001 file", 501},
		{"UTIME 20011303040506 file", 501}, {"UTIME 2001020304050 file", 501}, {"UTIME 20010203040506.5 file", 501},
		{"UTIME file 20010203040506 20010203040506 20010203040506", 501},
		{"UTIME file 20010203040506 x 20010203040506 UTC", 501},
		{"UTIME 20010203040506 missing", 550},
		{"UTIME missing 20010203040506 20010203040506 20010203040506 UTC", 550},
		{"UTIME 20010203040506 a\x00b", 550},
	} {
		answer := s.driver.Site(c.param)
		if answer == nil || answer.Code != c.code || answer.Message == "" || strings.ContainsAny(answer.Message, "\x01\r\n") {
			t.Errorf("SITE %q: %+v, want %d", c.param, answer, c.code)
		}
	}
	s.isDir("/", "dir/")
}

func TestSiteCharset(t *testing.T) {
	s := newSession(t)
	for _, c := range []struct {
		param string
		code  int
		text  string
	}{
		{"CHARSET", 200, "taken for UTF-8"}, {"CHARSET AUTO", 200, "taken for UTF-8"}, {"CHARSET KLINGON", 501, "GB18030"},
		{"CHARSET gb18030", 200, "are in GB18030"}, {"CHARSET", 200, "are in GB18030"},
	} {
		if answer := s.driver.Site(c.param); answer.Code != c.code || !strings.Contains(answer.Message, c.text) {
			t.Errorf("SITE %s: %+v, want %d %s", c.param, answer, c.code, c.text)
		}
	}
	s.put("\xd6\xd0", "x")
	s.unchanged(map[string]string{"alice/中": "x"})
	s.isDir("/", "\xd6\xd0")
}

func TestSiteCharsetAuto(t *testing.T) {
	s := newSession(t)
	s.driver.Site("CHARSET windows-1252")
	if answer := s.driver.Site("CHARSET auto"); answer.Code != 200 {
		t.Error(answer)
	}
	s.put(cyrillic, "x")
	s.unchanged(map[string]string{"alice/Новая папка": "x"})
	if answer := s.driver.Site("CHARSET"); !strings.Contains(answer.Message, "seem to be in windows-1251 (99") {
		t.Error(answer)
	}
}

func TestSiteUtime(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.must(s.cwd("dir"))
	for _, c := range []struct {
		file, param string
		want        time.Time
	}{
		{"a", "UTIME 20010203040506 a", someTime()},
		{"a", "utime 200102030405 a", someTime().Truncate(time.Minute)},
		{"a", "UTIME 20010203040506 /dir/a", someTime()},
		{"b c  d", "UTIME 20010203040506 b c  d", someTime()},
		{"e", "UTIME e 19990101000000 20010203040506 19980101000000 UTC", someTime()},
		{"f g", "UTIME f g 19990101000000 20010203040506 19980101000000 utc", someTime()},
		{"20010203040506", "UTIME 20020203040506 20010203040506", someTime().AddDate(1, 0, 0)},
	} {
		s.put(c.file, "x")
		if answer := s.driver.Site(c.param); answer.Code != 200 {
			t.Errorf("SITE %s: %+v", c.param, answer)
		}
		s.hasTime(c.file, c.want)
		s.must(s.dele(c.file))
	}
	s.must(s.mkd("sub"))
	if answer := s.driver.Site("UTIME 20010203040506 sub"); answer.Code != 200 {
		t.Errorf("of a directory: %+v", answer)
	}
	s.hasTime("sub", someTime())
}

func TestSiteUtimeNeedsPermission(t *testing.T) {
	s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.Permissions = auth.ReadOnly })
	s.plant("alice/a", "x")
	if answer := s.driver.Site("UTIME 20010203040506 a"); answer.Code != 550 {
		t.Errorf("%+v", answer)
	}
	s.isNew("a")
}
