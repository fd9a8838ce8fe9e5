package driver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	bucket   = "spd-bucket"
	partSize = 64 << 10 // bytes of a part: "large" files are a few of these
)

// session is one user's Driver, called as the server calls it: each method is an FTP
// command.
type session struct {
	*world
	driver *driver.Driver
	user   auth.User
	ctx    context.Context
	end    context.CancelFunc // of ctx

	dir    string // the working directory
	verb   string // the command that is being executed
	arg    string // its path, for messages
	offset int64  // what REST said
	gone   error  // the control connection's state

	mu   sync.Mutex
	done []driver.Operation // as reported
}

// Path implements driver.Client.
func (s *session) Path() string { return s.dir }

// Verb implements driver.Client.
func (s *session) Verb() string { return s.verb }

// login begins a session of a user whose files are below "name/". change may be nil.
func (w *world) login(name string, change func(*driver.Deps, *auth.User)) *session {
	w.t.Helper()
	s := &session{world: w, dir: "/"}
	log := slog.New(slog.DiscardHandler)
	deps := driver.Deps{
		Client: s, Names: encoding.NewDetector(encoding.Hints{}), Store: w.requests,
		Stores: w.open, Copies: mounted.NewBuffers(2),
		Uploads: upload.NewManager(upload.Options{Journal: w.db, Node: "node", Log: log}), Budget: w.budget,
		Times: w.db, Quota: w.ledger, Made: &w.made, Log: log,
		PartSize: partSize, PartsInFlight: 2, DataTimeout: 10 * time.Second,
		Alive: func(time.Time, int64) error { return s.gone }, Report: s.report,
	}
	s.user = auth.User{Name: name, Bucket: bucket, Prefix: name + "/", Permissions: auth.ReadWrite}
	if change != nil {
		change(&deps, &s.user)
	}
	if s.user.QuotaBytes+s.user.QuotaFiles > 0 { // which the database checks
		account := auth.Account{User: s.user, Password: "{plain}secret", Status: auth.Active}
		if err := w.db.CreateUser(w.t.Context(), account); err != nil && !errors.Is(err, auth.ErrExists) {
			w.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	s.ctx, s.end = ctx, cancel
	s.driver = driver.New(ctx, deps, &s.user)
	w.t.Cleanup(func() {
		cancel()
		s.driver.Wait()
		if used := w.budget.Used(); used != 0 {
			w.t.Errorf("%d bytes of transfer memory not given back", used)
		}
	})
	return s
}

// newSession is alice's, in a world of her own.
func newSession(t *testing.T) *session {
	t.Helper()
	return newWorld(t).login("alice", nil)
}

func (s *session) report(op driver.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, op)
}

func (s *session) abs(p string) string {
	s.arg = p
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(s.dir, p)
}

func (s *session) stat(verb, p string) (os.FileInfo, error) {
	s.verb = verb
	return s.driver.Stat(s.abs(p))
}

func (s *session) cwd(p string) error {
	fi, err := s.stat("CWD", p)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return errors.New("not a directory")
	}
	s.dir = s.abs(p)
	return nil
}

