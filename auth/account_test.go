package auth

import (
	"strings"
	"testing"
)

func TestParseCIDRs(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		" , ":                       "",
		"10.1.2.3/8":                "10.0.0.0/8",
		"192.0.2.1, 2001:db8::1/32": "192.0.2.1/32,2001:db8::/32",
		"::ffff:192.0.2.1":          "192.0.2.1/32",
	} {
		p, err := ParseCIDRs(in)
		if err != nil || FormatCIDRs(p) != want {
			t.Errorf("ParseCIDRs(%q) = %v, %v; want %s", in, p, err, want)
		}
	}
	for _, in := range []string{"all", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0.0/8;::/0"} {
		if p, err := ParseCIDRs(in); err == nil {
			t.Errorf("ParseCIDRs(%q) = %v", in, p)
		}
	}
}

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "alice": "alice/", "alice/": "alice/", "a/b": "a/b/", "a..b/…": "a..b/…/", "客户/": "客户/",
	} {
		if got, err := ParsePrefix(in); got != want || err != nil {
			t.Errorf("ParsePrefix(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"/", "/alice", "..", "../", "a/../b", "a//b", "a//", "./a", "a\nb", "\xff"} {
		if got, err := ParsePrefix(in); err == nil {
			t.Errorf("ParsePrefix(%q) = %q", in, got)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"alice", "Alice Smith", "a@example.com", "客户", strings.Repeat("x", MaxStoredName)} {
		if err := CheckName(name); err != nil {
			t.Errorf("CheckName(%q): %v", name, err)
		}
	}
	for _, name := range []string{"", " ", "a ", "a/b", ".", "..", "a\x00", "a\n", "\xff", "a\u202eb", strings.Repeat("x", MaxStoredName+1)} {
		if err := CheckName(name); err == nil {
			t.Errorf("CheckName(%q) is fine", name)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for _, s := range []Status{Active, Suspended} {
		if got, err := ParseStatus(string(s)); got != s || err != nil {
			t.Errorf("ParseStatus(%q) = %q, %v", s, got, err)
		}
	}
	if _, err := ParseStatus("Active"); err == nil {
		t.Error(`"Active" is a status`)
	}
}

func TestPermissions(t *testing.T) {
	for in, want := range map[string]string{
		"rw": "rw", "ro": "ro", "upload-only": "upload-only", "none": "none", "list,download": "ro", "none,list": "list",
		"ro, upload,mkdir": "list,download,upload,mkdir",
	} {
		p, err := ParsePermissions(in)
		if err != nil || p.String() != want {
			t.Errorf("ParsePermissions(%q) = %q, %v; want %q", in, p, err, want)
		}
	}
	for _, in := range []string{"", "rw,", "RW", "all"} {
		if p, err := ParsePermissions(in); err == nil {
			t.Errorf("ParsePermissions(%q) = %q", in, p)
		}
	}
}
