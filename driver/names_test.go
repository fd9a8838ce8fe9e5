package driver_test

import (
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/encoding"
)

// wireNames are file names as clients may send them, all different.
func wireNames() []string {
	return []string{
		"plain.txt", " leading", "trailing ", "  ", "two  spaces", "tab\there",
		`"quoted"`, "it's", "%41", "%2F", "100%", "a+b", "#hash", "what?", "*", "[a-z]", "{x}", `back\slash`,
		"~", "~root", "-la", "--", "$HOME", "`id`", "a;b", "a&b", "a|b", "<a>", "a:b", "a=b", "=E9", "=xE9", "=u4E2D",
		".hidden", "..two", "...", "a.", "CON", "x\x7f", "x\x1b[31m",
		"\u00e9t\u00e9", "e\u0301te\u0301", // NFC and NFD
		"中文名", "日本語", "한국어", "кириллица", "عربي", "ไทย", "😀🎉", "👨\u200d👩\u200d👧", "\ufeffbom", "a\u2028b",
		strings.Repeat("a", 255), strings.Repeat("中", 85),
	}
}

func TestNames(t *testing.T) {
	s := newSession(t)
	for _, dir := range []string{"/", "/中 文"} {
		if dir != "/" {
			s.must(s.mkd(dir))
		}
		s.must(s.cwd(dir))
		for _, name := range wireNames() {
			s.roundTrip(name)
		}
	}
}

// roundTrip does with a name in the working directory all that one can do with a name.
func (s *session) roundTrip(name string) {
	s.t.Helper()
	s.put(name, "content of "+name)
	s.holds(name, "content of "+name)
	if size, err := s.size(name); err != nil || int(size) != len("content of "+name) {
		s.t.Errorf("SIZE %q: %d, %v", name, size, err)
	}
	s.lists(name)
	s.must(s.mfmt(name, someTime()))
	s.hasTime(name, someTime())
	s.must(s.rename(name, "other"))
	s.missing(name)
	s.must(s.rename("other", name))
	s.holds(name, "content of "+name)
	s.must(s.dele(name))
	s.missing(name)
	s.must(s.mkd(name))
	s.lists(name)
	s.must(s.rmd(name))
	s.missing(name)
}

// lists checks that the working directory shows a name, byte by byte, once.
func (s *session) lists(name string) {
	s.t.Helper()
	entries, err := s.list("LIST", "")
	s.must(err)
	found := 0
	for _, e := range entries {
		if e.Name() == name {
			found++
		}
	}
	if found != 1 {
		s.t.Errorf("%q is listed %d times", name, found)
	}
}

// Names that are alike stay apart.
func TestNamesTogether(t *testing.T) {
	s := newSession(t)
	for _, name := range wireNames() {
		s.put(name, name)
	}
	other := s.login("alice", nil)
	for _, name := range wireNames() {
		other.holds(name, name)
		other.lists(name)
	}
	if n := len(s.objects()); n != len(wireNames()) {
		t.Errorf("%d objects of %d names", n, len(wireNames()))
	}
}

// What a client stores under some bytes it finds under the same bytes, whatever charset
// they are, and keys are UTF-8.
func TestNamesInOtherCharsets(t *testing.T) {
	for name, c := range map[string]struct{ charset, wire, key string }{
		"GB18030":        {"GB18030", "\xd6\xd0\xce\xc4.txt", "alice/中文.txt"},
		"ISO-8859-1":     {"ISO-8859-1", "\xe9t\xe9", "alice/été"},
		"not UTF-8":      {"UTF-8", "\xff\xfe.txt", "alice/=xFF=xFE.txt"},
		"Shift_JIS":      {"Shift_JIS", "\x95\x5c\x8e\xa6.txt", "alice/表示.txt"}, // 5C is a backslash
		"EUC-KR":         {"EUC-KR", "\xc7\xd1\xb1\xdb", "alice/한글"},
		"windows-1251":   {"windows-1251", "\xf4\xe0\xe9\xeb", "alice/файл"},
		"escape by name": {"ISO-8859-1", "=u4E2D", "alice/中"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t).login("alice", func(d *driver.Deps, _ *auth.User) {
				d.Names = encoding.NewDetector(encoding.Hints{Account: c.charset})
			})
			s.put(c.wire, "x")
			if _, ok := s.objects()[c.key]; !ok {
				t.Errorf("objects %q, want %q", s.objects(), c.key)
			}
			s.must(s.dele(c.wire))
			s.roundTrip(c.wire)
		})
	}
}

