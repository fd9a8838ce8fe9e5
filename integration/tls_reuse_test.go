package integration

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// Clients that resume TLS sessions get on with a server that demands it, as long as they
// do.
func TestSessionReuseIsRequired(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true, Config: map[string]string{"tls.session_reuse": "require", "tls.required": "true"}})
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"a", "b", "c", "d"} {
		files = append(files, write(t, filepath.Join(dir, "tree", name), bytes.Repeat([]byte(name), 200_000)))
	}
	t.Run("curl", func(t *testing.T) {
		flags := []string{"--ssl-reqd", "--cacert", s.CertFile, "--ftp-create-dirs"}
		remote := s.URL() + "/curl/"
		curl(t, append(flags, "-T", "{"+strings.Join(files, ",")+"}", remote)...) // over one control connection
		if got := strings.Fields(curl(t, append(flags, "-l", remote)...)); len(got) != len(files) {
			t.Errorf("listing: %q", got)
		}
		curl(t, append(flags, remote+"a", "-o", filepath.Join(dir, "a"), remote+"b", "-o", filepath.Join(dir, "b"))...)
		if read(t, filepath.Join(dir, "b")) != read(t, files[1]) {
			t.Error("what came back is not what was sent")
		}
		// With TLS 1.2 curl takes no tickets.
		for _, without := range [][]string{{"--no-sessionid"}, {"--tls-max", "1.2"}} {
			if r := tryCurl(t, append(append(flags, without...), "-T", files[0], s.URL()+"/refused")...); r.code == 0 {
				t.Errorf("%s: a data connection with a session of its own was accepted", without)
			}
		}
	})
	for _, version := range []string{"1.2", "1.3"} {
		t.Run("lftp "+version, func(t *testing.T) {
			script := `
set ftp:ssl-allow true
set ftp:ssl-force true
set ftp:ssl-protect-data true
set ftp:ssl-protect-list true
set ssl:priority "NORMAL:-VERS-ALL:+VERS-TLS` + version + `"
`
			back := filepath.Join(dir, "back"+version)
			lftp(t, s.URL(), script+"mirror -R --parallel=2 "+filepath.Join(dir, "tree")+" lftp"+version+"\nmirror lftp"+version+" "+back)
			if r := run(t, nil, "diff", "-r", filepath.Join(dir, "tree"), back); r.code != 0 {
				t.Errorf("%s%s", r.stdout, r.stderr)
			}
			if r := tryLftp(t, s.URL(), script+"set ftp:ssl-copy-sid false\nput "+files[0]+" -o refused"); r.code == 0 {
				t.Error("without ftp:ssl-copy-sid a data connection was accepted")
			}
		})
	}
	if r := tryCurl(t, "--ssl-reqd", "-k", s.URL()+"/refused"); r.code == 0 {
		t.Error("something was stored")
	}
}

// A client that comes back to another node goes on with its TLS session.
func TestNodesResumeEachOthersSessions(t *testing.T) {
	t.Parallel()
	first := start(t, spdtest.Options{TLS: true})
	second := spdtest.Start(t, spdtest.Options{TLS: true, Servers: servers, DSN: first.DSN, Config: map[string]string{"s3.bucket": first.Bucket}})
	none := spdtest.Start(t, spdtest.Options{
		TLS: true, Servers: servers, DSN: first.DSN, Config: map[string]string{"s3.bucket": first.Bucket, "tls.session_reuse": "off"},
	})
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(t.TempDir(), "session")
		connect := func(node *spdtest.SPD, flag string) string {
			r := run(t, strings.NewReader("QUIT\r\n"), "openssl", "s_client", "-starttls", "ftp", "-connect", node.Addr(), version, flag, session)
			if r.code != 0 {
				t.Fatalf("openssl %s: exit code %d\n%s", version, r.code, r.stderr)
			}
			return r.stdout
		}
		if out := connect(first, "-sess_out"); !strings.Contains(out, "\nNew, ") {
			t.Errorf("%s: first node\n%s", version, out)
		}
		if out := connect(second, "-sess_in"); !strings.Contains(out, "\nReused, ") {
			t.Errorf("%s: second node\n%s", version, out)
		}
		if out := connect(none, "-sess_in"); !strings.Contains(out, "\nNew, ") {
			t.Errorf("%s: a node that resumes nothing\n%s", version, out)
		}
	}
	for _, s := range []*spdtest.SPD{first, second} {
		for secret := range strings.FieldsSeq(first.SQL("SELECT secret FROM ticket_keys")) {
			if len(secret) != 64 || strings.Contains(s.Log(), secret) {
				t.Errorf("ticket key of %d digits, or in the log", len(secret))
			}
		}
	}
}
