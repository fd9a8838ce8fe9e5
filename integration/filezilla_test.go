//go:build gui

package integration

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// FileZilla has no command line for transfers, so it runs on a screen of its own, and mouse
// and keys are moved for it. It speaks TLS, and resumes TLS sessions on data connections,
// which the node demands here.
func TestFileZilla(t *testing.T) {
	s := start(t, spdtest.Options{TLS: true, Config: map[string]string{"tls.required": "true", "tls.session_reuse": "require"}})
	bucket := bucketOf(t, s)
	screen := newScreen(t)

	local := filepath.Join(t.TempDir(), "local")
	tree := map[string]string{
		"one.txt": "one\n", "empty": "", "Grüße aus 東京.txt": "two\n", "large.dat": noise(1, 12<<20),
		"sub/three.txt": "three", "sub/two words/[four] #4.dat": noise(4, 1<<20), "sub/two words/deeper/five": "5",
	}
	for name, data := range tree {
		write(t, filepath.Join(local, name), []byte(data))
	}

	t.Run("a tree up", func(t *testing.T) {
		f := screen.fileZilla(t, s, local, "")
		f.transferAll(localList)
		spdtest.Await(t, "the tree is stored", func() error { return storeHas(t, bucket, "alice/", tree) })
		f.noErrors()
	})

	t.Run("and down", func(t *testing.T) {
		back := t.TempDir()
		f := screen.fileZilla(t, s, back, "")
		f.transferAll(remoteList)
		spdtest.Await(t, "the tree is here", func() error { return sameSizes(back, tree) })
		sameTrees(t, local, back)
		f.noErrors()
	})

	t.Run("a site in GBK", func(t *testing.T) {
		wipe(t, bucket)
		screen.charset = "GBK"
		defer func() { screen.charset = "" }()
		local, back := t.TempDir(), t.TempDir()
		tree := map[string]string{"新建文件夹/会议记录 (1).txt": "1", "新建文件夹/财务报表.xls": "2", "照片（外滩）.jpg": "3", "readme.txt": "4"}
		for name, data := range tree {
			write(t, filepath.Join(local, name), []byte(data))
		}
		f := screen.fileZilla(t, s, local, "")
		f.transferAll(localList)
		spdtest.Await(t, "the tree is stored", func() error { return storeHas(t, bucket, "alice/", tree) })
		f.noErrors()
		if strings.Contains(f.messages(), "UTF8 ON") {
			t.Errorf("FileZilla has sent UTF-8:\n%s", f.messages())
		}
		f.Kill()
		spdtest.Await(t, "the charset is remembered", func() error {
			if seen := s.SQL("SELECT charset_seen FROM users WHERE username = 'alice'"); seen != "GBK" {
				return fmt.Errorf("it is %s", seen)
			}
			return nil
		})
		f = screen.fileZilla(t, s, back, "")
		f.transferAll(remoteList)
		spdtest.Await(t, "the tree is here", func() error { return sameSizes(back, tree) })
		sameTrees(t, local, back)
		f.noErrors()
	})

	t.Run("an interrupted upload goes on", func(t *testing.T) {
		wipe(t, bucket)
		whole := noise(9, 48<<20)
		local := t.TempDir()
		write(t, filepath.Join(local, "huge.dat"), []byte(whole))
		write(t, filepath.Join(local, "small.txt"), []byte("small"))
		f := screen.fileZilla(t, s, local, throttled("outbound"))
		f.transferAll(localList)
		spdtest.Await(t, "some of it is stored", func() error {
			if n := durable(t, bucket, "alice/huge.dat"); n == 0 {
				return errors.New("no part")
			}
			return nil
		})
		f.Kill()
		if got := storedAs(t, bucket, "alice/huge.dat"); got != "" {
			t.Fatalf("the upload was not interrupted, %d bytes are stored", len(got))
		}

		f = screen.fileZilla(t, s, local, "")
		f.transferAll(localList)
		spdtest.Await(t, "the files are stored", func() error {
			return storeHas(t, bucket, "alice/", map[string]string{"huge.dat": whole, "small.txt": "small"})
		})
		if !regexp.MustCompile(`Command: REST [1-9]`).MatchString(f.messages()) {
			t.Errorf("sent again from the begin:\n%s", f.messages())
		}
		f.noErrors()
	})

	t.Run("an upload goes on at another node when its own dies", func(t *testing.T) { fileZillaUploadFailsOver(t, screen) })

	t.Run("and a download", func(t *testing.T) { fileZillaDownloadFailsOver(t, screen) })

	t.Run("an interrupted download goes on", func(t *testing.T) {
		back := t.TempDir()
		data := noise(7, 12<<20)
		wipe(t, bucket)
		plant(t, bucket, "alice/large.dat", data)
		plant(t, bucket, "alice/other.txt", "other")
		write(t, filepath.Join(back, "large.dat"), []byte(data[:5_000_003]))
		f := screen.fileZilla(t, s, back, "")
		f.transferAll(remoteList)
		want := map[string]string{"large.dat": data, "other.txt": "other"}
		spdtest.Await(t, "the files are here", func() error { return sameSizes(back, want) })
		for name, data := range want {
			if read(t, filepath.Join(back, name)) != data {
				t.Errorf("%s differs", name)
			}
		}
		if sent := fmt.Sprintf(`"verb":"RETR","path":"/large.dat","bytes":%d`, len(data)-5_000_003); !strings.Contains(s.Log(), sent) {
			t.Errorf("no %s in the log", sent)
		}
		f.noErrors()
	})
}

