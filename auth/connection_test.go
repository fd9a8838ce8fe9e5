package auth

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func nets(t *testing.T, s string) []netip.Prefix {
	t.Helper()
	p, err := ParseCIDRs(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAdmit(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) // a Friday
	from := func(addr string) Connection { return Connection{From: netip.MustParseAddr(addr)} }
	home := from("192.0.2.1")
	secure, certified := home, home
	secure.TLS = true
	certified.TLS, certified.ClientCN = true, "scanner"
	for _, c := range []struct {
		name    string
		account Account
		conn    Connection
		want    string // of the error; "" means admitted
	}{
		{"active", Account{Status: Active}, home, ""},
		{"suspended", Account{Status: Suspended}, home, "suspended"},
		{"no status", Account{}, home, "account is"},
		{"expires now", Account{Status: Active, ExpiresAt: now}, home, "expired"},
		{"expires later", Account{Status: Active, ExpiresAt: now.Add(time.Nanosecond)}, home, ""},
		{"inside", Account{Status: Active, AllowedCIDRs: nets(t, "10.0.0.0/8,192.0.2.0/24")}, home, ""},
		{"IPv4 in IPv6", Account{Status: Active, AllowedCIDRs: nets(t, "192.0.2.1")}, from("::ffff:192.0.2.1"), ""},
		{"IPv6 with zone", Account{Status: Active, AllowedCIDRs: nets(t, "fe80::/10")}, from("fe80::1%eth0"), ""},
		{"outside", Account{Status: Active, AllowedCIDRs: nets(t, "10.0.0.0/8")}, home, "allowed_cidrs"},
		{"loopback is not special", Account{Status: Active, AllowedCIDRs: nets(t, "10.0.0.0/8")}, from("127.0.0.1"), "allowed_cidrs"},
		{"other family", Account{Status: Active, AllowedCIDRs: nets(t, "0.0.0.0/0")}, from("2001:db8::1"), "allowed_cidrs"},
		{"no address", Account{Status: Active, AllowedCIDRs: nets(t, "::/0")}, Connection{}, "allowed_cidrs"},
		{"in its hours", Account{User: User{AllowedHours: hours(t, "Fri 12:00-13:00")}, Status: Active}, home, ""},
		{"outside its hours", Account{User: User{AllowedHours: hours(t, "Fri 12:01-13:00")}, Status: Active}, home, "allowed_hours"},
		{"TLS", Account{User: User{TLSRequired: true}, Status: Active}, secure, ""},
		{"no TLS", Account{User: User{TLSRequired: true}, Status: Active}, home, "tls_required"},
		{"certificate", Account{User: User{ClientCN: "scanner"}, Status: Active}, certified, ""},
		{"no certificate", Account{User: User{ClientCN: "scanner"}, Status: Active}, secure, "client_cn"},
		{"another certificate", Account{User: User{ClientCN: "Scanner"}, Status: Active}, certified, "client_cn"},
		{"a certificate that is not needed", Account{Status: Active}, certified, ""},
		{"password expired", Account{Status: Active, PasswordExpiresAt: now}, home, ""},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, c.account.Admit(c.conn, now), c.want) })
	}
	wantError(t, (&Account{Status: Active, PasswordExpiresAt: now}).admitLogin(home, now), "password expired")
	wantError(t, (&Account{Status: Active, PasswordExpiresAt: now.Add(1)}).admitLogin(home, now), "")
	wantError(t, (&Account{Status: Suspended, PasswordExpiresAt: now.Add(1)}).admitLogin(home, now), "suspended")
}

// wantError wants an error that holds a text, or none if it is "".
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%v, want %q", err, want)
	}
}
