package encoding

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table of docs/encodings.md names only charsets and aliases that Lookup knows.
func TestDocumentedNamesAreKnown(t *testing.T) {
	page, err := os.ReadFile("../docs/encodings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| Charset | Other names |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	names := regexp.MustCompile(`[A-Za-z][\w-]*\d[\w-]*|SJIS|UJIS|UHC|ASCII|GBK|KOI8-[RU]|EUC-[A-Z]+`).FindAllString(table, -1)
	if len(names) < 30 {
		t.Fatalf("only %d names found: %q", len(names), names)
	}
	for _, name := range names {
		if _, err := Lookup(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range Names() {
		if !strings.Contains(table, name) && !strings.HasPrefix(name, "windows-125") && !strings.HasPrefix(name, "ISO-8859-") {
			t.Errorf("%s is not in the table", name)
		}
	}
}