// throttled bounds uploads ("outbound") or downloads ("inbound") to 8 MiB/s.
func throttled(direction string) string {
	return `<Setting name="Enable speed limits">1</Setting><Setting name="Speedlimit ` + direction + `">8192</Setting>`
}

// storeHas tells whether just these files are stored below prefix.
func storeHas(t *testing.T, bucket store.Store, prefix string, want map[string]string) error {
	t.Helper()
	missing := maps.Clone(want)
	for o, err := range bucket.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(o.Key, prefix)
		data, ok := want[name]
		switch {
		case strings.HasSuffix(name, "/"): // a folder's marker
		case !ok:
			return fmt.Errorf("%s is stored", name)
		case o.Size == int64(len(data)):
			if got := storedAs(t, bucket, o.Key); got != data {
				return fmt.Errorf("%s differs", name)
			}
			delete(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %v", slices.Sorted(maps.Keys(missing)))
	}
	return nil
}

// sameSizes tells whether all files are in a folder, and as long as they should be.
func sameSizes(dir string, want map[string]string) error {
	for name, data := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if info.Size() != int64(len(data)) {
			return fmt.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	return nil
}

// screen is an X server with nobody in front of it, and a window manager, which gives
// windows the focus.
type screen struct {
	t       *testing.T
	display string // ":7"
	charset string // of the site that FileZilla connects to; "": UTF-8
}

// encoding is how FileZilla's list of sites has the charset.
func (s *screen) encoding() string {
	if s.charset == "" {
		return "<EncodingType>UTF-8</EncodingType>"
	}
	return "<EncodingType>Custom</EncodingType><CustomEncoding>" + s.charset + "</CustomEncoding>"
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	server := spdtest.StartProcess(t, exec.Command("Xvfb", "-displayfd", "1", "-screen", "0", "1280x960x24", "-nolisten", "tcp"), alreadyReady)
	s := &screen{t: t}
	spdtest.Await(t, "there is a screen", func() error {
		number := regexp.MustCompile(`(?m)^\d+$`).FindString(server.Output())
		if s.display = ":" + number; number == "" {
			return errors.New("no number")
		}
		return nil
	})
	manager := exec.Command("openbox", "--sm-disable")
	manager.Env = s.environment(t.TempDir())
	spdtest.StartProcess(t, manager, alreadyReady)
	spdtest.Await(t, "there is a window manager", func() error {
		_, err := s.xdotool("get_desktop")
		return err
	})
	t.Cleanup(func() {
		if t.Failed() {
			s.photograph(t)
		}
	})
	return s
}

func alreadyReady(context.Context) error { return nil }

func (s *screen) environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "LC_ALL=C.UTF-8", "TZ=UTC", "DISPLAY=" + s.display,
		"NO_AT_BRIDGE=1", "DBUS_SESSION_BUS_ADDRESS=disabled:",
	}
}

func (s *screen) xdotool(args ...string) (string, error) {
	cmd := exec.Command("xdotool", args...)
	cmd.Env = s.environment(os.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("xdotool %v: %w\n%s", args, err, out)
	}
	return string(out), err
}

// photograph keeps what is to be seen, with the test's artifacts.
func (s *screen) photograph(t *testing.T) {
	file := filepath.Join(t.ArtifactDir(), "screen.png")
	cmd := exec.Command("import", "-window", "root", file)
	cmd.Env = s.environment(t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("screenshot: %v\n%s", err, out)
		return
	}
	t.Logf("screenshot: %s", file)
}

// fileZilla is a running FileZilla that is connected.
type fileZilla struct {
	*spdtest.Process
	t      *testing.T
	screen *screen
	log    string // file of its messages
}

// fileZilla starts FileZilla in a folder, with more settings in XML, connected to a node as
// alice. A file that is there already is resumed.
func (s *screen) fileZilla(t *testing.T, node *spdtest.SPD, local, settings string) *fileZilla {
	t.Helper()
	return s.fileZillaAt(t, node.Addr(), node.CertFile, local, settings+resume)
}

