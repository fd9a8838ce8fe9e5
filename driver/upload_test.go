package driver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
)

func TestStore(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	for _, size := range []int{0, 1, partSize - 1, partSize, partSize + 1, 5*partSize + 7} {
		data := content(size)
		s.put("dir/file", data) // over the one before
		s.holds("dir/file", data)
		if got, err := s.size("dir/file"); err != nil || got != int64(size) {
			t.Errorf("SIZE %d, %v; want %d", got, err, size)
		}
		s.noUploads()
	}
	s.isDir("dir", "file")
	s.isDir("/", "dir/")
}

func TestStoreRefused(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("file", "x")
	s.plant("alice/implied/f", "x")
	before := s.objects()
	for _, data := range []string{"", "small", content(3 * partSize)} {
		for _, path := range []string{"dir", "implied", "/", "file/below", "missing/file", "missing/deep/file"} {
			s.mustFail(553, s.stor(path, data))
			s.mustFail(553, s.appe(path, data))
			if path == "dir" || path == "implied" {
				s.mustFail(553, s.rest(1).stor(path, data))
			}
		}
	}
	s.unchanged(before)
}

// endless sends until the server hangs up.
type endless struct{ sent int }

func (e *endless) Read(p []byte) (int, error) {
	e.sent += len(p)
	return len(p), nil
}

// A refusal does not wait for the end of the data.
func TestRefusalStopsTheClient(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.mustFail(553, s.storFrom("dir", &endless{}))
	s.noUploads()
}

// Nor for the client to send anything at all.
func TestRefusalOfASilentClient(t *testing.T) {
	s := newWorld(t).login("alice", func(d *driver.Deps, _ *auth.User) { d.DataTimeout = 0 })
	s.must(s.mkd("dir"))
	client, server := net.Pipe()
	defer func() { _ = client.Close(); _ = server.Close() }()
	s.mustFail(553, s.storFrom("dir", server))
	s.noUploads()
}

func TestOverwriteNeedsPermission(t *testing.T) {
	w := newWorld(t)
	s := w.login("alice", func(_ *driver.Deps, u *auth.User) { u.Permissions = auth.UploadOnly | auth.Download })
	s.put("file", "old")
	for _, data := range []string{"", "new", content(3 * partSize)} {
		s.mustFail(550, s.stor("file", data))
		s.mustFail(550, s.appe("file", data))
		s.mustFail(550, s.rest(1).stor("file", data))
	}
	s.holds("file", "old")
	s.put("file2", content(3*partSize))
	s.noUploads()
}

// interrupted sends some data, and then fails.
func interrupted(data string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(data), errorReader{err})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// Until the new file is complete, the old one stays; and when an upload has failed, no
// trace of it is left.
func TestFailedUploadLeavesTheOldFile(t *testing.T) {
	storeAway := store.Unavailable(errors.New("http://minio.internal: connection refused"))
	failing := func(op string, err error) func(*session, string) error {
		return func(s *session, data string) error {
			s.fail(op, "file", err)
			return s.stor("/dir/file", data)
		}
	}
	type failure struct {
		name  string
		code  int
		small bool // happens to small files only
		large bool
		stor  func(s *session, data string) error
	}
	for _, c := range []failure{
		{name: "connection reset", code: 426, stor: func(s *session, data string) error {
			return s.storFrom("/dir/file", interrupted(data, syscall.ECONNRESET))
		}},
		{name: "data cut off", code: 426, stor: func(s *session, data string) error {
			return s.storFrom("/dir/file", interrupted(data, io.ErrUnexpectedEOF))
		}},
		{name: "client gone", code: 426, stor: func(s *session, data string) error {
			s.gone = errors.New("control connection closed")
			return s.stor("/dir/file", data)
		}},
		{name: "ALLO not reached", code: 426, stor: func(s *session, data string) error {
			s.must(s.driver.Allocate(int64(len(data)) + 1))
			return s.stor("/dir/file", data)
		}},
		{name: "no data connection", code: 426, stor: func(s *session, data string) error {
			s.verb = "STOR"
			file, err := s.driver.OpenTransfer(s.ctx, "/dir/file", writing, 0)
			s.must(err)
			file.TransferError(errors.New("accept: timeout"))
			return file.Close()
		}},
		{name: "session ends", code: 426, stor: func(s *session, data string) error {
			return s.storFrom("/dir/file", io.MultiReader(strings.NewReader(data), ending{s}))
		}},
		{name: "name check", code: 451, stor: failing("List", storeAway)},
		{name: "Put", code: 451, small: true, stor: failing("Put", storeAway)},
		{name: "Put full", code: 452, small: true, stor: failing("Put", store.ErrFull)},
		{name: "Put denied", code: 451, small: true, stor: failing("Put", store.ErrDenied)},
		{name: "Begin", code: 451, large: true, stor: failing("Begin", storeAway)},
		{name: "PutPart", code: 451, large: true, stor: failing("PutPart", storeAway)},
		{name: "PutPart full", code: 452, large: true, stor: failing("PutPart", store.ErrFull)},
		{name: "Complete", code: 451, large: true, stor: failing("Complete", storeAway)},
		{name: "Complete too large", code: 552, large: true, stor: failing("Complete", store.ErrTooLarge)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.QuotaBytes = 1 << 30 })
			s.must(s.mkd("dir"))
			s.put("dir/file", "old")
			s.must(s.mfmt("dir/file", someTime()))
			s.must(s.cwd("dir"))
			objects := s.objects()
			for _, data := range []string{"", content(100), content(3*partSize + 5)} {
				large := len(data) > partSize
				if c.large && !large || c.small && large {
					continue
				}
				alice := quota.Name{User: "alice"}
				before, err := s.db.Counts().Used(t.Context(), alice)
				s.must(err)
				s.mustFail(c.code, c.stor(s, data))
				s.gone, s.faults.Before = nil, nil
				s.countAgain() // the store may not have said whether it stored it
				if used, err := s.db.Counts().Used(t.Context(), alice); err != nil || used != before {
					t.Errorf("quota: %+v, %v; want %+v", used, err, before)
				}
				s.unchanged(objects)
			}
			if c.name == "session ends" {
				return
			}
			s.hasTime("file", someTime())
			s.put("file", "new")
			s.holds("file", "new")
		})
	}
}

