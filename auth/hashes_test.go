package auth

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

type knownHash struct{ name, stored, pass string }

// knownHashes come from other programs: those of testdata/hashes.txt, argon2(1) of the
// reference implementation, htpasswd(1), libxcrypt, and for caching_sha2_password the
// published examples of password crackers.
func knownHashes(t testing.TB) []knownHash {
	t.Helper()
	all := []knownHash{
		{"argon2id", "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo", "secret"},
		{"argon2id UTF-8", "$argon2id$v=19$m=4096,t=2,p=2$c2FsdHNhbHRzYWx0$6JSC1pSzSSjGijpejDZURkacVijqQhsxaSKNkwusF+A", "Grüße 密码"},
		{"bcrypt 2a", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"bcrypt 2a UTF-8", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.HjfAC7Dcxi40Wnk5Kx74Fe5mhPwPc0m", "Grüße"},
		{"bcrypt 2b", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"},
		{"bcrypt 2y", "$2y$05$ruSgR13BV6GaMRfV9HWpLufttqSuUilv6PvPnh7cEfcYqMs9McOIa", "secret"},
		{"plain", "{plain}secret", "secret"},
		{"MySQL caching 1", "$A$005$" + unhex(t, "F9CC98CE08892924F50A213B6BC571A2C11778C5"+
			"625479393559393965414D45316477456B484F41316E64484742577A2E3162785353526B7554584647562F"), "hashcat"},
		{"MySQL caching 2", "$A$005$" + unhex(t, "06437A150142644D74187A6A2F0D7971094F2575"+
			"48667A67485366745A304F6A487A73704250663465337A7530325157687A51364A384D737554424939702E"), "password"},
	}
	data, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("testdata/hashes.txt: %q has %d fields", line, len(fields))
		}
		all = append(all, knownHash{fields[0], fields[1], fields[2]})
	}
	return all
}

func unhex(t testing.TB, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestKnownHashes(t *testing.T) {
	met := make(map[string]bool)
	for _, c := range knownHashes(t) {
		t.Run(c.name, func(t *testing.T) {
			s, err := schemeOf(c.stored)
			if err != nil {
				t.Fatal(err)
			}
			met[s.name] = true
			k, err := readStored(c.stored)
			if err != nil {
				t.Fatal(err)
			}
			if !k.matches(c.pass) {
				t.Error("the right password does not match")
			}
			for _, wrong := range []string{c.pass + "x", c.pass[1:], strings.ToUpper(c.pass) + "ß", ""} {
				if k.matches(wrong) {
					t.Errorf("%q matches", wrong)
				}
			}
		})
	}
	for _, s := range schemes() {
		if !met[s.name] {
			t.Errorf("no hash of %s was tried", s.name)
		}
	}
}

// One letter more or less, or another one, makes another hash or none at all.
func TestDamagedHashes(t *testing.T) {
	for _, c := range knownHashes(t) {
		if k, err := readStored(c.stored); c.name == "plain" || strings.Contains(c.name, "default rounds") ||
			err == nil && !quick(k) {
			continue
		}
		end := len(c.stored) - 3
		for _, stored := range []string{
			c.stored[:end], c.stored[:len(c.stored)/2], c.stored + "A", c.stored + "AAAA",
			c.stored[:end] + string(c.stored[end]^1) + c.stored[end+1:],
			c.stored[:end] + "\x00" + c.stored[end+1:], c.stored[:end] + "\xff" + c.stored[end+1:],
		} {
			if k, err := readStored(stored); err == nil && k.matches(c.pass) {
				t.Errorf("%s: %q matches", c.name, stored)
			}
		}
	}
}

// crypt(3) of a long password takes a time that grows with its length, so it ends
// somewhere. What follows must count all the same.
func TestCryptIsNotCutShort(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20)
	tried := 0
	for _, c := range knownHashes(t) {
		if !strings.HasSuffix(c.name, "$ 256 bytes") {
			continue
		}
		k, err := readStored(c.stored)
		if err != nil || !k.matches(long[:256]) || k.matches(long[:257]) || k.matches(long) {
			t.Errorf("%s: not just 256 bytes match: %v", c.name, err)
		}
		tried++
	}
	if tried != 3 {
		t.Errorf("%d hashes of 256 bytes, want those of $1$, $5$ and $6$", tried)
	}
}

// quick tells that comparing takes some milliseconds at most.
func quick(k kept) bool {
	switch k := k.(type) {
	case bcryptHash:
		return k.rounds <= 5
	case argonHash:
		return k.memory*k.passes <= 16*1024
	case shaCrypt:
		return k.rounds <= 5000
	case pbkdf2Hash:
		return k.rounds <= 10_000
	}
	return true
}

// Whatever is stored: no panic, and nothing over the bounds is accepted.
func FuzzReadStored(f *testing.F) {
	for _, c := range knownHashes(f) {
		f.Add(c.stored, c.pass)
	}
	for _, s := range schemes() {
		for _, prefix := range s.prefixes {
			f.Add(prefix, "secret")
			f.Add("{CRYPT}"+prefix, "secret")
			f.Add(prefix+"$$$$$", "")
			f.Add(prefix+"rounds=$", "")
		}
	}
	f.Fuzz(func(t *testing.T, stored, pass string) {
		k, err := readStored(stored)
		if (CheckStored(stored) == nil) != (err == nil) {
			t.Errorf("CheckStored and readStored differ about %q", stored)
		}
		if err != nil {
			return
		}
		withinBounds(t, k)
		if len(pass) <= MaxPasswordLength && quick(k) {
			k.matches(pass)
			k.weak()
			k.cost(len(pass))
		}
	})
}

func withinBounds(t *testing.T, k kept) {
	t.Helper()
	ok := true
	switch k := k.(type) {
	case bcryptHash:
		ok = k.rounds <= bcryptMaxCost
	case argonHash:
		ok = k.memory <= argonMaxMemory && k.passes <= argonMaxPasses && k.threads <= argonMaxThreads &&
			k.memory*k.passes <= argonMaxWork
	case shaCrypt:
		ok = within(k.rounds, cryptMinRounds, cryptMaxRounds)
	case pbkdf2Hash:
		ok = within(k.rounds, 1, pbkdf2MaxRounds)
	}
	if !ok {
		t.Errorf("over the bounds: %+v", k)
	}
}
