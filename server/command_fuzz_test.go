package server

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/internal/spdtest/dbtest"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/upload"
)

// loggedInSessions makes sessions of a user with a few files, whose replies go to a buffer.
func loggedInSessions(t testing.TB) func() (*session, *replyConn) {
	t.Helper()
	database := dbtest.Open(t)
	log := slog.New(slog.DiscardHandler)
	bucket := memory.New().Bucket("spd")
	uploads := upload.NewManager(upload.Options{Journal: database, Node: "fuzz", Log: log})
	user := &auth.User{Name: "alice", Bucket: "spd", Permissions: auth.ReadWrite}
	server := &Server{Options: Options{Banner: "test", ActiveMode: true, Log: log}, metrics: newMetrics(nil)}
	return func() (*session, *replyConn) {
		conn := &replyConn{}
		ctx, cancel := context.WithCancelCause(context.Background())
		s := &session{
			server: server, log: log, ctx: ctx, cancel: cancel, conn: conn, raw: conn,
			name: "alice", account: user, dir: "/",
		}
		s.files = driver.New(ctx, driver.Deps{
			Client: s, Names: encoding.NewDetector(encoding.Hints{}), Store: bucket, Uploads: uploads,
			Budget: buffer.NewBudget(1 << 20), Times: database, Log: log,
		}, user)
		return s, conn
	}
}

// oneReply is a reply of one line, or of several (RFC 959, 4.2), with nothing in it that
// is no text.
func oneReply(text string) bool {
	lines := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
	if !strings.HasSuffix(text, "\r\n") || !regexp.MustCompile(`^[2-5][0-5][0-9][ -]`).MatchString(lines[0]) {
		return false
	}
	for i, line := range lines {
		last := strings.HasPrefix(line, lines[0][:3]+" ")
		if strings.ContainsAny(line, "\r\n\x00") || last != (i == len(lines)-1) {
			return false
		}
	}
	return true
}

// FuzzCommand: whatever a client says is answered by one reply.
func FuzzCommand(f *testing.F) {
	for _, verb := range []string{
		"TYPE", "STRU", "MODE", "REST", "ALLO", "OPTS", "HELP", "LANG", "HOST", "FEAT", "SITE", "CWD", "MKD", "RMD", "DELE", "SIZE", "MDTM",
		"MFMT", "MFF", "AVBL", "HASH", "XCRC", "STOU", "RETR", "LIST", "PORT", "EPRT", "PROT", "PBSZ", "MLST", "CLNT", "ACCT", "NONSENSE",
	} {
		f.Add(verb)
		for _, arg := range []string{"f", "d", "a\x00b", "a\rb", "x\x01\x7f", "\xff\xfe", `"f" 0 3`, "f 1 2", "20200102030405 f", "Modify=20200102030405; f"} {
			f.Add(verb + " " + arg)
		}
	}
	for _, line := range []string{"\xf2ABOR", "OPTS HASH md5", "OPTS MLST size;", "SITE UTIME 20200102030405 f", "SITE CHARSET GBK", "ALLO 5 R 3", "EPRT |1|127.0.0.1|5|", " ", "  x"} {
		f.Add(line)
	}
	login := loggedInSessions(f)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") || len(line) > maxLine {
			return // no line is so
		}
		s, conn := login()
		defer s.cancel(nil)
		switch c := parseCommand(line); c.verb {
		case "AUTH", "PASV", "EPSV", "PORT", "EPRT", "HOST": // ask for a real connection
			_, _ = parsePort(c.arg)
			_, _ = parseEprt(c.arg, "1")
			return
		}
		s.dispatch(line)
		s.files.Wait()
		if reply := conn.out.String(); !oneReply(reply) {
			t.Errorf("%q: reply %q", line, reply)
		}
	})
}