func TestNamesRefused(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("file", "x")
	before := s.objects()
	s.requests.take()
	for _, name := range []string{
		strings.Repeat("a", 256), strings.Repeat("中", 85) + "x", "dir/" + strings.Repeat("b", 256), strings.Repeat("c", 256) + "/x",
		"nul\x00", "cr\r", "lf\n", "crlf\r\nDELE file", "dir/\x00/x",
		strings.Repeat("deep/", 300) + "x",
	} {
		s.mustFail(553, s.stor(name, "x"))
		s.mustFail(553, s.appe(name, "x"))
		s.mustFail(550, s.mkd(name))
		s.mustFail(553, s.rnto("file", name))
		s.mustFail(553, s.rnto("dir", name))
		s.mustFail(550, s.dele(name))
		s.mustFail(550, s.cwd(name))
		_, err := s.list("LIST", name)
		s.mustFail(550, err)
	}
	if seen := s.requests.take(); len(seen) > 0 { // stores differ in what they refuse
		t.Errorf("requests %v", seen)
	}
	s.unchanged(before)
}

// A key may have 1,023 bytes: a directory's marker needs one more.
func TestLongestPath(t *testing.T) {
	s := newSession(t)
	dir := ""
	for _, c := range []string{"a", "b", "c"} {
		dir += "/" + strings.Repeat(c, 255)
		s.must(s.mkd(dir))
	}
	free := 1023 - len("alice") - len(dir) - 1
	s.must(s.cwd(dir))
	s.roundTrip(strings.Repeat("x", free))
	s.mustFail(553, s.stor(strings.Repeat("x", free+1), "x"))
	s.mustFail(550, s.mkd(strings.Repeat("x", free+1)))
}

// Whatever the path, it stays at home.
func TestPathsStayAtHome(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("a"))
	s.must(s.mkd("a/b"))
	for _, c := range []struct{ dir, path, key string }{
		{"/", "f", "alice/f"}, {"/", "./f", "alice/f"}, {"/", "/f", "alice/f"}, {"/", "//f", "alice/f"},
		{"/", "../f", "alice/f"}, {"/", "../../../f", "alice/f"}, {"/", "/../bob/../f", "alice/f"},
		{"/", "a/../../b", "alice/b"}, {"/", "a//f", "alice/a/f"}, {"/", "a/./b/../f", "alice/a/f"},
		{"/a/b", "f", "alice/a/b/f"}, {"/a/b", "../f", "alice/a/f"}, {"/a/b", "../../../f", "alice/f"},
		{"/a/b", "/f", "alice/f"}, {"/a", "b/f", "alice/a/b/f"},
	} {
		s.dir, s.verb = c.dir, "STOR"
		// As the server hands paths over, and as they come in SITE commands.
		for _, path := range []string{s.abs(c.path), c.path} {
			file, err := s.driver.OpenTransfer(s.ctx, path, writing, 0)
			s.must(err)
			_, err = file.Write([]byte("x"))
			s.must(err)
			s.must(file.Close())
			if _, ok := s.objects()[c.key]; !ok {
				t.Errorf("in %s, %q: not stored as %q", c.dir, path, c.key)
			}
			s.must(s.bucket.Delete(t.Context(), c.key))
		}
	}
	for _, home := range []string{"/", ".", "..", "/..", "a/..", "//", "", "a/../.."} {
		s.dir = "/"
		s.mustFail(553, s.stor(home, "x"))
		s.isDir(home, "a/")
	}
}

func TestUsersDoNotSeeEachOther(t *testing.T) {
	w := newWorld(t)
	alice, bob, al := w.login("alice", nil), w.login("bob", nil), w.login("al", nil)
	alice.must(alice.mkd("dir"))
	alice.put("dir/file", "secret")
	before := w.objects()
	for _, s := range []*session{bob, al} {
		s.isDir("/")
		for _, path := range []string{"dir", "dir/file", "../alice/dir/file", "/alice/dir/file", "ice/dir/file"} {
			s.missing(path)
			_, err := s.retr(path)
			s.mustFail(550, err)
			s.mustFail(550, s.dele(path))
			s.mustFail(550, s.rnfr(path))
			s.mustFail(550, s.rmd(path))
		}
	}
	w.unchanged(before)
	bob.put("file", "bob's")
	alice.isDir("/", "dir/")
	root := w.login("root", func(_ *driver.Deps, u *auth.User) { u.Prefix = "" })
	root.isDir("/", "alice/", "bob/")
	root.holds("alice/dir/file", "secret")
}
