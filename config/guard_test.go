package config

import (
	"errors"
	"strings"
	"testing"
)

// lists are the keys that hold lists, each with what can be read and what cannot.
func TestListsOfDefence(t *testing.T) {
	type text interface {
		UnmarshalText([]byte) error
		MarshalText() ([]byte, error)
	}
	for name, test := range map[string]struct {
		of        func() text
		good, bad []string
	}{
		"networks": {func() text { return new(Networks) },
			[]string{"10.0.0.0/8", "10.0.0.0/8, ::1", "192.0.2.1"},
			[]string{"x", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.0.0.0/8, 10.1.2.3/8", "10.0.0.1,"}},
		"ciphers": {func() text { return new(Ciphers) },
			[]string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
			[]string{"AES", "TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_RC4_128_SHA",
				"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}},
		"certificates": {func() text { return new(Certificates) },
			[]string{"/a.pem + /a.key", "/a.pem + /a.key, /b+c.pem + /b.key"},
			[]string{"/a.pem", "/a.pem+/a.key", " + /a.key", "/a + /b, /a + /b"}},
	} {
		for _, s := range append(test.good, "") {
			v := test.of()
			if err := v.UnmarshalText([]byte(" " + s + " ")); err != nil {
				t.Errorf("%s: %q: %v", name, s, err)
			}
			if again, err := v.MarshalText(); string(again) != s || err != nil {
				t.Errorf("%s: %q is written as %q, %v", name, s, again, err)
			}
		}
		for _, s := range test.bad {
			if err := test.of().UnmarshalText([]byte(s)); err == nil {
				t.Errorf("%s: %q is taken", name, s)
			}
		}
	}
}

func TestProblemsOfTheDefence(t *testing.T) {
	for set, want := range map[string]string{
		"GUARD_ALLOW=here":                   "no network",
		"GUARD_DENY=10.0.0.0/8,10.0.0.0/8":   "twice",
		"GUARD_ADDRESS_FAILURES=-1":          "below 0",
		"GUARD_WINDOW=0s":                    "too short",
		"GUARD_BAN_TIME=0s":                  "too short",
		"GUARD_BAN_TIME_MAX=1m":              "shorter than guard.ban_time",
		"GUARD_MAX_PENDING=2":                "4 or more",
		"GUARD_COMMANDS_BEFORE_LOGIN=1":      "6 or more",
		"GUARD_BYTES_BEFORE_LOGIN=10":        "1KiB or more",
		"FTP_PROXY_PROTOCOL_FROM=everywhere": "no network",
		"TLS_CLIENT_AUTH=maybe":              "off, request, require",
		"TLS_CLIENT_AUTH=require":            "tls.client_ca",
		"TLS_CLIENT_CA=/ca.pem":              "tls.client_auth",
		"TLS_MORE_CERTS=/a + /b":             "tls.cert",
		"TLS_CIPHERS=RC4":                    "no cipher suite",
	} {
		_, err := Load("", []string{"SPD_DATABASE_DSN=sqlite:///x", "SPD_" + set})
		if problems, _ := errors.AsType[Problems](err); len(problems) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}
