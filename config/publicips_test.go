package config

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPublicIPs(t *testing.T) {
	ips, err := ParsePublicIPs("203.0.113.7, 10.0.0.0/8->10.1.2.3, 10.20.0.0/16 -> 10.20.0.1,10.20.30.40 -> 192.0.2.1, 2001:db8::/32 -> 198.51.100.1, 10.99.1.2/24 -> 192.0.2.99")
	if err != nil {
		t.Fatal(err)
	}
	for client, want := range map[string]string{
		"8.8.8.8": "203.0.113.7", "10.0.0.1": "10.1.2.3", "10.20.0.5": "10.20.0.1", "10.20.30.40": "192.0.2.1", "10.20.30.41": "10.20.0.1",
		"2001:db8::5": "198.51.100.1", "2001:db9::5": "203.0.113.7", "10.99.1.77": "192.0.2.99",
	} {
		if got, ok := ips.For(netip.MustParseAddr(client)); !ok || got.String() != want {
			t.Errorf("%s: %v, want %s", client, got, want)
		}
	}
	again, err := ParsePublicIPs(ips.String())
	if err != nil || again.String() != ips.String() {
		t.Errorf("%q, read again: %q, %v", ips, again, err)
	}

	some, err := ParsePublicIPs("10.0.0.0/8 -> 10.1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := some.For(netip.MustParseAddr("8.8.8.8")); ok {
		t.Errorf("an address for a client that none is set for: %v", got)
	}
	if none, err := ParsePublicIPs(" "); none != nil || err != nil {
		t.Errorf("nothing: %v, %v", none, err)
	}
}

func TestImpossiblePublicIPs(t *testing.T) {
	for text, problems := range map[string]int{
		"x": 1, "::1": 1, "0.0.0.0": 1, "1.2.3.4, 5.6.7.8": 1, ",": 2, "1.2.3.4,": 1, "10.0.0.0/8 -> ": 1, "-> 1.2.3.4": 1, "10.0.0.0/33 -> 1.2.3.4": 1,
		"10.0.0.0/8 -> 1.2.3.4 -> 5.6.7.8": 1, "fe80::1%eth0 -> 1.2.3.4": 1, "10.1.0.0/8 -> 1.2.3.4, 10.0.0.0/8 -> 1.2.3.4, x -> y, ::/0 -> ::1": 3, "1.2.3.4/24": 1,
	} {
		_, err := ParsePublicIPs(text)
		if err == nil || len(strings.Split(err.Error(), "\n")) != problems {
			t.Errorf("%q: %v, want %d problems", text, err, problems)
		}
	}
}

// A list in YAML and the text of an environment variable mean the same.
func TestPublicIPsInFileAndEnvironment(t *testing.T) {
	const want = "10.0.0.0/8 -> 10.1.2.3, 203.0.113.7"
	c, err := Load("testdata/public-ips-good.yaml", nil)
	if err != nil || c.FTP.PublicIP.String() != want {
		t.Errorf("file: %q, %v", c.FTP.PublicIP, err)
	}
	c, err = Load("testdata/public-ips-good.yaml", []string{"SPD_FTP_PUBLIC_IP=1.2.3.4"})
	if err != nil || c.FTP.PublicIP.String() != "1.2.3.4" {
		t.Errorf("environment: %q, %v", c.FTP.PublicIP, err)
	}
}
