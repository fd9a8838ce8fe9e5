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
		code, text := s.site(c.param)
		if code != c.code || text == "" || strings.ContainsAny(text, "\r\n") {
			t.Errorf("SITE %q: %d %s, want %d", c.param, code, text, c.code)
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
		if code, text := s.site(c.param); code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("SITE %s: %d %s, want %d %s", c.param, code, text, c.code, c.text)
		}
	}
	s.put("\xd6\xd0", "x")
	s.unchanged(map[string]string{"alice/中": "x"})
	s.isDir("/", "\xd6\xd0")
}

func TestSiteCharsetAuto(t *testing.T) {
	s := newSession(t)
	for _, param := range []string{"CHARSET windows-1252", "CHARSET auto"} {
		_, err := s.driver.Site(param)
		s.must(err)
	}
	s.put(cyrillic, "x")
	s.unchanged(map[string]string{"alice/Новая папка": "x"})
	if text, err := s.driver.Site("CHARSET"); err != nil || !strings.Contains(text, "seem to be in windows-1251 (99") {
		t.Error(text, err)
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
		if _, err := s.driver.Site(c.param); err != nil {
			t.Errorf("SITE %s: %v", c.param, err)
		}
		s.hasTime(c.file, c.want)
		s.must(s.dele(c.file))
	}
	s.must(s.mkd("sub"))
	_, err := s.driver.Site("UTIME 20010203040506 sub")
	s.must(err)
	s.hasTime("sub", someTime())
}

func TestSiteUtimeNeedsPermission(t *testing.T) {
	s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.Permissions = auth.ReadOnly })
	s.plant("alice/a", "x")
	_, err := s.driver.Site("UTIME 20010203040506 a")
	s.mustFail(550, err)
	s.isNew("a")
}
