package driver_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

// deed is something a user may want to do, and the rights that it takes.
type deed struct {
	name  string
	needs auth.Permissions
	try   func(*session) error
	any   bool // any right but those of a mailbox will do
}

func deeds() []deed {
	second := func(_ any, err error) error { return err }
	return []deed{
		{name: "CWD", try: func(s *session) error { return s.cwd("/dir") }},
		{name: "SIZE", any: true, try: func(s *session) error { return second(s.size("/file")) }},
		{name: "MDTM", any: true, try: func(s *session) error { return second(s.mdtm("/file")) }},
		{name: "MLST", any: true, try: func(s *session) error { return second(s.stat("MLST", "/file")) }},
		{name: "LIST", needs: auth.List, try: func(s *session) error { return second(s.list("LIST", "/dir")) }},
		{name: "LIST file", needs: auth.List, try: func(s *session) error { return second(s.list("LIST", "/file")) }},
		{name: "NLST", needs: auth.List, try: func(s *session) error { return second(s.list("NLST", "/")) }},
		{name: "MLSD", needs: auth.List, try: func(s *session) error { return second(s.list("MLSD", "/")) }},
		{name: "RETR", needs: auth.Download, try: func(s *session) error { return second(s.retr("/file")) }},
		{name: "HASH", needs: auth.Download, try: func(s *session) error { return second(s.hash("/file", driver.MD5, 0, 1)) }},
		{name: "STOR", needs: auth.Upload, try: func(s *session) error { return s.stor("/new", "x") }},
		{name: "STOR over", needs: auth.Upload | auth.Overwrite, try: func(s *session) error { return s.stor("/file", "x") }},
		{name: "STOR over, large", needs: auth.Upload | auth.Overwrite, try: func(s *session) error { return s.stor("/file", content(2*partSize)) }},
		{name: "APPE", needs: auth.Append, try: func(s *session) error { return s.appe("/file", "x") }},
		{name: "APPE new", needs: auth.Append | auth.Upload, try: func(s *session) error { return s.appe("/new", "x") }},
		{name: "REST", needs: auth.Append, try: func(s *session) error { return s.rest(1).stor("/file", "x") }},
		{name: "DELE", needs: auth.Delete, try: func(s *session) error { return s.dele("/file") }},
		{name: "RNTO", needs: auth.Rename, try: func(s *session) error { return s.rename("/file", "/new") }},
		{name: "RNTO over", needs: auth.Rename | auth.Overwrite, try: func(s *session) error { return s.rename("/file", "/other") }},
		{name: "RNTO directory", needs: auth.Rename, try: func(s *session) error { return s.rename("/dir", "/new") }},
		{name: "MKD", needs: auth.Mkdir, try: func(s *session) error { return s.mkd("/new") }},
		{name: "RMD", needs: auth.Rmdir, try: func(s *session) error { return s.rmd("/dir") }},
		{name: "MFMT", needs: auth.Times, try: func(s *session) error { return s.mfmt("/file", someTime()) }},
	}
}

// Each right alone, and each set of them that has a name, allows what it is for and
// nothing else.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	sets := []auth.Permissions{0, auth.ReadOnly, auth.UploadOnly, auth.ReadWrite,
		auth.Upload | auth.Overwrite, auth.Rename | auth.Overwrite, auth.Append | auth.Upload}
	for right := auth.List; right <= auth.Times; right <<= 1 {
		sets = append(sets, right, auth.ReadWrite&^right)
	}
	for i, rights := range sets {
		user := fmt.Sprint("user", i)
		for _, deed := range deeds() {
			s := w.login(user, func(_ *driver.Deps, u *auth.User) { u.Permissions = rights })
			for key := range w.objects() {
				s.must(w.bucket.Delete(t.Context(), key))
			}
			for _, key := range []string{"file", "other", "dir/"} {
				s.plant(user+"/"+key, "")
			}
			s.plant(user+"/file", "content")
			before := w.objects()
			err := deed.try(s)
			switch allowed := rights.Has(deed.needs) && (!deed.any || rights&^auth.UploadOnly != 0); {
			case allowed && err != nil:
				t.Errorf("with %q: %s: %v", rights, deed.name, err)
			case !allowed && !errors.Is(err, fs.ErrPermission):
				t.Errorf("with %q: %s: %v, want ErrPermission", rights, deed.name, err)
			case !allowed:
				s.mustFail(550, err)
				s.unchanged(before)
			}
		}
	}
}

