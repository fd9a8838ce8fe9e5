package driver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
	"github.com/spdscheme/spdserver/upload"
)

// edges are the sizes at which an upload changes its ways.
func edges() []int {
	sizes := []int{0, 1}
	for _, edge := range []int{buffer.SmallBlock, partSize, 2 * partSize} {
		sizes = append(sizes, edge-1, edge, edge+1)
	}
	return sizes
}

// Not a byte is lost or doubled around the size of any block or part.
func TestSizesAroundEdges(t *testing.T) {
	s := newSession(t)
	data := content(5 * partSize)
	for _, size := range edges() {
		s.put("file", data[:size])
		s.holds("file", data[:size])
		for _, more := range edges() {
			s.plant("alice/file", data[:size])
			s.must(s.appe("file", data[size:size+more]))
			s.holds("file", data[:size+more])
		}
		for _, restart := range edges() {
			if restart > size {
				break
			}
			s.plant("alice/file", data[:size])
			s.must(s.rest(int64(restart)).stor("file", data[2*partSize:2*partSize+size]))
			s.holds("file", data[:restart]+data[2*partSize:2*partSize+size])
			if got, err := s.rest(int64(restart)).retr("file"); err != nil || got != data[2*partSize:2*partSize+size] {
				t.Errorf("REST %d, RETR: %d bytes, %v; want %d", restart, len(got), err, size)
			}
		}
	}
	s.noUploads()
}

// breakOff interrupts an upload of which n parts of the least size are stored, and half a
// one more is not.
func (s *session) breakOff(p string, n int) {
	s.t.Helper()
	s.mustFail(426, s.storFrom(p, interrupted(content(n*store.MinPartSize+partSize/2), errors.New("connection reset"))))
}

// withS3Parts is a session whose parts are as large as S3 wants them.
func withS3Parts(t *testing.T) *session {
	t.Helper()
	return newWorld(t).login("alice", s3Parts)
}

func s3Parts(d *driver.Deps, _ *auth.User) { d.PartSize = store.MinPartSize }

func TestResumeAroundEdges(t *testing.T) {
	const part = store.MinPartSize
	s := withS3Parts(t)
	data := content(3*part + 1)
	for _, size := range []int{part - 1, part, part + 1, 2*part - 1, 2 * part, 2*part + 1} {
		durable := size / part * part
		for _, total := range []int{size, 2 * part, 3*part + 1} {
			if total < durable {
				continue
			}
			s.mustFail(426, s.storFrom("file", interrupted(data[:size], errors.New("connection reset"))))
			got, err := s.size("file")
			if durable == 0 {
				s.mustFail(550, err)
				s.noUploads()
				continue
			}
			if err != nil || got != int64(durable) {
				t.Fatalf("%d bytes sent, SIZE %d, %v; want %d", size, got, err, durable)
			}
			s.must(s.rest(got).stor("file", data[durable:total]))
			s.holds("file", data[:total])
			s.noUploads()
			s.must(s.dele("file"))
		}
	}
}

// Clients announce the whole file even when they send only the rest, as lftp does.
func TestAllocateAndResume(t *testing.T) {
	const part = store.MinPartSize
	s := withS3Parts(t)
	data := content(2*part + 5)
	for _, resume := range map[string]func(rest string) error{
		"REST": func(rest string) error { return s.rest(int64(len(data)-len(rest))).stor("file", rest) },
		"APPE": func(rest string) error { return s.appe("file", rest) },
	} {
		for _, announced := range []int{len(data), len(data) - part} {
			s.breakOff("file", 1)
			s.must(s.driver.Allocate(int64(announced)))
			s.must(resume(data[part:]))
			s.holds("file", data)
		}
		s.breakOff("file", 1)
		s.must(s.driver.Allocate(int64(len(data)) + 1))
		s.mustFail(426, resume(data[part:]))
		s.holds("file", data) // the one before
		s.must(s.driver.Allocate(int64(len(data))))
		s.must(s.rest(2*part).stor("file", data[2*part:]))
		s.holds("file", data)
		s.noUploads()
		s.must(s.dele("file"))
	}
	s.put("file", data[:100])
	s.must(s.driver.Allocate(int64(len(data))))
	s.must(s.rest(100).stor("file", data[100:]))
	s.holds("file", data)
	s.must(s.driver.Allocate(int64(len(data))))
	s.mustFail(426, s.rest(100).stor("file", data[100:200]))
	s.holds("file", data)
}

// An upload that is refused at once takes what ALLO announced for it along.
func TestAllocateForRefusedUpload(t *testing.T) {
	s := newSession(t)
	for _, refused := range []func() error{
		func() error { return s.stor("/", "x") },
		func() error { return s.rest(-1).stor("file", "x") },
		func() error { return s.rest(5).stor("file", "x") },
	} {
		s.must(s.driver.Allocate(100))
		if refused() == nil {
			t.Fatal("not refused")
		}
		s.put("file", "x")
		s.must(s.dele("file"))
	}
}

