package integration

import (
	"context"
	"database/sql"
	"encoding/json"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// The documentation is run: its examples against a real server, its SQL against real
// databases, its links against the files.

// exampleTimeout is for one example, which may start several programs.
const exampleTimeout = 2 * time.Minute

// example is a fenced block of a page.
type example struct {
	mark string // of the comment before it, as in <!-- run: demo -->
	lang string
	text string
}

// page reads a file of the documentation, named from the module's root.
func page(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// examples finds a page's blocks of this mark, or all if it is "".
func examples(t *testing.T, name, mark string) []example {
	t.Helper()
	block := regexp.MustCompile("(?ms)(?:^<!-- ([^>]*) -->\n)?^```(\\w+)\n(.*?)^```$")
	var found []example
	for _, m := range block.FindAllStringSubmatch(page(t, name), -1) {
		if mark == "" || m[1] == mark {
			found = append(found, example{mark: m[1], lang: m[2], text: m[3]})
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s: no example %q", name, mark)
	}
	return found
}

// with replaces words of an example by those of the test, in pairs. Each must be there.
func (e example) with(t *testing.T, pairs ...string) string {
	t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		if !strings.Contains(e.text, pair[0]) {
			t.Fatalf("%q is not in this example:\n%s", pair[0], e.text)
		}
	}
	return strings.NewReplacer(pairs...).Replace(e.text)
}

// runExample runs an example's text in a folder; it must succeed.
func runExample(t *testing.T, dir, lang, text string) {
	t.Helper()
	interpreters := map[string][]string{"sh": {"sh", "-eu", "-c"}, "python": {"python3", "-c"}}
	args, ok := interpreters[lang]
	if !ok {
		t.Fatalf("nothing runs examples in %q", lang)
	}
	ctx, cancel := context.WithTimeout(t.Context(), exampleTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], append(args[1:], text)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
	cmd.WaitDelay = time.Second // for what the shell has started
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, text, out)
	}
}