func (s *session) size(p string) (int64, error) {
	fi, err := s.stat("SIZE", p)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

func (s *session) mdtm(p string) (time.Time, error) {
	fi, err := s.stat("MDTM", p)
	if err != nil {
		return time.Time{}, err
	}
	return fi.ModTime().UTC(), nil
}

func (s *session) mfmt(p string, t time.Time) error {
	s.verb = "MFMT"
	return s.driver.SetTime(s.abs(p), t)
}

func (s *session) mkd(p string) error {
	s.verb = "MKD"
	return s.driver.Mkdir(s.abs(p))
}

func (s *session) rmd(p string) error {
	s.verb = "RMD"
	return s.driver.RemoveDir(s.abs(p))
}

func (s *session) dele(p string) error {
	s.verb = "DELE"
	return s.driver.Remove(s.abs(p))
}

func (s *session) rnfr(p string) error {
	_, err := s.stat("RNFR", p)
	return err
}

func (s *session) rnto(from, to string) error {
	s.verb = "RNTO"
	return s.driver.Rename(s.abs(from), s.abs(to))
}

func (s *session) rename(from, to string) error {
	if err := s.rnfr(from); err != nil {
		return err
	}
	return s.rnto(from, to)
}

func (s *session) hash(p string, algo driver.HashAlgo, start, end int64) (string, error) {
	if _, err := s.stat("HASH", p); err != nil {
		return "", err
	}
	return s.driver.ComputeHash(s.ctx, s.abs(p), algo, start, end)
}

// list is LIST, NLST or MLSD.
func (s *session) list(verb, p string) ([]driver.Entry, error) {
	s.verb = verb
	var entries []driver.Entry
	for e, err := range s.driver.List(s.t.Context(), verb, s.abs(p)) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (s *session) rest(offset int64) *session {
	s.offset = offset
	return s
}

func (s *session) stor(p, data string) error { return s.storFrom(p, strings.NewReader(data)) }

func (s *session) appe(p, data string) error {
	s.offset = 0
	return s.upload("APPE", p, writing|os.O_APPEND, strings.NewReader(data))
}

// writing is how the session opens a file for STOR.
const writing = os.O_WRONLY | os.O_CREATE

// storFrom is STOR with a data connection that may have ideas of its own.
func (s *session) storFrom(p string, data io.Reader) error {
	flags := writing
	if s.offset == 0 {
		flags |= os.O_TRUNC
	}
	return s.upload("STOR", p, flags, data)
}

func (s *session) upload(verb, p string, flags int, data io.Reader) error {
	s.verb = verb
	file, err := s.open(p, flags)
	if err != nil {
		return err
	}
	if _, ok := data.(net.Conn); !ok {
		data = struct{ io.Reader }{data} // which has no more than a connection has
	}
	n, err := io.Copy(file, data)
	if err == nil && n == 0 {
		_, err = file.Write(nil)
	}
	if err != nil {
		file.TransferError(err)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// retr is RETR. What arrived before an error is returned with it.
func (s *session) retr(p string) (string, error) {
	var data bytes.Buffer
	err := s.retrTo(p, struct{ io.Writer }{&data})
	return data.String(), err
}

func (s *session) retrTo(p string, to io.Writer) error {
	s.verb = "RETR"
	file, err := s.open(p, os.O_RDONLY)
	if err != nil {
		return err
	}
	if _, err = io.Copy(to, file); err != nil {
		file.TransferError(err)
	}
	_ = file.Close() // the first error is what counts
	return err
}

func (s *session) open(p string, flags int) (driver.File, error) {
	offset := s.offset
	s.offset = 0
	return s.driver.OpenTransfer(s.ctx, s.abs(p), flags, offset)
}

// site is SITE: the reply.
func (s *session) site(param string) (code int, text string) {
	text, err := s.driver.Site(param)
	if reply, ok := errors.AsType[*driver.Reply](err); ok {
		return reply.Code, reply.Text
	}
	return 200, text
}

// must is for steps that have to work.
func (s *session) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s %s: %v (%v)", s.verb, s.arg, err, errors.Unwrap(err))
	}
}

// mustFail is for steps that the client is to be refused with this reply. Its text must
// not name what lies behind the gateway.
func (s *session) mustFail(code int, err error) {
	s.t.Helper()
	if err == nil {
		s.t.Errorf("%s %s: no error, want reply %d", s.verb, s.arg, code)
		return
	}
	reply, ok := errors.AsType[*driver.Reply](err)
	if !ok {
		s.t.Errorf("%s %s: %v is no reply", s.verb, s.arg, err)
		return
	}
	if reply.Code != code {
		s.t.Errorf("%s %s: reply %v (of %v), want %d", s.verb, s.arg, reply, reply.Cause, code)
	}
	for _, secret := range []string{bucket, s.user.Prefix, "://", "minio"} {
		if secret != "" && strings.Contains(reply.Text, secret) {
			s.t.Errorf("%s %s: reply %q names %q", s.verb, s.arg, reply.Text, secret)
		}
	}
}

func (s *session) put(p, data string) {
	s.t.Helper()
	s.must(s.stor(p, data))
}

// holds checks a file's content.
func (s *session) holds(p, want string) {
	s.t.Helper()
	got, err := s.retr(p)
	if err != nil {
		s.t.Errorf("RETR %s: %v", p, err)
	} else if got != want {
		s.t.Errorf("%s holds %s, want %s", p, short(got), short(want))
	}
}

// short makes content fit for a message.
func short(data string) string {
	if len(data) > 40 {
		return fmt.Sprintf("%d bytes %q...", len(data), data[:20])
	}
	return fmt.Sprintf("%q", data)
}

// missing checks that there is neither file nor directory.
func (s *session) missing(p string) {
	s.t.Helper()
	_, err := s.stat("MLST", p)
	s.mustFail(550, err)
}

// isDir checks that there is a directory, with exactly these entries.
func (s *session) isDir(p string, want ...string) {
	s.t.Helper()
	entries, err := s.list("LIST", p)
	if err != nil {
		s.t.Errorf("LIST %s: %v", p, err)
		return
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else {
			names = append(names, e.Name())
		}
	}
	if !slices.Equal(names, want) {
		s.t.Errorf("LIST %s: %q, want %q", p, names, want)
	}
}

// content is n bytes that do not repeat; more bytes begin with the same.
func content(n int) string {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return string(data)
}
