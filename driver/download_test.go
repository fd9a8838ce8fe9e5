package driver_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/store"
)

func TestRetrieve(t *testing.T) {
	s := newSession(t)
	for _, data := range []string{"", "0123456789", content(10*partSize + 3)} {
		s.put("file", data)
		size := len(data)
		for _, offset := range []int{0, size / 2, max(size-1, 0), size} {
			got, err := s.rest(int64(offset)).retr("file")
			if err != nil || got != data[offset:] {
				t.Errorf("from %d of %d: %s, %v", offset, size, short(got), err)
			}
		}
		for _, beyond := range []int{size + 1, size + 1<<30} {
			_, err := s.rest(int64(beyond)).retr("file")
			s.mustFail(554, err)
		}
	}
}

func TestRetrieveRefused(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.plant("alice/implied/f", "x")
	for path, why := range map[string]string{
		"dir": "Is a directory", "implied": "Is a directory", "/": "Is a directory",
		"missing": "No such file", "implied/f/g": "No such file",
	} {
		_, err := s.retr(path)
		s.mustFail(550, err)
		if !strings.Contains(err.Error(), why) {
			t.Errorf("RETR %s: %q, want %q", path, err, why)
		}
	}
}

// Read serves whoever does not know WriteTo.
func TestRetrieveByRead(t *testing.T) {
	s := newSession(t)
	s.put("file", content(3*partSize))
	s.verb = "RETR"
	file, err := s.driver.OpenTransfer(s.ctx, "/file", 0, 0)
	s.must(err)
	got, err := io.ReadAll(struct{ io.Reader }{file})
	s.must(err)
	if string(got) != content(3*partSize) {
		t.Errorf("read %s", short(string(got)))
	}
	s.must(file.Close())
}

// breaking is a body that fails after some bytes.
func breaking(n int64) func(io.ReadCloser) io.ReadCloser {
	return func(body io.ReadCloser) io.ReadCloser {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(body, n), errorReader{syscall.ECONNRESET}), body}
	}
}

// A body that breaks is nobody's business but the gateway's.
func TestBrokenBodyIsInvisible(t *testing.T) {
	s := newSession(t)
	s.put("file", content(3*partSize))
	s.faults.Body = breaking(1000) // again and again
	s.holds("file", content(3*partSize))
}

func TestStoreFailsWhileDownloading(t *testing.T) {
	s := newSession(t)
	s.put("file", content(3*partSize))
	s.faults.Body = func(body io.ReadCloser) io.ReadCloser {
		s.fail("Open", "", store.Unavailable(errors.New("connection refused")))
		return breaking(1000)(body)
	}
	got, err := s.retr("file")
	s.mustFail(426, err)
	if got != content(1000) {
		t.Errorf("got %s", short(got))
	}
}

// A client never gets parts of two files as one.
func TestFileReplacedWhileDownloading(t *testing.T) {
	for name, c := range map[string]struct {
		replace func(*session)
		code    int
	}{
		"replaced": {func(s *session) { s.plant("alice/file", strings.Repeat("n", 3*partSize)) }, 426},
		"deleted":  {func(s *session) { s.must(s.bucket.Delete(s.t.Context(), "alice/file")) }, 426},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			s.put("file", content(3*partSize))
			s.faults.Body = func(body io.ReadCloser) io.ReadCloser {
				c.replace(s)
				return breaking(1000)(body)
			}
			got, err := s.retr("file")
			s.mustFail(c.code, err)
			if got != content(1000) {
				t.Errorf("got %s", short(got))
			}
		})
	}
}

// A large file comes in several requests, all for the same version.
func TestLargeDownload(t *testing.T) {
	s := newSession(t)
	data := content(buffer.FirstRange + partSize)
	s.plant("alice/file", data)
	s.holds("file", data)
	got, err := s.rest(partSize - 1).retr("file")
	if err != nil || got != data[partSize-1:] {
		t.Errorf("from the middle: %s, %v", short(got), err)
	}

	s.faults.Body = func(body io.ReadCloser) io.ReadCloser {
		s.plant("alice/file", strings.Repeat("n", len(data)))
		return body
	}
	got, err = s.retr("file")
	s.mustFail(426, err)
	if got != data[:buffer.FirstRange] {
		t.Errorf("got %s of the old file", short(got))
	}
}

func TestDownloadInterrupted(t *testing.T) {
	s := newSession(t)
	s.put("file", content(3*partSize))
	for _, reason := range []error{syscall.EPIPE, syscall.ECONNRESET, io.ErrClosedPipe} {
		s.mustFail(426, s.retrTo("file", &hangingUp{left: 1000, err: reason}))
	}
	s.holds("file", content(3*partSize))
}

// hangingUp takes some bytes, and then no more.
type hangingUp struct {
	bytes.Buffer
	left int
	err  error
}

func (h *hangingUp) Write(p []byte) (int, error) {
	if len(p) > h.left {
		return h.left, h.err
	}
	h.left -= len(p)
	return len(p), nil
}

// hangingUp hides bytes.Buffer's ReadFrom, as a connection has none for a download.
func (h *hangingUp) ReadFrom(io.Reader) (int64, error) { return 0, errors.New("not called") }

func TestDownloadEndsWithTheSession(t *testing.T) {
	s := newSession(t)
	s.put("file", content(3*partSize))
	s.faults.Body = func(body io.ReadCloser) io.ReadCloser {
		s.end()
		return body
	}
	_, err := s.retr("file")
	s.mustFail(426, err)
}
