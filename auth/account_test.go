package auth

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAdmit(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	nets := func(s string) []netip.Prefix {
		p, err := ParseCIDRs(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name    string
		account Account
		from    string
		want    string // of the error; "" means admitted
	}{
		{"active", Account{Status: Active}, "192.0.2.1", ""},
		{"suspended", Account{Status: Suspended}, "192.0.2.1", "suspended"},
		{"no status", Account{}, "192.0.2.1", "account is"},
		{"expires now", Account{Status: Active, ExpiresAt: now}, "192.0.2.1", "expired"},
		{"expires later", Account{Status: Active, ExpiresAt: now.Add(time.Nanosecond)}, "192.0.2.1", ""},
		{"inside", Account{Status: Active, AllowedCIDRs: nets("10.0.0.0/8,192.0.2.0/24")}, "192.0.2.1", ""},
		{"IPv4 in IPv6", Account{Status: Active, AllowedCIDRs: nets("192.0.2.1")}, "::ffff:192.0.2.1", ""},
		{"IPv6 with zone", Account{Status: Active, AllowedCIDRs: nets("fe80::/10")}, "fe80::1%eth0", ""},
		{"outside", Account{Status: Active, AllowedCIDRs: nets("10.0.0.0/8")}, "192.0.2.1", "allowed_cidrs"},
		{"loopback is not special", Account{Status: Active, AllowedCIDRs: nets("10.0.0.0/8")}, "127.0.0.1", "allowed_cidrs"},
		{"other family", Account{Status: Active, AllowedCIDRs: nets("0.0.0.0/0")}, "2001:db8::1", "allowed_cidrs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.account.Admit(Connection{From: netip.MustParseAddr(c.from)}, now)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Admit = %v, want %q", err, c.want)
			}
		})
	}
	if err := (&Account{Status: Active, AllowedCIDRs: nets("::/0")}).Admit(Connection{}, now); err == nil {
		t.Error("no address at all is admitted")
	}
}

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
		"rw": "rw", "ro": "ro", "upload-only": "upload-only", "list,download": "ro",
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
