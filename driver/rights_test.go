package driver_test

import (
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

// rule is a path rule; rights "" leaves them as they are.
func rule(pattern, rights string, hidden bool) auth.PathRule {
	r := auth.PathRule{Pattern: pattern, Hidden: hidden}
	if rights == "none" {
		r.Permissions = new(auth.Permissions(0))
	} else if rights != "" {
		p, err := auth.ParsePermissions(rights)
		if err != nil {
			panic(err)
		}
		r.Permissions = &p
	}
	return r
}

func (w *world) loginWithRules(rules ...auth.PathRule) *session {
	w.t.Helper()
	return w.login("alice", func(_ *driver.Deps, u *auth.User) { u.Paths = rules })
}

// Each operation asks for the rights at its path, not for those at home.
func TestRightsAtPaths(t *testing.T) {
	w := newWorld(t)
	for i, right := range []auth.Permissions{0, auth.ReadOnly, auth.UploadOnly, auth.ReadWrite, auth.ReadWrite &^ auth.Rename} {
		for _, deed := range deeds() {
			if strings.HasPrefix(deed.name, "NLST") || strings.HasPrefix(deed.name, "MLSD") {
				continue // these are of the home directory
			}
			for key := range w.objects() {
				s := w.login("alice", nil)
				s.must(w.bucket.Delete(t.Context(), key))
			}
			s := w.login("alice", func(_ *driver.Deps, u *auth.User) {
				u.Permissions = auth.ReadWrite
				u.Paths = []auth.PathRule{{Pattern: "/*", Permissions: &right}}
			})
			for _, key := range []string{"alice/other", "alice/dir/"} {
				s.plant(key, "")
			}
			s.plant("alice/file", "content")
			before := w.objects()
			err := deed.try(s)
			if right.Has(deed.needs) && (!deed.any || right&^auth.UploadOnly != 0) {
				s.must(err)
			} else {
				s.mustFail(550, err)
				s.unchanged(before)
			}
		}
		t.Logf("rights %d: %s", i, right)
	}
}

// A rename needs the right at both ends, and takes nothing along that has rules of its own.
func TestRenameBetweenRights(t *testing.T) {
	s := newWorld(t).loginWithRules(rule("/frozen", "ro", false), rule("/d/keep", "ro", false), rule("/h/secret", "", true))
	for _, key := range []string{"a", "frozen/b", "d/x", "d/keep/y", "h/z", "h/secret/w", "free/f"} {
		s.plant("alice/"+key, key)
	}
	before := s.objects()
	s.mustFail(550, s.rename("a", "frozen/a"))
	s.mustFail(550, s.rename("frozen/b", "b"))
	s.mustFail(550, s.rename("frozen", "thawed"))
	s.mustFail(550, s.rename("d", "e"))
	s.mustFail(550, s.rename("h", "i"))
	s.mustFail(550, s.rename("free", "frozen/free"))
	s.unchanged(before)
	s.must(s.rename("free", "liberty"))
}

// What is hidden is not there, for any command, and cannot be made.
func TestHidden(t *testing.T) {
	s := newWorld(t).loginWithRules(rule("/secret", "", true), rule("/**/.git", "", true), rule("/secret/open", "rw", false))
	for _, key := range []string{"a", "secret/b", "secret/open/c", "p/.git/config", "p/q/.git", "p/file"} {
		s.plant("alice/"+key, key)
	}
	s.isDir("/", "a", "p/")
	s.isDir("p", "file", "q/")
	s.isDir("p/q")
	before := s.objects()
	second := func(_ any, err error) error { return err }
	for _, p := range []string{"/secret", "/secret/b", "/secret/new", "/secret/open", "/p/.git", "/p/.git/config", "/new/.git"} {
		for name, err := range map[string]error{
			"CWD": s.cwd(p), "SIZE": second(s.size(p)), "MLST": second(s.stat("MLST", p)), "LIST": second(s.list("LIST", p)),
			"RETR": second(s.retr(p)), "STOR": s.stor(p, "x"), "APPE": s.appe(p, "x"), "DELE": s.dele(p), "MKD": s.mkd(p),
			"RMD": s.rmd(p), "RNFR": s.rnfr(p), "RNTO": s.rename("/a", p), "MFMT": s.mfmt(p, someTime()),
			"HASH": second(s.hash(p, driver.MD5, 0, 1)), "LIST pattern": second(s.list("LIST", p+"*")),
		} {
			if err == nil {
				t.Errorf("%s %s: no error", name, p)
				continue
			}
			s.mustFail(550, err)
			if !strings.Contains(err.Error(), "No such file") {
				t.Errorf("%s %s: %v", name, p, err)
			}
		}
	}
	s.unchanged(before)
	for _, p := range []string{"*", "*/*", "p/*/*"} {
		entries, err := s.list("LIST", p)
		if err != nil && p != "p/*/*" {
			t.Errorf("LIST %s: %v", p, err)
		}
		for _, e := range entries {
			if strings.Contains(e.Name(), "secret") || strings.Contains(e.Name(), ".git") {
				t.Errorf("LIST %s shows %s", p, e.Name())
			}
		}
	}
}

// Listings tell what may be done with each entry.
func TestRightsOfEntries(t *testing.T) {
	s := newWorld(t).loginWithRules(rule("/in", "upload-only", false), rule("/pub", "ro", false))
	s.plant("alice/in/x", "")
	s.plant("alice/pub/y", "")
	s.plant("alice/z", "")
	entries, err := s.list("MLSD", "/")
	s.must(err)
	want := map[string]auth.Permissions{"in": auth.UploadOnly, "pub": auth.ReadOnly, "z": auth.ReadWrite}
	for _, e := range entries {
		if e.May() != want[e.Name()] {
			t.Errorf("%s: %s, want %s", e.Name(), e.May(), want[e.Name()])
		}
	}
	_, err = s.list("LIST", "/in")
	s.mustFail(550, err)
	entries, err = s.list("LIST", "/*/*")
	s.must(err)
	if len(entries) != 1 || entries[0].Name() != "pub/y" {
		t.Errorf("a pattern sees %v", entries)
	}
}

// Who may only upload sees nothing but what he is uploading, and can go on with that.
func TestDropBox(t *testing.T) {
	s := newWorld(t).login("alice", func(d *driver.Deps, u *auth.User) {
		s3Parts(d, u)
		u.Permissions = auth.UploadOnly
	})
	s.plant("alice/file", "x")
	_, err := s.size("file")
	s.mustFail(550, err)
	_, err = s.size("missing")
	s.mustFail(550, err)
	data := content(3 * store.MinPartSize)
	s.breakOff("large", 2)
	size, err := s.size("large")
	s.must(err)
	if size != 2*store.MinPartSize {
		t.Errorf("SIZE %d", size)
	}
	s.must(s.rest(size).stor("large", data[size:]))
	if got := s.objects()["alice/large"]; got != data {
		t.Errorf("stored %s", short(got))
	}
	_, err = s.size("large")
	s.mustFail(550, err)
	s.mustFail(550, s.appe("large", "x"))
	s.mustFail(550, s.stor("large", "x"))
}

func TestMaxFileSize(t *testing.T) {
	s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.MaxFileSize = 3 * partSize })
	s.put("full", content(3*partSize))
	s.put("old", "old content")
	before := s.objects()
	s.mustFail(552, s.driver.Allocate(3*partSize+1))
	s.mustFail(552, s.rest(3*partSize+1).stor("full", ""))
	s.mustFail(552, s.appe("full", "x"))
	s.mustFail(552, s.stor("old", content(3*partSize+1)))
	for _, p := range []string{"old", "new", "full"} {
		data := &endless{}
		s.mustFail(552, s.storFrom(p, data))
		if data.sent > 5*partSize {
			t.Errorf("%d bytes were read", data.sent)
		}
	}
	s.unchanged(before)
	s.must(s.driver.Allocate(3 * partSize))
	s.put("old", content(3*partSize))
	s.must(s.rest(partSize).stor("old", content(2*partSize)))
}