// Every operation is reported once, when it has ended, in the user's terms.
func TestReport(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("dir/a", "12345")
	s.must(s.appe("dir/a", "67"))
	_, err := s.rest(3).retr("dir/a")
	s.must(err)
	s.isDir("dir", "a")
	s.isDir("dir/a", "a")
	s.must(s.rename("dir/a", "b"))
	s.must(s.mfmt("b", someTime()))
	s.must(s.dele("b"))
	s.must(s.rmd("dir"))
	s.must(s.driver.Allocate(5))
	s.mustFail(426, s.stor("c", "123"))
	s.mustFail(553, s.stor("a\x00b", "123"))
	s.mustFail(550, s.dele("missing"))
	_, err = s.list("NLST", "missing")
	s.mustFail(550, err)

	want := []driver.Operation{
		{Verb: "MKD", Path: "/dir"},
		{Verb: "STOR", Path: "/dir/a", Bytes: 5},
		{Verb: "APPE", Path: "/dir/a", Bytes: 2},
		{Verb: "RETR", Path: "/dir/a", Bytes: 4},
		{Verb: "LIST", Path: "/dir"},
		{Verb: "LIST", Path: "/dir/a"},
		{Verb: "RNFR", Path: "/dir/a"},
		{Verb: "RNTO", Path: "/dir/a", Target: "/b"},
		{Verb: "MFMT", Path: "/b"},
		{Verb: "DELE", Path: "/b"},
		{Verb: "RMD", Path: "/dir"},
		{Verb: "ALLO", Path: "/"},
		{Verb: "STOR", Path: "/c", Bytes: 3, Err: cmpopts.AnyError, Told: "Fewer bytes arrived than ALLO announced; nothing was stored"},
		{Verb: "STOR", Err: cmpopts.AnyError, Told: "Name not allowed: control characters in the name"},
		{Verb: "DELE", Path: "/missing", Err: cmpopts.AnyError, Told: "No such file or directory"},
		{Verb: "NLST", Path: "/missing", Err: cmpopts.AnyError, Told: "No such file or directory"},
	}
	ignore := cmpopts.IgnoreFields(driver.Operation{}, "Started", "Duration")
	if diff := cmp.Diff(want, s.done, ignore, cmpopts.EquateErrors()); diff != "" {
		t.Error(diff)
	}
	for _, op := range s.done {
		if op.Started.IsZero() || time.Since(op.Started) > time.Minute || op.Duration <= 0 {
			t.Errorf("%s began %v and took %v", op.Verb, op.Started, op.Duration)
		}
	}
}

// The session tells a file of every error as one of the data connection.
func TestReportTellsTheFirstError(t *testing.T) {
	s := newSession(t)
	s.fail("PutPart", "", store.ErrFull)
	s.mustFail(452, s.stor("file", content(4*partSize)))
	if op := s.done[0]; !errors.Is(op.Err, store.ErrFull) || strings.Contains(op.Err.Error(), "data connection") {
		t.Errorf("reported: %v", op.Err)
	}
}

func TestWait(t *testing.T) {
	s := newSession(t)
	s.verb = "STOR"
	file, err := s.driver.OpenTransfer(s.ctx, "/file", writing, 0)
	s.must(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.driver.Wait()
	}()
	select {
	case <-ended:
		t.Error("Wait returned during a transfer")
	default:
	}
	s.must(file.Close())
	<-ended
}