func TestRestartPointsOutOfReach(t *testing.T) {
	s := newSession(t)
	s.put("file", "hello")
	for _, offset := range []int64{6, math.MaxInt32, math.MaxInt64 - 1, math.MaxInt64} {
		s.mustFail(554, s.rest(offset).stor("file", "x"))
		_, err := s.rest(offset).retr("file")
		s.mustFail(554, err)
		s.mustFail(550, s.rest(offset).stor("missing", "x"))
	}
	s.holds("file", "hello")
	if got, err := s.rest(5).retr("file"); err != nil || got != "" {
		t.Errorf("the rest of a file from its end: %q, %v", got, err)
	}
}

// A restart point is one of what SIZE shows: of the upload that broke off, never of the
// file that it replaces.
func TestRestNeverMixesOldAndNew(t *testing.T) {
	const part = store.MinPartSize
	s := withS3Parts(t)
	old := strings.Repeat("o", 3*part)
	data := content(2 * part)
	s.plant("alice/file", old)
	s.breakOff("file", 1)
	for _, offset := range []int64{1, part - 1, part + 1, part + partSize/2, 3 * part} {
		err := s.rest(offset).stor("file", "x")
		s.mustFail(554, err)
		if err != nil && !strings.Contains(err.Error(), fmt.Sprint("REST ", part)) {
			t.Errorf("REST %d: %v does not say where", offset, err)
		}
		s.holds("file", old)
	}
	s.must(s.rest(part).stor("file", data[part:]))
	s.holds("file", data)
	s.noUploads()
}

// What happens to the name or its directory meanwhile harms neither the upload nor them.
func TestNameChangesMeanwhile(t *testing.T) {
	const part = store.MinPartSize
	data := content(2 * part)
	for name, test := range map[string]struct {
		meanwhile func(*session)
		code      int // 0: it is stored
	}{
		"replaced":          {func(s *session) { s.plant("alice/dir/file", "of another") }, 0},
		"deleted":           {func(s *session) { s.must(s.bucket.Delete(s.t.Context(), "alice/dir/file")) }, 0},
		"now a directory":   {func(s *session) { s.plant("alice/dir/file/below", "x") }, 553},
		"directory deleted": {func(s *session) { s.must(s.bucket.Delete(s.t.Context(), "alice/dir/")) }, 553},
	} {
		t.Run(name, func(t *testing.T) {
			s := withS3Parts(t)
			s.must(s.mkd("dir"))
			s.breakOff("dir/file", 1)
			s.plant("alice/dir/other", "x")
			if name == "directory deleted" {
				s.must(s.bucket.Delete(t.Context(), "alice/dir/other"))
			}
			test.meanwhile(s)
			again := s.login("alice", s3Parts) // a session that remembers nothing
			before := s.objects()
			err := again.rest(part).stor("dir/file", data[part:])
			if test.code != 0 {
				again.mustFail(test.code, err)
				again.unchanged(before)
				return
			}
			again.must(err)
			again.holds("dir/file", data)
			again.noUploads()
		})
	}
}

// What happens to the name while the file is being sent does not, either.
func TestNameChangesInMidUpload(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(*session)
		left      []string // in the directory, beside the file
	}{
		"deleted":           {func(s *session) { s.must(s.dele("/dir/file")) }, nil},
		"replaced":          {func(s *session) { s.put("/dir/file", "of another") }, nil},
		"renamed":           {func(s *session) { s.must(s.rename("/dir/file", "/dir/moved")) }, []string{"moved"}},
		"directory deleted": {func(s *session) { s.must(s.dele("/dir/file")); s.must(s.rmd("/dir")) }, nil}, // which makes it again
		"directory renamed": {func(s *session) { s.must(s.rename("/dir", "/moved")) }, nil},
	} {
		for _, size := range []int{100, 3*partSize + 1} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				s := newSession(t)
				s.must(s.mkd("dir"))
				s.put("dir/file", "old")
				other := s.login("alice", nil)
				data := content(size)
				s.must(s.storFrom("dir/file", io.MultiReader(
					strings.NewReader(data[:size/2]), meanwhile(func() { test.meanwhile(other) }), strings.NewReader(data[size/2:]))))
				s.holds("dir/file", data)
				s.isDir("dir", append([]string{"file"}, test.left...)...)
				s.noUploads()
			})
		}
	}
}

