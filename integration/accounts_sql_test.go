package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// administrator works with the statements of docs/sql.md, and with no others.
type administrator struct {
	t     *testing.T
	node  *spdtest.SPD
	other *spdtest.SPD // of the same database, for which every change holds as well
	page  []string     // the page's statements
}

func newAdministrator(t *testing.T) *administrator {
	t.Helper()
	a := &administrator{t: t}
	a.node = spdtest.Start(t, spdtest.Options{
		Servers: servers, Config: map[string]string{"s3.bucket": "spd"},
	})
	a.other = join(t, a.node, "other", nil)
	for _, e := range examples(t, "docs/sql.md", "") {
		for statement := range strings.SplitSeq(e.text, ";\n") {
			if statement = strings.TrimSpace(statement); e.lang == "sql" && statement != "" {
				a.page = append(a.page, statement)
			}
		}
	}
	return a
}

// does runs the only statement of the page that holds a text.
func (a *administrator) does(text string) string {
	a.t.Helper()
	var found []string
	for _, statement := range a.page {
		if strings.Contains(statement, text) {
			found = append(found, statement)
		}
	}
	if len(found) != 1 {
		a.t.Fatalf("%d statements of docs/sql.md hold %q", len(found), text)
	}
	return a.node.SQL(found[0] + ";")
}

const (
	welcome = 0
	refused = 67 // CURLE_LOGIN_DENIED
)

// login wants curl's exit code for a login on either node.
func (a *administrator) login(name, password string, want int) {
	a.t.Helper()
	for _, node := range []*spdtest.SPD{a.node, a.other} {
		if r := run(a.t, nil, "curl", "-sS", "-u", name+":"+password, node.URL()+"/"); r.code != want {
			a.t.Errorf("%s logs in: exit code %d, want %d\n%s", name, r.code, want, r.stderr)
		}
	}
}

// upload stores a file, or must not be able to.
func (a *administrator) upload(name, password, path string, allowed bool) {
	a.t.Helper()
	file := write(a.t, filepath.Join(a.t.TempDir(), "f"), []byte("hello"))
	if r := run(a.t, nil, "curl", "-sS", "-u", name+":"+password, "-T", file, a.node.URL()+"/"+path); (r.code == 0) != allowed {
		a.t.Errorf("%s stores %s: exit code %d, allowed %v\n%s", name, path, r.code, allowed, r.stderr)
	}
}

// Accounts are made, changed and removed by nothing but statements of the documentation.
func TestAccountsBySQLOfTheDocs(t *testing.T) {
	t.Parallel()
	a := newAdministrator(t)
	a.does("VALUES ('alice', '{plain}first secret'")
	a.upload("alice", "first secret", "from-docs", true)

	a.does("VALUES ('ingrid', '$6$")
	a.login("ingrid", "Hello world!", welcome)
	a.login("jonas", "secret", welcome)
	a.login("karin", "password", welcome)
	if got := a.does("password NOT LIKE '$argon2id$%'"); got != "" {
		t.Errorf("hashes of another system after a login: %q", got)
	}

	a.does("password = '{plain}third secret'")
	a.login("alice", "first secret", refused)
	alice := func(want int) { t.Helper(); a.login("alice", "third secret", want) }
	alice(welcome)
	for _, c := range []struct {
		change string
		want   int
		back   string
	}{
		{"SET status = 'suspended' WHERE username = 'alice'", refused, "SET status = 'active' WHERE username = 'alice'"},
		{"SET expires_at = '2030-06-30 00:00:00'", welcome, "SET expires_at = NULL"},
		{"password_expires_at = '2030-06-30 00:00:00'", welcome, "SET password_expires_at = NULL"},
		{"allowed_cidrs = '203.0.113.0/24'", refused, "SET allowed_cidrs = NULL"},
		{"tls_required = 1", refused, "SET tls_required = NULL"},
	} {
		a.does(c.change)
		alice(c.want)
		a.does(c.back)
		alice(welcome)
	}

	a.does("SET permissions = 'ro' WHERE username = 'alice'")
	a.upload("alice", "third secret", "new", false)
	a.does("SET permissions = 'list,download,upload,mkdir'")
	a.upload("alice", "third secret", "new", true)
	a.upload("alice", "third secret", "new", false) // onto itself

	a.does("VALUES ('scanner'")
	a.login("scanner", "second secret", refused) // not from here
	a.does("DELETE FROM usage_counts WHERE username = 'scanner'")
	a.does("SET username = 'scanner-1'")
	if got := a.does("WHERE last_login_at IS NULL"); !strings.HasPrefix(got, "scanner-1\t") || strings.Contains(got, "\n") {
		t.Errorf("who never logged in: %q", got)
	}
	a.does("DELETE FROM users WHERE username = 'scanner-1'")
	if got := a.does("WHERE last_login_at IS NULL"); got != "" {
		t.Errorf("who never logged in: %q", got)
	}
}