// resume is what to do where a file exists. By default FileZilla asks, unless it has begun
// that file itself.
const resume = `<Setting name="File exists action download">5</Setting><Setting name="File exists action upload">5</Setting>`

// fileZillaAt takes any address, and the certificate that is to be trusted there.
func (s *screen) fileZillaAt(t *testing.T, address, certFile, local, settings string) *fileZilla {
	t.Helper()
	home := t.TempDir()
	config := filepath.Join(home, ".config", "filezilla")
	f := &fileZilla{t: t, screen: s, log: filepath.Join(home, "messages")}
	document := func(name, format string, args ...any) {
		write(t, filepath.Join(config, name), fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>`+
			"\n"+`<FileZilla3 version="3.63.0" platform="*nix">`+format+"</FileZilla3>\n", args...))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	document("filezilla.xml", `<Settings>
<Setting name="Greeting version">99.0.0</Setting>
<Setting name="Disable update check">1</Setting>
<Setting name="Show quickconnect bar">0</Setting>
<Setting name="Logging file" platform="unix">%s</Setting>
%s</Settings>`, f.log, settings)
	document("sitemanager.xml", `<Servers><Server><Name>node</Name><Host>%s</Host><Port>%s</Port><Protocol>4</Protocol><Type>0</Type>
<User>alice</User><Pass encoding="base64">c2VjcmV0</Pass><Logontype>1</Logontype>%s</Server></Servers>`, host, port, s.encoding())
	cert, _ := pem.Decode([]byte(read(t, certFile)))
	document("trustedcerts.xml", `<TrustedCerts><Certificate><Data>%s</Data><ActivationTime>%d</ActivationTime><ExpirationTime>%d</ExpirationTime>
<Host>%s</Host><Port>%s</Port><TrustSANs>0</TrustSANs></Certificate></TrustedCerts>`,
		hex.EncodeToString(cert.Bytes), time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix(), host, port)

	cmd := exec.Command("filezilla", "--site=0/node", "--local="+local)
	cmd.Env = s.environment(home)
	f.Process = spdtest.StartProcess(t, cmd, alreadyReady)
	t.Cleanup(func() {
		if t.Failed() {
			s.photograph(t)
			t.Logf("FileZilla's messages:\n%s", f.messages())
		}
	})
	spdtest.Await(t, "FileZilla is connected", func() error {
		if !strings.Contains(f.messages(), `Directory listing of "/" successful`) {
			return errors.New("no listing")
		}
		return nil
	})
	return f
}

func (f *fileZilla) messages() string {
	data, err := os.ReadFile(f.log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.t.Error(err)
	}
	return string(data)
}

func (f *fileZilla) noErrors() {
	f.t.Helper()
	for line := range strings.Lines(f.messages()) {
		if strings.Contains(line, "Error:") {
			f.t.Errorf("FileZilla says %s", line)
		}
	}
}

// place is where on the screen something is.
type place struct{ x, y string }

// In the middle of FileZilla's lists of files, below the few that are there.
var (
	localList  = place{"300", "500"}
	remoteList = place{"900", "500"}
)

// transferAll selects all in a list, and takes what is first in its menu: "Upload" or
// "Download". Nothing tells when FileZilla is ready to listen, so it tries again.
func (f *fileZilla) transferAll(list place) {
	f.t.Helper()
	for range 10 {
		f.xdotool("search", "--onlyvisible", "--class", "filezilla", "windowactivate", "--sync")
		f.xdotool("mousemove", list.x, list.y, "click", "1", "key", "ctrl+a", "key", "Menu")
		if f.soon(func() bool { return f.windows() == 2 }) {
			f.xdotool("key", "Down", "key", "Return")
			if f.soon(func() bool { return strings.Contains(f.messages(), "Status: Starting ") }) {
				return
			}
		}
		f.xdotool("key", "Escape")
	}
	f.t.Fatal("no transfer starts")
}

func (f *fileZilla) xdotool(args ...string) {
	f.t.Helper()
	if _, err := f.screen.xdotool(args...); err != nil {
		f.t.Fatal(err)
	}
}

// windows counts FileZilla's; a menu is one.
func (f *fileZilla) windows() int {
	f.t.Helper()
	out, err := f.screen.xdotool("search", "--onlyvisible", "--class", "filezilla")
	if err != nil {
		f.t.Fatal(err)
	}
	return len(strings.Fields(out))
}

// soon waits some seconds for what may not come.
func (f *fileZilla) soon(come func() bool) bool {
	for range 50 {
		if come() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}
