package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// speaker is a client that sends names in a legacy charset, and files as its user names them.
type speaker struct {
	charset string // as SPD calls it
	iconv   string // as lftp does
	user    string
	files   []string
}

func speakers() []speaker {
	return []speaker{
		{"GBK", "GBK", "zhang", []string{
			"新建文件夹/会议记录 (1).txt", "新建文件夹/财务报表_2024.xls", "照片/IMG_0001.jpg", "照片/2024-05-01 上海（外滩）.jpg", "合同.doc", "readme.txt",
		}},
		{"Big5", "BIG5", "chen", []string{
			"新增資料夾/會議記錄 (1).txt", "新增資料夾/財務報表_2024.xls", "相片/IMG_0001.jpg", "相片/香港、台北與功課.jpg", "合約.doc", "readme.txt",
		}},
		{"Shift_JIS", "CP932", "sato", []string{
			"新しいフォルダ/会議の議事録 (1).txt", "新しいフォルダ/予算表_2024.xls", "写真/IMG_0001.jpg", "写真/東京と表示.jpg", "契約書.doc", "readme.txt",
		}},
		{"windows-1251", "CP1251", "ivanov", []string{
			"Новая папка/Протокол (1).txt", "Новая папка/Отчёт_2024.xls", "Фото/IMG_0001.jpg", "Фото/Моя семья и я.jpg", "Договор.doc", "readme.txt",
		}},
	}
}

// dial connects as the speaker's user, without a word of charsets.
func (p speaker) dial(t *testing.T, s *spdtest.SPD) *spdtest.FTPClient {
	t.Helper()
	return spdtest.LoginFTP(t, s.Addr(), p.user, "secret")
}

// lftp runs a script as the speaker's user.
func (p speaker) lftp(t *testing.T, s *spdtest.SPD, settings, script string) string {
	t.Helper()
	return lftp(t, s.URL(), fmt.Sprintf("%s\nopen -u %s,secret %s\n%s", settings, p.user, s.URL(), script))
}

// settings make lftp speak the charset. It minds ftp:charset only if the server is not known
// to support UTF-8, as servers of old were not.
func (p speaker) settings() string {
	return "set file:charset UTF-8; set ftp:use-feat no; set ftp:use-mlsd no; set ftp:charset " + p.iconv
}

// wire is a name in the bytes of the speaker, as the control connection has them.
func (p speaker) wire(t *testing.T, name string) string {
	t.Helper()
	c, err := encoding.Lookup(p.charset)
	if err != nil {
		t.Fatal(err)
	}
	return c.Encode(name)
}

// A tree goes up in a charset that nobody has announced. Clients of UTF-8 see the right
// names, and those of the charset get back what they have sent, byte for byte.
func TestLftpCharsets(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	bucket := bucketOf(t, s)
	for _, p := range speakers() {
		t.Run(p.charset, func(t *testing.T) {
			s.AddUser(p.user, "secret")
			source := filepath.Join(t.TempDir(), "tree")
			for _, name := range p.files {
				write(t, filepath.Join(source, name), []byte(name))
			}
			if out := p.lftp(t, s, p.settings()+"; debug 5 -o /dev/stdout", "mirror -R "+source+" tree"); !strings.Contains(out, "STOR "+p.wire(t, p.files[4])) {
				t.Errorf("lftp did not send the bytes of %s:\n%q", p.charset, out)
			}
			for _, name := range p.files {
				if got := storedAs(t, bucket, p.user+"/tree/"+name); got != name {
					t.Errorf("%s holds %q", name, got)
				}
			}

			modern := p.lftp(t, s, "", "find tree")
			for _, name := range p.files {
				if !strings.Contains(modern, "tree/"+name+"\n") {
					t.Errorf("a client of UTF-8 sees no %s in\n%s", name, modern)
				}
			}

			raw := p.dial(t, s).Get("NLST -R tree")
			for _, name := range p.files {
				if !strings.Contains(raw, p.wire(t, filepath.Base(name))+"\r\n") {
					t.Errorf("no bytes of %s in %q", name, raw)
				}
			}

			back := filepath.Join(t.TempDir(), "back")
			p.lftp(t, s, p.settings(), "mirror tree "+back)
			sameTrees(t, source, back)
			before := stored(s)
			p.lftp(t, s, p.settings(), "mirror -R "+source+" tree")
			if got := stored(s) - before; got != 0 {
				t.Errorf("%d files were sent again", got)
			}
			p.lftp(t, s, p.settings(), "rm -r tree")
			if left := objectsBelow(t, bucket, p.user+"/tree"); len(left) > 0 {
				t.Errorf("left over: %q", left)
			}
		})
	}
}

