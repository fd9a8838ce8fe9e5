package integration

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

func TestCurl(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	curlCommands(t, s.URL())
}

func TestCurlOverIPv6(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{Config: map[string]string{"ftp.listen": "[::1]:0"}})
	curlCommands(t, s.URL())
}

// curlCommands does with curl all that it can do, in a home that is empty.
func curlCommands(t *testing.T, home string) {
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "text"), []byte("hello\n"))
	have := func(t *testing.T, path, want string) {
		t.Helper()
		if got := curl(t, home+"/"+path); got != want {
			t.Errorf("%s holds %.100q, want %.100q", path, got, want)
		}
	}

	t.Run("data connections", func(t *testing.T) {
		for name, flags := range map[string][]string{
			"EPSV": {}, "EPRT": {"-P", "-"}, "PASV": {"--disable-epsv"}, "PORT": {"--disable-eprt", "-P", "-"},
		} {
			if strings.Contains(home, "[") && (name == "PASV" || name == "PORT") {
				continue // of IPv4 only; curl takes the other one without being asked
			}
			curl(t, append(flags, "-T", text, home+"/"+name)...)
			if got := curl(t, append(flags, home+"/"+name)...); got != "hello\n" {
				t.Errorf("%s: got %q", name, got)
			}
			if got := curl(t, append(flags, home+"/")...); !strings.Contains(got, " "+name) {
				t.Errorf("%s: listing %q", name, got)
			}
		}
	})

	t.Run("resume", func(t *testing.T) {
		whole := strings.Repeat("0123456789", 100_000)
		file := write(t, filepath.Join(dir, "whole"), []byte(whole))
		part := write(t, filepath.Join(dir, "part"), []byte(whole[:300_000]))
		curl(t, "-T", part, home+"/resumed")
		curl(t, "-C", "-", "-T", file, home+"/resumed")
		have(t, "resumed", whole)
		curl(t, "-C", "-", "-o", part, home+"/resumed")
		if read(t, part) != whole {
			t.Error("resumed download differs")
		}
		if got := curl(t, "-r", "999990-", home+"/resumed"); got != "0123456789" {
			t.Errorf("range: %q", got)
		}
		if got := curl(t, "-r", "5-14", home+"/resumed"); got != "5678901234" {
			t.Errorf("range that ends early: %q", got)
		}
	})

	t.Run("append", func(t *testing.T) {
		curl(t, "-T", text, "--append", home+"/appended")
		curl(t, "-T", text, "--append", home+"/appended")
		have(t, "appended", "hello\nhello\n")
	})

	t.Run("directories", func(t *testing.T) {
		if r := tryCurl(t, "-T", text, home+"/no/such/dir/f"); r.code == 0 {
			t.Error("stored in a directory that does not exist")
		}
		curl(t, "--ftp-create-dirs", "-T", text, home+"/new/deep/dir/f")
		have(t, "new/deep/dir/f", "hello\n")
		if got := curl(t, "-l", home+"/new/deep/"); got != "dir\n" {
			t.Errorf("names %q", got)
		}
	})

	t.Run("commands", func(t *testing.T) {
		curl(t, "-T", text, home+"/one")
		curl(t, "-Q", "-RNFR one", "-Q", "-RNTO new/two", home+"/")
		have(t, "new/two", "hello\n")
		curl(t, "-Q", "DELE new/two", home+"/")
		if r := tryCurl(t, home+"/new/two"); r.code != 78 { // CURLE_REMOTE_FILE_NOT_FOUND
			t.Errorf("deleted file: exit code %d\n%s", r.code, r.stderr)
		}
		if r := tryCurl(t, "-Q", "DELE new/two", home+"/"); r.code != 21 { // CURLE_QUOTE_ERROR
			t.Errorf("deleted twice: exit code %d\n%s", r.code, r.stderr)
		}
	})

	t.Run("head", func(t *testing.T) {
		curl(t, "-T", text, "-Q", "-MFMT 20200102030405 dated", home+"/dated")
		got := curl(t, "-I", home+"/dated")
		for _, want := range []string{"Content-Length: 6", "Last-Modified: Thu, 02 Jan 2020 03:04:05 GMT"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %q", want, got)
			}
		}
		if got := curl(t, home+"/"); !strings.Contains(got, "Jan 02  2020 dated") && !strings.Contains(got, "Jan  2  2020 dated") {
			t.Errorf("listing %q", got)
		}
	})

	t.Run("empty file", func(t *testing.T) {
		empty := write(t, filepath.Join(dir, "empty"), nil)
		curl(t, "-T", empty, home+"/empty")
		have(t, "empty", "")
		if got := curl(t, "-I", home+"/empty"); !strings.Contains(got, "Content-Length: 0") {
			t.Errorf("head %q", got)
		}
	})

	t.Run("names", func(t *testing.T) {
		for _, name := range []string{
			"two words", "100%", "%41", "a#b", "a?b", "a+b", "a&b=c;d", " leading space", "trailing space ",
			`"quoted"`, `back\slash`, "[brackets]", "*", "-rf", "~", "...", "日本語", "Grüße", "e\u0301", "🙂", "a:b",
			strings.Repeat("x", 255), strings.Repeat("ü", 127),
		} {
			where := home + "/" + url.PathEscape(name)
			curl(t, "-T", text, where)
			if got := curl(t, where); got != "hello\n" {
				t.Errorf("%q: got %q", name, got)
			}
			if got := curl(t, "-l", home+"/"); !strings.Contains("\n"+got, "\n"+name+"\n") {
				t.Errorf("%q is not listed", name)
			}
			curl(t, "-Q", "DELE "+name, home+"/")
		}
	})
}