func TestGroupsBySQLOfTheDocs(t *testing.T) {
	t.Parallel()
	a := newAdministrator(t)
	a.does("VALUES ('company', 'spd'")
	a.does("VALUES ('office', 'company'")
	a.does("VALUES ('marta'")
	a.does("VALUES ('alice', '{plain}first secret'")
	marta := func(want int) { t.Helper(); a.login("marta", "fourth secret", want) }
	marta(welcome)
	a.upload("marta", "fourth secret", "f", false) // company says ro
	a.does("UPDATE `groups` SET permissions = 'rw'")
	a.upload("marta", "fourth secret", "f", true)
	a.does("SET quota_bytes = NULL, permissions = NULL, prefix = NULL")
	if got := curl(t, "-u", "marta:fourth secret", a.node.URL()+"/f"); got != "hello" {
		t.Errorf("marta's file holds %q", got)
	}
	if out, code := a.node.Run("user", "show", "marta"); code != 0 || !strings.Contains(out, "office/marta/") || !strings.Contains(out, "from group company") {
		t.Errorf("user show: exit code %d\n%s", code, out)
	}

	a.does("SET group_name = 'office'")
	a.does("SET status = 'suspended' WHERE name = 'office'")
	marta(refused)
	a.login("alice", "first secret", refused)
	a.does("SET group_name = NULL")
	a.login("alice", "first secret", welcome)
	a.does("SET status = 'active' WHERE name = 'office'")
	marta(welcome)

	for _, statement := range []string{
		"INSERT INTO user_paths (username", "INSERT INTO user_paths (group_name", "UPDATE user_paths", "DELETE FROM user_paths",
		"INSERT INTO mounts (group_name", "INSERT INTO mounts (username", "UPDATE mounts", "DELETE FROM mounts",
		"SET allowed_names = '*.pdf", "SET allowed_names = NULL", "SET allowed_hours = NULL", "FROM v_usage",
	} {
		a.does(statement)
		a.login("alice", "first secret", welcome)
		marta(welcome)
	}
	a.does("DELETE FROM users WHERE username = 'marta'")
	marta(refused)
	a.does("DELETE FROM `groups`")
}

// Hours that are over keep everybody out.
func TestHoursBySQLOfTheDocs(t *testing.T) {
	t.Parallel()
	a := newAdministrator(t)
	a.does("VALUES ('alice', '{plain}first secret'")
	a.does("SET allowed_hours = 'Mon-Fri") // who knows what day it is
	tomorrow := time.Now().UTC().Add(36 * time.Hour).Format("Mon")
	a.node.SQL("UPDATE users SET allowed_hours = '" + tomorrow + " 00:00-24:00'")
	a.login("alice", "first secret", refused)
	a.node.AwaitLog("outside allowed_hours")
	a.does("SET allowed_hours = NULL")
	a.login("alice", "first secret", welcome)
}