// A base that is replaced while it is taken over is no base.
func TestBaseChangesMeanwhile(t *testing.T) {
	for _, size := range []int{100, store.MinPartSize} {
		for _, op := range []string{"CopyPart", "Open"} {
			s := withS3Parts(t)
			s.plant("alice/file", content(size))
			replaced := false
			s.faults.Before = func(_ context.Context, c storetest.Call) error {
				if c.Op == op {
					replaced = true
					s.plant("alice/file", "another")
				}
				return nil
			}
			err := s.appe("file", "more")
			s.faults.Before = nil
			if !replaced {
				s.must(err) // this size needs no such request
				continue
			}
			s.mustFail(450, err)
			s.holds("file", "another")
			s.noUploads()
		}
	}
}

// What the store has lost, in whole or in part, cannot be published: the client is told to
// send the file again, and nothing shows bytes that are not there.
func TestPartsLostByTheStore(t *testing.T) {
	const part = store.MinPartSize
	data := content(2 * part)
	lose := func(s *session) error {
		uploads, err := s.bucket.Uploads(t.Context(), "")
		s.must(err)
		for _, u := range uploads {
			s.must(s.bucket.Abort(t.Context(), u.Key, u.ID))
		}
		return nil
	}
	replace := func(s *session) error {
		uploads, err := s.bucket.Uploads(t.Context(), "")
		s.must(err)
		for _, u := range uploads {
			_, err := s.bucket.PutPart(t.Context(), u.Key, u.ID, 1, bytes.NewReader(make([]byte, part)), part)
			s.must(err)
		}
		return nil
	}
	invalid := func(*session) error { return store.ErrPartLost } // as S3 says it
	uploads := map[string]func(*session) error{
		"STOR": func(s *session) error { return s.stor("file", data) },
		"REST": func(s *session) error { s.breakOff("file", 1); return s.rest(part).stor("file", data[part:]) },
		"APPE": func(s *session) error { s.breakOff("file", 1); return s.appe("file", data[part:]) },
	}
	for name, test := range map[string]struct {
		op     string // before which it happens
		number int
		fault  func(*session) error
	}{
		"the upload, before a part":  {"PutPart", 2, lose},
		"the upload, before the end": {"Complete", 0, lose},
		"a part, before the end":     {"Complete", 0, replace},
		"a part, as the store says":  {"Complete", 0, invalid},
	} {
		for verb, send := range uploads {
			t.Run(name+", "+verb, func(t *testing.T) {
				s := withS3Parts(t)
				if verb != "APPE" {
					s.plant("alice/file", "old")
				}
				before := s.objects()
				s.faults.Before = func(_ context.Context, c storetest.Call) error {
					if c.Op == test.op && c.Part == test.number {
						return test.fault(s)
					}
					return nil
				}
				err := send(s)
				s.mustFail(451, err)
				if err != nil && !strings.Contains(err.Error(), "upload it again") {
					t.Errorf("%v does not say what to do", err)
				}
				s.faults.Before = nil
				s.unchanged(before)
				if size, err := s.size("file"); verb == "APPE" {
					s.mustFail(550, err)
				} else if err != nil || size != int64(len("old")) {
					t.Errorf("SIZE %d, %v", size, err)
				}
				s.put("file", data)
				s.holds("file", data)
			})
		}
	}
}

// S3 takes 10,000 parts, and so do we.
func TestTooManyParts(t *testing.T) {
	s := withS3Parts(t)
	s.breakOff("file", 1)
	s.driver.Store = manyParts{s.driver.Store}
	s.mustFail(552, s.appe("file", "x"))
	s.noUploads()
}

// manyParts is a store that has got as many parts of each upload as can be.
type manyParts struct{ store.Store }

func (manyParts) Parts(context.Context, string, string) ([]store.Part, error) {
	parts := make([]store.Part, store.MaxParts)
	for i := range parts {
		parts[i] = store.Part{Number: i + 1, Size: store.MinPartSize, ETag: "etag"}
	}
	return parts, nil
}

// A database that hangs hides what broke off, and holds nobody up for long.
func TestUnfinishedUploadsWithoutDatabase(t *testing.T) {
	w := newWorld(t)
	w.login("alice", s3Parts).breakOff("broken", 1)
	journal := &patientJournal{Journal: w.db, t: t}
	s := w.login("alice", func(d *driver.Deps, _ *auth.User) {
		d.Uploads = upload.NewManager(upload.Options{Journal: journal, Node: "node", Log: d.Log})
	})
	s.put("file", "hello")
	if got, err := s.size("file"); err != nil || got != 5 {
		t.Errorf("SIZE %d, %v", got, err)
	}
	s.missing("broken")
	s.isDir("/", "file")
}

// patientJournal is one of a database that hangs: it answers nothing before its caller
// gives up, which it does not wait for.
type patientJournal struct {
	upload.Journal
	t *testing.T
}

func (j *patientJournal) Of(ctx context.Context, _, _ string) ([]upload.Record, error) {
	if _, ok := ctx.Deadline(); !ok {
		j.t.Error("the database is asked without a deadline")
	}
	return nil, context.DeadlineExceeded
}
