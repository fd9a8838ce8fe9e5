package auth

import (
	"errors"
	"strings"
	"testing"
)

// The hashes come from other programs: argon2(1) of the reference implementation,
// htpasswd(1) and libxcrypt.
func TestKnownHashes(t *testing.T) {
	for _, c := range []struct{ name, stored, pass string }{
		{"argon2id", "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo", "secret"},
		{"argon2id UTF-8", "$argon2id$v=19$m=4096,t=2,p=2$c2FsdHNhbHRzYWx0$6JSC1pSzSSjGijpejDZURkacVijqQhsxaSKNkwusF+A", "Grüße 密码"},
		{"bcrypt 2a", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"bcrypt 2a UTF-8", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.HjfAC7Dcxi40Wnk5Kx74Fe5mhPwPc0m", "Grüße"},
		{"bcrypt 2b", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"},
		{"bcrypt 2y", "$2y$05$ruSgR13BV6GaMRfV9HWpLufttqSuUilv6PvPnh7cEfcYqMs9McOIa", "secret"},
		{"plain", "{plain}secret", "secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := schemeOf(c.stored)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckStored(c.stored); err != nil {
				t.Error("CheckStored:", err)
			}
			if ok, err := s.verify(c.stored, c.pass); !ok || err != nil {
				t.Errorf("right password: %v, %v", ok, err)
			}
			if ok, err := s.verify(c.stored, c.pass+"x"); ok || err != nil {
				t.Errorf("wrong password: %v, %v", ok, err)
			}
		})
	}
}

func TestHashPassword(t *testing.T) {
	for _, name := range []string{"argon2id", "bcrypt"} {
		hash, err := HashPassword("secret", name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schemeOf(hash)
		if err != nil || s.name != name {
			t.Fatalf("scheme of a %s hash: %q, %v", name, s.name, err)
		}
		if ok, err := s.verify(hash, "secret"); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		if s.weak(hash) {
			t.Errorf("a new %s hash counts as weak", name)
		}
		if again, _ := HashPassword("secret", name); again == hash {
			t.Errorf("%s: two hashes with one salt", name)
		}
	}
	for _, c := range []struct{ pass, scheme string }{
		{"", "argon2id"}, {"a\x00b", "argon2id"}, {strings.Repeat("x", MaxPasswordLength+1), "argon2id"},
		{strings.Repeat("x", 73), "bcrypt"},
	} {
		if _, err := HashPassword(c.pass, c.scheme); !errors.Is(err, ErrBadPassword) {
			t.Errorf("HashPassword(%d bytes, %s): %v, want ErrBadPassword", len(c.pass), c.scheme, err)
		}
	}
	if _, err := HashPassword("secret", "plain"); err == nil || !strings.Contains(err.Error(), "argon2id or bcrypt") {
		t.Errorf("plain as a hash: %v", err)
	}
}

// bcrypt sees 72 bytes: the hash of 80 is matched by its first 72, and by whatever
// begins with them. Nobody must get in with another ending.
func TestBcryptIsNotCutShort(t *testing.T) {
	const stored = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i" // of 80 x
	for n, want := range map[int]bool{72: true, 73: false, 80: false} {
		if ok, err := verifyBcrypt(stored, strings.Repeat("x", n)); ok != want || err != nil {
			t.Errorf("%d bytes: %v, %v; want %v", n, ok, err, want)
		}
	}
}

func TestBadStored(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo"
	for _, c := range []struct{ stored, want string }{
		{"$6$salt$hunter2hunter2", "unknown password scheme $6$"},
		{"{SSHA}hunter2hunter2", "unknown password scheme {SSHA}"},
		{"hunter2", "without a scheme"},
		{"", "without a scheme"},
		{"{plain}", "empty"},
		{"$2b$16$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "cost 16 is over 15"},
		{"$2b$04$hunter2", "damaged bcrypt"},
		{"$2b$xx$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "damaged bcrypt"},
		{"$argon2id$v=19$m=104857600,t=1,p=1$" + salt + "$" + sum, "m=104857600 is over"},
		{"$argon2id$v=19$m=4096,t=1000,p=1$" + salt + "$" + sum, "t=1000 is over"},
		{"$argon2id$v=19$m=4096,t=1,p=255$" + salt + "$" + sum, "p=255 is over"},
		{"$argon2id$v=19$m=4096,t=1,p=0$" + salt + "$" + sum, "damaged"},
		{"$argon2id$v=19$m=4294967296,t=1,p=1$" + salt + "$" + sum, "damaged"},
		{"$argon2id$v=19$m=4096,t=1$" + salt + "$" + sum, "damaged"},
		{"$argon2id$v=16$m=4096,t=1,p=1$" + salt + "$" + sum, "version"},
		{"$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$", "damaged"},
		{"$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$hunter2!", "damaged"},
		{"$argon2id$v=19$m=4096,t=1,p=1$" + salt, "damaged"},
	} {
		err := CheckStored(c.stored)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("CheckStored(%q) = %v, want %q", c.stored, err, c.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("CheckStored(%q) shows the value: %v", c.stored, err)
		}
		s, err := schemeOf(c.stored)
		if err != nil {
			continue
		}
		if ok, _ := s.verify(c.stored, "secret"); ok {
			t.Errorf("%q is verified", c.stored)
		}
	}
}

func TestWeak(t *testing.T) {
	for stored, want := range map[string]bool{
		"{plain}secret": true,
		"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW":                true,
		"$2b$12$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW":                false,
		"$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo":  true,
		"$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo": false,
	} {
		s, err := schemeOf(stored)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.weak(stored); got != want {
			t.Errorf("weak(%q) = %v, want %v", stored, got, want)
		}
	}
}

func FuzzCheckStored(f *testing.F) {
	f.Add("$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo")
	f.Add("$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW")
	f.Fuzz(func(t *testing.T, stored string) {
		if CheckStored(stored) == nil && strings.HasPrefix(stored, "$argon2id$") {
			h, err := parseArgon2id(stored)
			if err != nil || h.memory > argonMaxMemory || h.passes > argonMaxPasses || h.threads > argonMaxThreads {
				t.Errorf("%q: %+v, %v", stored, h, err)
			}
		}
	})
}
