package driver_test

import (
	"os"
	"testing"
	"time"
)

// A path that ends in a slash, or in "/.", is a directory's, as POSIX has it.
func TestTrailingSlash(t *testing.T) {
	s := newSession(t)
	s.put("file", "x")
	s.must(s.mkd("dir/"))
	before := s.objects()
	for _, name := range []string{"/file/", "/file//", "/dir/../file/", "/file/.", "/file/./"} {
		for _, verb := range []string{"SIZE", "MDTM", "CWD", "RNFR"} {
			s.verb = verb
			_, err := s.driver.Stat(name)
			s.mustFail(550, err)
		}
		for verb, code := range map[string]int{"RETR": 550, "STOR": 553, "APPE": 553} {
			s.verb = verb
			_, err := s.driver.OpenTransfer(s.ctx, name, flagsOf(verb), 0)
			s.mustFail(code, err)
		}
		s.verb = "RNTO"
		s.mustFail(550, s.driver.Remove(name))
		s.mustFail(550, s.driver.Mkdir(name))
		s.mustFail(550, s.driver.RemoveDir(name))
		s.mustFail(550, s.driver.SetTime(name, time.Now()))
		s.mustFail(553, s.driver.Rename("/file", "/new/"))
	}
	s.mustFail(550, s.driver.Remove("/dir/"))
	s.unchanged(before)
	s.must(s.driver.SetTime("/dir/", time.Now()))
	s.must(s.driver.SetTime("/dir/.", time.Now()))
	s.must(s.driver.Rename("/dir/", "/dir"))
	s.must(s.driver.Rename("/dir/", "/other/"))
	s.must(s.driver.RemoveDir("/other/"))
}

func flagsOf(verb string) int {
	switch verb {
	case "STOR":
		return os.O_WRONLY | os.O_CREATE
	case "APPE":
		return os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	return os.O_RDONLY
}
