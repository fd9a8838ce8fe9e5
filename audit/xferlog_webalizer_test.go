package audit

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A program that others have written for xferlog reads each line, and finds in it what was
// meant.
func TestWebalizerReadsXferlog(t *testing.T) {
	dir := t.TempDir()
	var lines []byte
	for _, path := range []string{"/plain.bin", "/with  spaces .bin", "/tab\tand\nline\r\n.bin", "/中文/文件 名.bin", "/ c c c c.bin"} {
		for _, user := range []string{"alice", "a b", ""} {
			for _, kind := range []Action{Upload, Download} {
				e := transfer(kind, path)
				e.User, e.Bytes = user, 10<<10
				lines = append(Xferlog(time.UTC)(lines, e), '\n')
			}
		}
	}
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	config := write("conf", fmt.Sprintf("OutputDir %s\nDumpPath %[1]s\nDumpURLs yes\nDumpUsers yes\nDumpSites yes\nHostName spd\n", dir))
	out, err := exec.Command("webalizer", "-c", config, "-F", "ftp", write("xferlog", string(lines))).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("30 records in")) || bytes.Contains(out, []byte("ignored")) {
		t.Fatalf("webalizer: %v\n%s", err, out)
	}
	for name, want := range map[string][]string{
		"url":  {"6 60 /_c_c_c_c.bin", "6 60 /plain.bin", "6 60 /tab_and_line__.bin", "6 60 /with__spaces_.bin", "6 60 /中文/文件_名.bin"},
		"user": {"10 10 100 1 _", "10 10 100 1 a_b", "10 10 100 1 alice"},
		"site": {"30 30 300 0 192.0.2.1"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name+"_202603.tab"))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\t", " ")), "\n")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