func TestNamePatterns(t *testing.T) {
	s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) {
		u.AllowedNames, u.DeniedNames = []string{"*.csv", "dir*"}, []string{"*secret*"}
	})
	s.plant("alice/old.exe", "x")
	s.put("A.CSV", "x")
	s.must(s.mkd("dir1"))
	before := s.objects()
	s.mustFail(553, s.stor("a.exe", "x"))
	s.mustFail(553, s.stor("Secret.csv", "x"))
	s.mustFail(553, s.appe("old.exe", "x"))
	s.mustFail(553, s.mkd("other"))
	s.mustFail(553, s.rename("A.CSV", "a.exe"))
	s.mustFail(553, s.rename("dir1", "other"))
	s.unchanged(before)
	s.isDir("/", "A.CSV", "dir1/", "old.exe")
	s.holds("old.exe", "x")
	s.must(s.rename("old.exe", "new.csv"))
	s.plant("alice/old.exe", "x")
	s.must(s.dele("old.exe"))
}

// A changed account holds from the next command on.
func TestRefresh(t *testing.T) {
	s := newSession(t)
	s.put("a", "x")
	changed := s.user
	changed.Permissions = auth.ReadOnly
	changed.DownloadRate = 1 << 30
	if !s.driver.Refresh(&changed) {
		t.Fatal("not refreshed")
	}
	s.mustFail(550, s.stor("a", "y"))
	s.holds("a", "x")
	changed.Permissions = auth.ReadWrite
	s.driver.Refresh(&changed)
	s.must(s.stor("a", "y"))
	changed.Prefix = "elsewhere/"
	changed.Permissions = 0
	if s.driver.Refresh(&changed) {
		t.Error("the files are elsewhere, and the session goes on")
	}
	s.must(s.stor("a", "z"))
}
