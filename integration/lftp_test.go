package integration

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

func TestLftp(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	dir := t.TempDir()
	whole := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	large := write(t, filepath.Join(dir, "large"), whole)
	half := write(t, filepath.Join(dir, "half"), whole[:7_000_000])

	t.Run("resumed upload", func(t *testing.T) {
		lftp(t, s.URL(), fmt.Sprintf("put %s -o f; put -c %s -o f; get f -o %s", half, large, filepath.Join(dir, "f")))
		if read(t, filepath.Join(dir, "f")) != string(whole) {
			t.Error("file differs")
		}
	})

	t.Run("download in pieces", func(t *testing.T) {
		lftp(t, s.URL(), fmt.Sprintf("pget -n 5 f -o %s", filepath.Join(dir, "pieces")))
		if read(t, filepath.Join(dir, "pieces")) != string(whole) {
			t.Error("file differs")
		}
	})

	t.Run("resumed download", func(t *testing.T) {
		part := write(t, filepath.Join(dir, "part"), whole[:1_000_003])
		lftp(t, s.URL(), "get -c f -o "+part)
		if read(t, part) != string(whole) {
			t.Error("file differs")
		}
	})

	t.Run("directories", func(t *testing.T) {
		lftp(t, s.URL(), fmt.Sprintf(`
mkdir -p a/b/c
mkdir -f a
put %[1]s -o a/b/one.txt
put %[1]s -o a/b/two.txt
put %[1]s -o a/b/three.dat
mv a/b/one.txt a/renamed.txt
mv a/b "a/moved dir"
`, write(t, filepath.Join(dir, "small"), []byte("small"))))
		got := lftp(t, s.URL(), "cls -1 a; glob echo 'a/moved dir'/*.txt; find a")
		for _, want := range []string{"a/renamed.txt\n", "a/moved dir/\n", "a/moved dir/two.txt\n", "a/moved dir/three.dat\n", "a/moved dir/c/\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if strings.Contains(got, "one.txt") {
			t.Errorf("the old name is still there:\n%s", got)
		}
		if got := lftp(t, s.URL(), "cat a/renamed.txt"); got != "small" {
			t.Errorf("renamed file: %q", got)
		}
		lftp(t, s.URL(), "mrm 'a/moved dir'/t*; rm -r a")
		if got := lftp(t, s.URL(), "cls -1"); got != "f\n" {
			t.Errorf("left over: %q", got)
		}
		if r := tryLftp(t, s.URL(), "cd a"); r.code == 0 {
			t.Error("removed directory can be entered")
		}
	})
}

// An object has no mode, so chmod must fail where the user sees it.
func TestLftpChmod(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	plant(t, bucketOf(t, s), "alice/f", "hello")
	before := lftp(t, s.URL(), "cls -l --perms f")
	for _, command := range []string{"chmod 600 f", "chmod -R 700 ."} {
		r := tryLftp(t, s.URL(), command)
		if out := r.stdout + r.stderr; r.code == 0 || !strings.Contains(out, "502") {
			t.Errorf("%s: exit code %d\n%s", command, r.code, out)
		}
	}
	if after := lftp(t, s.URL(), "cls -l --perms f"); after != before {
		t.Errorf("listing %q, before %q", after, before)
	}
	if got := lftp(t, s.URL(), "cat f"); got != "hello" {
		t.Errorf("the file holds %q", got)
	}
}

// FXP is a transfer between two servers, each told to connect to somebody other than its
// client. That is refused, and lftp copies through itself.
func TestLftpFXP(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	other := start(t, spdtest.Options{})
	want := noise(1, 1<<20)
	plant(t, bucketOf(t, s), "alice/f", want)
	as := func(node *spdtest.SPD) string { return strings.Replace(node.URL(), "//", "//alice:secret@", 1) }
	// The servers are on 127.0.0.1, and the client is not. It tries either of them as the
	// passive one.
	const settings = "set net:socket-bind-ipv4 127.0.0.3; set ftp:use-fxp true; debug 4\n"
	command := "get " + as(s) + "/f -o " + as(other)
	r := tryLftp(t, other.URL(), settings+"set ftp:fxp-force true\n"+command+"/forced")
	if out := r.stdout + r.stderr; r.code == 0 || !strings.Contains(out, "<--- 500 ") {
		t.Errorf("FXP: exit code %d\n%s", r.code, out)
	}
	if got := storedAs(t, bucketOf(t, other), "alice/forced"); got != "" {
		t.Errorf("%d bytes went from server to server", len(got))
	}
	lftp(t, other.URL(), settings+command+"/copied")
	if got := storedAs(t, bucketOf(t, other), "alice/copied"); got != want {
		t.Errorf("%d bytes were copied", len(got))
	}
}

// Names that programs like to trip over, as files and as directories, byte for byte.
func TestLftpMirrorsOddNames(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	source := filepath.Join(t.TempDir(), "source")
	for i, name := range oddNames() {
		write(t, filepath.Join(source, name), []byte(name))
		if len(name) <= minioDirName {
			write(t, filepath.Join(source, "in", fmt.Sprint(i), name, "and below"), []byte(name))
		}
	}
	mirrorBothWays(t, s, s.URL(), source, "")
	lftp(t, s.URL(), "rm -r tree")
	if got := lftp(t, s.URL(), "cls -1"); got != "" {
		t.Errorf("left over: %q", got)
	}
}

// minioDirName is how long, in bytes, the name of an empty directory may be on MinIO, which
// keeps it as a file "name__XLDIR__".
const minioDirName = 255 - len("__XLDIR__")

func oddNames() []string {
	return []string{
		"two words", " leading", "trailing ", "  ", "'single'", `"double"`, "`back`", `back\slash`, `\`, "[brackets]", "{braces}", "(round)",
		"*", "?", "$HOME", "a;b", "a&b", "a|b", "<a>", "100%", "%41", "#", "a=b", "a:b", "!", "~", "~root", "-", "-la", "--help", "...", ".hidden",
		"café NFC", "cafe\u0301 NFD", "cafe\u0301", "café", "ﬁ", "日本語", "한국어", "עברית", "🙂", "\u00a0", "\u200b", "tab\there", "new", "CON", "a.", "A", "a",
		strings.Repeat("x", 255), strings.Repeat("ü", 127) + "x", "255 " + strings.Repeat("🙂", 62) + "end",
	}
}
