package server_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/encoding"
)

// Whatever bytes a client names a file with: by these it finds the file, in a listing too,
// and can fetch and delete it. So it is in each charset that is set, and in none.
func TestAnyBytesAreAName(t *testing.T) {
	for _, charset := range append(encoding.Names(), "auto") {
		t.Run(charset, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 8))
			r := newRig(t, nil)
			c := r.login("alice")
			c.do("200", "SITE CHARSET %s", charset)
			for range 6 {
				names := someNames(random)
				for _, name := range names {
					c.put("226", "STOR "+telnet(name), []byte(name))
				}
				listed := lines(c.get("NLST"))
				for _, name := range names {
					if !slices.Contains(listed, name) {
						t.Errorf("%q is not in the listing %q", name, listed)
					}
					if got := c.get("RETR " + telnet(name)); got != name {
						t.Errorf("%q holds %q", name, got)
					}
					c.do("250", "DELE %s", telnet(name))
				}
				if left := r.login("alice").get("NLST"); left != "" {
					t.Fatalf("left over: %q", left)
				}
			}
		})
	}
}

// someNames makes some names that differ, of bytes that may be in one.
func someNames(random *rand.Rand) (names []string) {
	pieces := []string{"=", "=x", "=u4E2D", "=xE9", "E9", "\\", "~", "\x81", "\xff", "\x80", "\xa1\xa1", "中", "é", "я", " ", ".", "0"}
	for len(names) < 3 {
		var b strings.Builder
		for range 1 + random.IntN(6) {
			if random.IntN(3) == 0 {
				b.WriteString(pieces[random.IntN(len(pieces))])
			} else {
				b.WriteByte(byte(0x80 + random.IntN(0x80)))
			}
		}
		name := "n" + b.String() + "n" // no spaces at the ends, which clients cannot name alone
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