// What an account's session has turned out to speak is how its next one begins. It is
// written when that changes, and not for accounts whose charset is set.
func TestCharsetSeen(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{})
	gbk, russian := speakers()[0], speakers()[3]
	s.SQL(`CREATE TABLE seen_writes (username VARCHAR(255), charset VARCHAR(64));
CREATE TRIGGER seen_writes AFTER UPDATE ON users FOR EACH ROW
	INSERT INTO seen_writes SELECT NEW.username, NEW.charset_seen FROM DUAL WHERE NEW.last_login_at <=> OLD.last_login_at AND NEW.password = OLD.password`)
	s.AddUser(gbk.user, "secret")
	s.AddUser("fixed", "secret", "--charset", "Big5")

	// session runs a session, which sends files and says what a listing was before.
	session := func(p speaker, user string, files ...string) (before string) {
		t.Helper()
		p.user = user
		c := p.dial(t, s)
		before = c.Get("NLST")
		for _, name := range files {
			c.Put("226", "STOR "+strings.ReplaceAll(p.wire(t, filepath.Base(name)), "\xff", "\xff\xff"), nil)
		}
		c.Do("221", "QUIT")
		c.Closed()
		return before
	}
	seen := func(user, want string, writes int) {
		t.Helper()
		spdtest.Await(t, "charset_seen is "+want, func() error {
			got := s.SQL("SELECT COALESCE(charset_seen, '') FROM users WHERE username = '" + user + "'; SELECT COUNT(*) FROM seen_writes WHERE username = '" + user + "'")
			if got != fmt.Sprintf("%s\n%d", want, writes) {
				return fmt.Errorf("got %q", got)
			}
			return nil
		})
	}

	session(gbk, gbk.user, "readme.txt")
	seen(gbk.user, "", 0) // ASCII tells nothing
	session(gbk, gbk.user, gbk.files[:4]...)
	seen(gbk.user, "GBK", 1)
	if before := session(gbk, gbk.user, gbk.files[:4]...); !strings.Contains(before, gbk.wire(t, "财务报表_2024.xls")+"\r\n") {
		t.Errorf("the next session begins with %q", before)
	}
	session(russian, gbk.user, "readme.txt")
	session(russian, gbk.user, russian.files[:4]...)
	seen(gbk.user, "windows-1251", 2) // of all those sessions, two had something new to tell
	session(gbk, "fixed", gbk.files[:4]...)
	if before := session(gbk, "fixed"); strings.Contains(before, "财务") || !strings.Contains(before, gbk.wire(t, "财务报表_2024.xls")) {
		t.Errorf("with a charset that is set: %q", before)
	}
	s.SQL("UPDATE users SET charset_seen = 'GBK' WHERE username = 'fixed'")
	s.SQL("DELETE FROM seen_writes")
	big5 := speakers()[1]
	session(big5, "fixed", big5.files[:2]...)
	seen("fixed", "GBK", 0)
	if got := lines(spdtest.LoginFTP(t, s.Addr(), "fixed", "secret").Get("NLST")); !slices.Contains(got, big5.wire(t, "會議記錄 (1).txt")) {
		t.Errorf("the account's charset does not win: %q", got)
	}
}

func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' })
}
