package driver_test

import "testing"

func TestRemove(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("dir/file", "x")
	s.put("file", "y")
	s.plant("alice/implied/file", "z")
	before := s.objects()
	for _, path := range []string{"dir", "implied", "/", "missing", "file/below"} {
		s.mustFail(550, s.dele(path))
	}
	s.unchanged(before)

	s.must(s.dele("dir/file"))
	s.missing("dir/file")
	s.isDir("dir")
	s.must(s.dele("file"))
	s.missing("file")
	s.mustFail(550, s.dele("file"))
	s.mustFail(550, s.rnfr("file")) // not remembered
	s.isDir("/", "dir/", "implied/")
}