// newReader is a folder as somebody has it who has just fetched the project.
func newReader(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(page(t, "README.md")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "docs"), os.DirFS("../docs")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDocsDemoExamples(t *testing.T) {
	for _, name := range []string{"README.md", "docs/clients.md"} {
		for _, e := range examples(t, name, "run: demo") {
			title := strings.ReplaceAll(name+" "+e.lang, "/", " ")
			t.Run(title, func(t *testing.T) {
				dir := newReader(t)
				demo := spdtest.NewDemo(t, filepath.Join(dir, "spd-demo"))
				demo.Start()
				ports := strings.NewReplacer("2121", portOf(t, demo.URL()), "8021", portOf(t, demo.Admin()))
				runExample(t, dir, e.lang, ports.Replace(e.text))
			})
		}
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// The README shows what the demo prints.
func TestDocsDemoOutput(t *testing.T) {
	demo := spdtest.NewDemo(t, t.TempDir())
	demo.Start()
	want := examples(t, "README.md", "output: demo")[0].with(t, "ftp://127.0.0.1:2121", demo.URL(),
		"http://127.0.0.1:8021", demo.Admin(), "/home/you/spdserver/spd-demo", demo.Dir)
	if got := demo.Output(); !strings.Contains(got, want) {
		t.Errorf("the README shows:\n%s\nthe demo prints:\n%s", want, got)
	}
}

// docs/operations.md lists SPD's metrics, all of them and no other.
func TestDocsMetrics(t *testing.T) {
	dir := newReader(t)
	demo := spdtest.NewDemo(t, filepath.Join(dir, "spd-demo"))
	demo.Start()
	runExample(t, dir, "sh", "curl -sS -T README.md -u demo:demo "+demo.URL()+"/ && curl -sS "+demo.Admin()+"/metrics > metrics")
	metrics, err := os.ReadFile(filepath.Join(dir, "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(page(t, "docs/operations.md"), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n\nAnd those of Go")
	got, want := names(`(?m)^# HELP (spd_\w+)`, string(metrics)), names("(?m)^\\| `(spd_\\w+)", section)
	want = slices.DeleteFunc(want, func(name string) bool { // the demo has no sink
		return strings.HasPrefix(name, "spd_audit_")
	})
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("the demo has %q, docs/operations.md %q", got, want)
	}
}

// names finds what a pattern's group matches, sorted.
func names(pattern, text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return found
}

// The README's steps from an empty database to the first login.
func TestDocsServeSteps(t *testing.T) {
	steps := examples(t, "README.md", "run: serve")
	var languages []string
	for _, step := range steps {
		languages = append(languages, step.lang)
	}
	if !slices.Equal(languages, []string{"sql", "yaml", "sh", "sql", "sh"}) {
		t.Fatalf("this test follows other steps than these: %q", languages)
	}
	dir, server, ftp := newReader(t), spdtest.MariaDB(t), spdtest.FreeAddr(t)
	if err := os.Symlink(spdtest.Program(t), filepath.Join(dir, "spdserver")); err != nil {
		t.Fatal(err)
	}

	// The test's server has an account spd already.
	root := openSQL(t, "mysql", "spd:spdpass@tcp("+server.Addr+")/")
	execAll(t, root, steps[0].with(t, "'spd'@'%'", "'reader'@'%'"))
	writeServeConfig(t, dir, steps[1], server.Addr, ftp)
	runExample(t, dir, "sh", "./spdserver check --config spd.yaml")
	serveIn(t, dir)

	runExample(t, dir, "sh", steps[2].text)
	accounts := openSQL(t, "mysql", "reader:change-me@tcp("+server.Addr+")/spd")
	execAll(t, accounts, steps[3].text)
	login := steps[4].with(t, "127.0.0.1:21", ftp)
	runExample(t, dir, "sh", login)
	runExample(t, dir, "sh", strings.ReplaceAll(login, "alice:a good password", "bob:another good one"))

	for _, e := range examples(t, "docs/security.md", "") {
		switch e.lang {
		case "sql":
			execAll(t, root, e.text)
		case "json":
			if !json.Valid([]byte(e.text)) {
				t.Errorf("not JSON:\n%s", e.text)
			}
		}
	}
}

// writeServeConfig writes the README's spd.yaml with the addresses and keys of the test.
func writeServeConfig(t *testing.T, dir string, e example, database, ftp string) {
	t.Helper()
	text := e.with(t, `":21"`, ftp, "50000-50999", "0", "http://127.0.0.1:9000", servers.S3.URL,
		"spd-admin", servers.S3.AccessKey, "change-me-too", servers.S3.SecretKey,
		"spd:change-me@127.0.0.1:3306", "reader:change-me@"+database)
	text += "\nadmin: {listen: " + spdtest.FreeAddr(t) + "}\n"
	if err := os.WriteFile(filepath.Join(dir, "spd.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveIn runs the README's serve until the test ends.
func serveIn(t *testing.T, dir string) {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, "spd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	admin := regexp.MustCompile(`admin: {listen: (.*)}`).FindStringSubmatch(string(config))
	cmd := exec.Command("./spdserver", "serve", "--config", "spd.yaml")
	cmd.Dir = dir
	spdtest.StartProcess(t, cmd, spdtest.HTTPReady("http://"+admin[1]+"/readyz"))
}

// The statements of docs/sql.md run, in order, on all kinds of databases, and what they
// leave behind is an account that SPD can read.
func TestDocsSQL(t *testing.T) {
	for _, kind := range databases(t) {
		t.Run(kind.driver, func(t *testing.T) {
			program, raw := kind.open(t)
			for _, e := range examples(t, "docs/sql.md", "") {
				if e.lang != "sql" {
					continue
				}
				execAll(t, raw, e.text)
				if _, err := program.ListUsers(t.Context()); err != nil {
					t.Errorf("%v, after\n%s", err, e.text)
				}
			}
		})
	}
}

// docs/sql.md has every column of the schema, and no other.
func TestDocsColumns(t *testing.T) {
	documented := documentedColumns(page(t, "docs/sql.md"))
	for _, kind := range databases(t) {
		t.Run(kind.driver, func(t *testing.T) {
			_, raw := kind.open(t)
			columns := make(map[string]bool)
			rows, err := raw.QueryContext(t.Context(), kind.columns)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }() // only read
			for rows.Next() {
				var table, column string
				if err := rows.Scan(&table, &column); err != nil {
					t.Fatal(err)
				}
				columns[table+"."+column] = true
				if !documented[table+"."+column] {
					t.Errorf("%s.%s is not documented", table, column)
				}
			}
			if err := rows.Err(); err != nil || len(columns) < 10 {
				t.Fatalf("%d columns, %v", len(columns), err)
			}
			for name := range documented {
				if !columns[name] {
					t.Errorf("%s is documented, but does not exist", name)
				}
			}
		})
	}
}

// documentedColumns finds "table.column" in the tables under "## table" that begin with
// "| Column"; a section without one names its columns in its text.
func documentedColumns(text string) map[string]bool {
	found := make(map[string]bool)
	for _, section := range strings.Split(text, "\n## ")[1:] {
		table, body, _ := strings.Cut(section, "\n")
		if strings.Contains(table, " ") {
			continue // about no table
		}
		pattern := "`(\\w+)`"
		if _, rows, ok := strings.Cut(body, "| Column"); ok {
			body, _, _ = strings.Cut(rows, "\n\n")
			pattern = "(?m)^\\| `(\\w+)`"
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(body, -1) {
			found[table+"."+m[1]] = true
		}
	}
	return found
}

// databaseKind is a database that SPD can work with.
type databaseKind struct {
	driver  string
	dsn     string // as in SPD's configuration
	raw     string // as the driver wants it
	columns string // a query of table and column names
}

// databases has an empty one of each kind.
func databases(t *testing.T) []databaseKind {
	t.Helper()
	dsn, file := servers.Database.NewDatabase(), filepath.Join(t.TempDir(), "spd.db")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return []databaseKind{
		{
			driver: "mysql", dsn: dsn, raw: u.User.String() + "@tcp(" + u.Host + ")" + u.Path,
			columns: "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()",
		},
		{
			driver: "sqlite", dsn: "sqlite://" + file, raw: "file:" + file + "?_pragma=foreign_keys(1)",
			columns: `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
				WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite%'`,
		},
	}
}

// open returns the migrated database, as SPD has it and as an administrator.
func (k databaseKind) open(t *testing.T) (*db.DB, *sql.DB) {
	t.Helper()
	program, err := db.Open(t.Context(), k.dsn, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := program.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := program.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return program, openSQL(t, k.driver, k.raw)
}

func openSQL(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	handle, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := handle.Close(); err != nil {
			t.Error(err)
		}
	})
	return handle
}

// execAll runs statements, each of which ends with a line.
func execAll(t *testing.T, handle *sql.DB, text string) {
	t.Helper()
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := handle.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%v\n%s", err, statement)
		}
	}
}

// Links lead to files of the project, and to headings that are there.
func TestDocsLinks(t *testing.T) {
	root := os.DirFS("..")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	walkModule(t, func(name string) {
		if filepath.Ext(name) != ".md" {
			return
		}
		for _, m := range link.FindAllStringSubmatch(withoutCode(page(t, name)), -1) {
			checked++
			checkLink(t, root, name, m[1])
		}
	})
	if checked < 20 {
		t.Fatalf("%d links found", checked)
	}
}

// skipFolder leaves a folder out, unless something is wrong.
func skipFolder(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

func checkLink(t *testing.T, root fs.FS, from, target string) {
	t.Helper()
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return // not ours to check
	}
	file, heading, _ := strings.Cut(target, "#")
	file = filepath.Join(filepath.Dir(from), file)
	if strings.HasPrefix(target, "#") {
		file = from
	}
	if _, err := fs.Stat(root, file); err != nil {
		t.Errorf("%s: link to %s: %v", from, target, err)
		return
	}
	if heading != "" && !slices.Contains(headings(page(t, file)), heading) {
		t.Errorf("%s: link to %s: no such heading", from, target)
	}
}

// headings lists a page's headings as GitHub makes anchors of them.
func headings(text string) []string {
	var anchors []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(withoutCode(text), -1) {
		anchors = append(anchors, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return anchors
}

// withoutCode drops blocks and words of code, which may look like links.
func withoutCode(text string) string {
	text = regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllStringFunc(text, func(code string) string {
		return strings.Trim(code, "`()[]")
	})
}

// The addresses of the examples are the demo's defaults.
func TestDocsPortsAreTheDefaults(t *testing.T) {
	help, err := exec.Command(spdtest.Program(t), "demo", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1:2121", "127.0.0.1:8021"} {
		if _, _, err := net.SplitHostPort(address); err != nil || !strings.Contains(string(help), address) {
			t.Errorf("%s is not a default of the demo:\n%s", address, help)
		}
	}
}
