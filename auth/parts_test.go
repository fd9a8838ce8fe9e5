package auth

import (
	"strings"
	"testing"
	"time"
)

func TestParsePathPattern(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/in": "/in", "/in/": "/in", "/in/*": "/in/*", "/**/.git": "/**/.git", "/[a-c]?/客户": "/[a-c]?/客户",
	} {
		if got, err := ParsePathPattern(in); got != want || err != nil {
			t.Errorf("ParsePathPattern(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "in", "//", "/a//b", "/a/../b", "/./a", "/[", "/a/[a-", `/a\`, "/a\nb", "/\xff"} {
		if got, err := ParsePathPattern(in); err == nil {
			t.Errorf("ParsePathPattern(%q) = %q", in, got)
		}
	}
}

func TestPathRuleMatches(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"/", []string{"/", "/a", "/a/b"}, nil},
		{"/in", []string{"/in", "/in/a", "/in/a/b"}, []string{"/", "/inn", "/In", "/a/in"}},
		{"/in/*", []string{"/in/a", "/in/a/b"}, []string{"/in", "/"}},
		{"/*/in", []string{"/a/in", "/a/in/b"}, []string{"/in", "/a/b/in"}},
		{"/**/.git", []string{"/.git", "/a/.git", "/a/b/.git/c"}, []string{"/", "/a", "/a/git"}},
		{"/a/**/z", []string{"/a/z", "/a/b/z", "/a/b/c/z/d"}, []string{"/a", "/z", "/b/a/z"}},
		{"/**/a/b", []string{"/a/b", "/a/a/b", "/a/c/a/b"}, []string{"/a/c/b", "/b"}},
		{"/**", []string{"/", "/a", "/a/b"}, nil},
		{"/**/a/**/b", []string{"/a/b", "/x/a/y/b/z"}, []string{"/b/a", "/a"}},
		{"/*.tmp", []string{"/x.tmp"}, []string{"/d/x.tmp"}},
	} {
		for _, name := range c.yes {
			if !(PathRule{Pattern: c.pattern}).Matches(name) {
				t.Errorf("%s does not match %s", c.pattern, name)
			}
		}
		for _, name := range c.no {
			if (PathRule{Pattern: c.pattern}).Matches(name) {
				t.Errorf("%s matches %s", c.pattern, name)
			}
		}
	}
}

// No pattern makes somebody wait.
func TestPathRuleIsQuick(t *testing.T) {
	r := PathRule{Pattern: strings.Repeat("/**/a", 60) + "/b"}
	start := time.Now()
	if r.Matches(strings.Repeat("/a", 2000)) {
		t.Error("it matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestPermissionsAtPath(t *testing.T) {
	p := func(p Permissions) *Permissions { return &p }
	u := User{Permissions: ReadWrite, Paths: []PathRule{
		{Pattern: "/in", Permissions: p(UploadOnly)},
		{Pattern: "/in/done", Permissions: p(ReadOnly)},
		{Pattern: "/in/d*", Permissions: p(0)},
		{Pattern: "/**/.git", Hidden: true},
		{Pattern: "/a", Permissions: p(List)},
		{Pattern: "/*", Permissions: p(ReadOnly)},
	}}
	for _, c := range []struct {
		name   string
		want   Permissions
		hidden bool
	}{
		{"/", ReadWrite, false},
		{"/x", ReadOnly, false},
		{"/a", List, false}, // "/a" comes after "/*"
		{"/in", UploadOnly, false},
		{"/in/x/y", UploadOnly, false},
		{"/in/done/x", ReadOnly, false},
		{"/in/data", 0, false},
		{"/in/.git", UploadOnly, true},
		{"/in/done/.git/config", ReadOnly, true},
	} {
		if got, hidden := u.At(c.name); got != c.want || hidden != c.hidden {
			t.Errorf("%s: %v, hidden %v; want %v, %v", c.name, got, hidden, c.want, c.hidden)
		}
	}
}

func TestNamePatterns(t *testing.T) {
	patterns := func(s string) []string {
		p, err := ParseNamePatterns(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		allowed, denied string
		yes, no         []string
	}{
		{"", "", []string{"a", "/a/b.exe"}, nil},
		{"*.pdf, *.XML\n*.tif?", "", []string{"/in/a.PDF", "a.xml", "a.tiff", "/x.exe/a.pdf"}, []string{"a.exe", "pdf", "a.tif", "/a.pdf/b"}},
		{"", "*.exe,.*", []string{"a.exe.txt", "a.b"}, []string{"/in/A.EXE", ".htaccess"}},
		{"*.pdf", "draft-*", []string{"a.pdf"}, []string{"Draft-a.pdf", "a.doc"}},
		{"*.ÄÖÜ", "", []string{"x.äöü"}, []string{"x.aou"}},
	} {
		u := User{AllowedNames: patterns(c.allowed), DeniedNames: patterns(c.denied)}
		for _, name := range c.yes {
			if !u.AllowsName(name) {
				t.Errorf("%q, %q: %q is not allowed", c.allowed, c.denied, name)
			}
		}
		for _, name := range c.no {
			if u.AllowsName(name) {
				t.Errorf("%q, %q: %q is allowed", c.allowed, c.denied, name)
			}
		}
	}
	if got := FormatNamePatterns(patterns(" *.a ,, \r\n *.b\n")); got != "*.a,*.b" {
		t.Errorf("formatted %q", got)
	}
	for _, s := range []string{"[", "*.pdf,[a-", `a\`, "in/*.pdf", "\x01", "\xff"} {
		if p, err := ParseNamePatterns(s); err == nil {
			t.Errorf("ParseNamePatterns(%q) = %q", s, p)
		}
	}
}

func TestParseMount(t *testing.T) {
	for in, want := range map[string]string{"/shared": "/shared", "/a/b/": "/a/b", "/客户": "/客户"} {
		if got, err := ParseMountPath(in); got != want || err != nil {
			t.Errorf("ParseMountPath(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "/", "//", "shared", "/a//b", "/a/../b", "/..", "/.", "/a\n", "/\xff"} {
		if got, err := ParseMountPath(in); err == nil {
			t.Errorf("ParseMountPath(%q) = %q", in, got)
		}
	}
	if _, err := ParseMountQuota("mine"); err == nil {
		t.Error(`"mine" is a quota`)
	}
}

func TestSortMounts(t *testing.T) {
	mounts := func(paths ...string) (m []Mount) {
		for _, p := range paths {
			m = append(m, Mount{Path: p})
		}
		return m
	}
	fine := mounts("/b", "/a b", "/a/x", "/a/y")
	if err := SortMounts(fine); err != nil || fine[0].Path != "/a b" || fine[3].Path != "/b" {
		t.Errorf("%v, %v", fine, err)
	}
	wantError(t, SortMounts(mounts("/a", "/b", "/a")), "two mounts at /a")
	wantError(t, SortMounts(mounts("/a/b/c", "/a b", "/a")), "/a/b/c lies within the mount /a")
}
