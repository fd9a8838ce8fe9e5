package store

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	long := strings.Repeat("x", MaxNameLength)
	good := []string{
		"a", "a/", "a/b", "a/b/", " ", ".a", "..a", "a..", "...", `a\b`, "a%2Fb", "é", "e\u0301",
		long, long + "/" + long, strings.Repeat("a/", MaxKeyLength/2), "\x01",
	}
	for _, key := range good {
		if err := CheckKey(key); err != nil {
			t.Errorf("CheckKey(%.40q) = %v", key, err)
		}
	}
	bad := []string{
		"", "/", "/a", "//", "a//", "a//b", ".", "..", "./a", "a/.", "a/..", "a/../b", "a/./", "a\x00b",
		"\xff", "a/\xc3", long + "x", "a/" + long + "x/b", strings.Repeat("a/", MaxKeyLength/2) + "a",
	}
	for _, key := range bad {
		if err := CheckKey(key); !errors.Is(err, ErrBadName) {
			t.Errorf("CheckKey(%.40q) = %v, want ErrBadName", key, err)
		}
	}
}

func TestCanBePrefix(t *testing.T) {
	for prefix, want := range map[string]bool{
		"": true, "a": true, "a/": true, "a/.": true, "a/..": true, "a/../": false, "a//": false, "/": false,
		"\xff": false, strings.Repeat("a/", MaxKeyLength/2): true, strings.Repeat("x", MaxNameLength+1): false,
	} {
		if got := CanBePrefix(prefix); got != want {
			t.Errorf("CanBePrefix(%.40q) = %v, want %v", prefix, got, want)
		}
	}
}
