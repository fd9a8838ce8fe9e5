package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestParsePort(t *testing.T) {
	for arg, want := range map[string]string{
		"127,0,0,1,200,1":       "127.0.0.1:51201",
		"10,20,30,40,0,21":      "10.20.30.40:21",
		"255,255,255,255,255,0": "255.255.255.255:65280",
	} {
		if got, err := parsePort(arg); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{
		"", "nonsense", "127,0,0,1,200", "127,0,0,1,200,1,1", "127,0,0,1,200,256", "127,0,0,1,200,-1", "127,0,0,1,200,+1",
		"127,0,0,01,200,1", "127,0,0,1,200,1 ", " 127,0,0,1,200,1", "127, 0,0,1,200,1", "127,0,0,1,200,", "127.0.0.1.200.1", "127,0,0,1,0x10,1", "1_0,0,0,1,200,1",
	} {
		if got, err := parsePort(arg); !errors.Is(err, errAddress) {
			t.Errorf("%q: %v, %v", arg, got, err)
		}
	}
}

func TestParseEprt(t *testing.T) {
	for arg, want := range map[string]string{
		"|1|127.0.0.1|51201|":                "127.0.0.1:51201",
		"!2!::1!5000!":                       "[::1]:5000",
		"|2|1080::8:800:200C:417A|5282|":     "[1080::8:800:200c:417a]:5282",
		"#2#::ffff:127.0.0.1#5000#":          "[::ffff:127.0.0.1]:5000",
		"|1|132.235.1.2|6275|":               "132.235.1.2:6275",
		"|2|2001:db8::1|65535|":              "[2001:db8::1]:65535",
		"~1~10.0.0.1~1024~":                  "10.0.0.1:1024",
		"|1|127.0.0.1|0|":                    "127.0.0.1:0", // refused as too low
		"\x80" + "1\x8010.0.0.1\x801024\x80": "10.0.0.1:1024",
	} {
		family := "1"
		if strings.Contains(want, "[") {
			family = "2"
		}
		if got, err := parseEprt(arg, family); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", arg, got, err)
		}
	}
	for arg, want := range map[string]error{
		"|0|127.0.0.1|5000|": errFamily, "|3|127.0.0.1|5000|": errFamily, "|2|::1|5000|": errFamily, "|2|127.0.0.1|5000|": errFamily,
		"||127.0.0.1|5000|": errAddress, "|x|127.0.0.1|5000|": errAddress, "|||||": errAddress, "||||": errAddress,
		"": errAddress, "|": errAddress, "nonsense": errAddress, "|1|127.0.0.1|5000": errAddress,
		"|1|127.0.0.1|5000|x": errAddress, "|1|127.0.0.1|5000||": errAddress, "|1|::1|5000|": errAddress,
		"|1|localhost|5000|":  errAddress,
		"|1|127.0.0.1|65536|": errAddress, "|1|127.0.0.1|+5000|": errAddress, "|1|127.0.0.1|05000|": errAddress, "|1|127.0.0.01|5000|": errAddress,
	} {
		if got, err := parseEprt(arg, "1"); !errors.Is(err, want) {
			t.Errorf("%q: %v, %v, want %v", arg, got, err, want)
		}
	}
	for _, arg := range []string{"|2|127.0.0.1|5000|", "|2|fe80::1%eth0|5000|", "|2|::foo|5000|"} {
		if got, err := parseEprt(arg, "2"); !errors.Is(err, errAddress) {
			t.Errorf("%q: %v, %v", arg, got, err)
		}
	}
}

// What is taken for an address is one, written in the one way there is.
func FuzzPort(f *testing.F) {
	for _, arg := range []string{"127,0,0,1,200,1", "0,0,0,0,0,0", "1,2,3,4,5", "256,0,0,1,1,1", "01,2,3,4,5,6", ",,,,,", "\xff,\x00,1,2,3,4"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		got, err := parsePort(arg)
		if err != nil {
			return
		}
		again := fmt.Sprintf("%s,%d,%d", strings.ReplaceAll(got.Addr().String(), ".", ","), got.Port()>>8, got.Port()&255)
		if again != arg {
			t.Errorf("%q is %v, written %q", arg, got, again)
		}
	})
}

func FuzzEprt(f *testing.F) {
	for _, arg := range []string{"|1|127.0.0.1|51201|", "!2!::1!5000!", "|2|fe80::1%1|1|", "|||||", "11111", "1", "|3|x|1|", "|1|1.2.3.4|99999|"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		got, err := parseEprt(arg, "1")
		if err != nil {
			got, err = parseEprt(arg, "2")
		}
		if err != nil {
			return
		}
		fields := strings.Split(arg, arg[:1])
		ip, ipErr := netip.ParseAddr(fields[2])
		if ipErr != nil || ip != got.Addr() || fields[3] != fmt.Sprint(got.Port()) || len(fields) != 5 {
			t.Errorf("%q is %v", arg, got)
		}
	})
}