// ending ends the session, as if the server stopped.
type ending struct{ *session }

func (e ending) Read(p []byte) (int, error) {
	e.end()
	return 0, context.Canceled
}

// Nothing is visible before Close.
func TestUploadIsInvisibleUntilClose(t *testing.T) {
	s := newSession(t)
	s.put("file", "old")
	for _, data := range []string{"new", content(3 * partSize)} {
		s.verb = "STOR"
		file, err := s.driver.OpenTransfer(s.ctx, "/file", writing, 0)
		s.must(err)
		_, err = io.Copy(file, strings.NewReader(data))
		s.must(err)
		s.holds("file", "old")
		s.must(file.Close())
		s.holds("file", data)
		s.put("file", "old")
	}
}

// STOU never replaces a file, even if two names should meet.
func TestNewFile(t *testing.T) {
	s := newSession(t)
	for _, size := range []int{4, 3 * partSize} {
		s.put("file", "old")
		s.mustFail(553, s.upload("STOU", "file", writing|os.O_EXCL, strings.NewReader(content(size))))
		s.holds("file", "old")
		s.must(s.dele("file"))
		s.must(s.upload("STOU", "file", writing|os.O_EXCL, strings.NewReader(content(size))))
		s.holds("file", content(size))
	}
}

func TestAppendAndRestart(t *testing.T) {
	s := newSession(t)
	for _, size := range []int{0, 4, partSize, 3*partSize + 1} {
		base := content(size)
		for _, more := range []string{"", "more", content(2*partSize + 3)} {
			for _, restart := range []int{size / 2, size} {
				s.plant("alice/file", base)
				s.must(s.rest(int64(restart)).stor("file", more))
				s.holds("file", base[:restart]+more)
			}
			s.plant("alice/file", base)
			s.must(s.appe("file", more))
			s.holds("file", base+more)
			s.noUploads()
		}
		s.plant("alice/file", base)
		s.mustFail(554, s.rest(int64(size+1)).stor("file", "x"))
		s.holds("file", base)
	}
}

// A base that S3 takes as a part is not read by the gateway.
func TestLargeBaseIsCopiedInTheStore(t *testing.T) {
	s := newSession(t)
	base := content(store.MinPartSize + 1)
	for _, more := range []string{"", "more", content(partSize + 1)} {
		for _, restart := range []int{store.MinPartSize, store.MinPartSize + 1} {
			s.plant("alice/file", base)
			s.requests.take()
			s.must(s.rest(int64(restart)).stor("file", more))
			if seen := s.requests.take(); slices.Contains(seen, "Open") || !slices.Contains(seen, "CopyPart") {
				t.Errorf("requests %v", seen)
			}
			s.holds("file", base[:restart]+more)
			s.noUploads()
		}
	}
	s.plant("alice/file", base)
	s.must(s.appe("file", "more"))
	s.holds("file", base+"more")
}

func TestAppendToMissingFile(t *testing.T) {
	s := newSession(t)
	s.must(s.appe("empty", ""))
	s.holds("empty", "")
	s.must(s.appe("new", "a"))
	s.must(s.appe("new", "b"))
	s.holds("new", "ab")
	s.mustFail(550, s.rest(1).stor("missing", "x"))
	s.missing("missing")
	s.mustFail(554, s.rest(-1).stor("new", "x"))
	s.holds("new", "ab")
}

func TestFailedAppendLeavesTheFile(t *testing.T) {
	away := store.Unavailable(errors.New("connection refused"))
	for _, base := range []string{"base", content(3 * partSize), content(store.MinPartSize + 1)} {
		s := newSession(t)
		s.put("file", base)
		before := s.objects()
		for op, err := range map[string]error{
			"Stat": away, "Open": away, "CopyPart": away, "Begin": away, "PutPart": away, "Complete": away, "Put": away,
		} {
			s.fail(op, "file", err)
			if err := s.appe("file", content(2*partSize)); err != nil {
				s.mustFail(451, err)
				s.sameObjects(before)
			} // else a request that this append does not need
			s.faults.Before = nil
			s.put("file", base) // throws away what was kept to be resumed
			s.noUploads()
			before = s.objects()
		}
		s.gone = errors.New("closed")
		s.mustFail(426, s.appe("file", "more"))
		s.sameObjects(before)
	}
}

func TestHandleKnowsOnlyItsDirection(t *testing.T) {
	s := newSession(t)
	s.put("file", "x")
	s.verb = "STOR"
	up, err := s.driver.OpenTransfer(s.ctx, "/file", writing, 0)
	s.must(err)
	if _, err := up.Read(make([]byte, 1)); err == nil {
		t.Error("an upload was read")
	}
	s.must(up.Close())
	s.verb = "RETR"
	down, err := s.driver.OpenTransfer(s.ctx, "/file", 0, 0)
	s.must(err)
	if _, err := down.Write([]byte("x")); err == nil {
		t.Error("a download was written")
	}
	s.must(down.Close())
}
