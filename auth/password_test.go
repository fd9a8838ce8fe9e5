package auth

import (
	"errors"
	"strings"
	"testing"
)

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
		k, err := s.read(hash)
		if err != nil || !k.matches("secret") || k.matches("Secret") {
			t.Errorf("%s: %v, or not just the password matches", name, err)
		}
		if k.weak() {
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
	k, err := readStored(stored)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{72: true, 73: false, 80: false} {
		if got := k.matches(strings.Repeat("x", n)); got != want {
			t.Errorf("%d bytes: %v; want %v", n, got, want)
		}
	}
}

func TestBadStored(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "BoH0CERESQAFICRTLQJ59fJ/DlxQ0lBo"
	const sum5 = "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8"
	for _, c := range []struct{ stored, want string }{
		{"$7$salt$hunter2hunter2", "unknown password scheme $7$"},
		{"{MD4}hunter2hunter2", "unknown password scheme {MD4}"},
		{"{CRYPT}hunter2hunter2", "unknown password scheme {CRYPT}"},
		{"{CRYPT}{CRYPT}$1$salt$hunter2hunter2hunter2", "unknown password scheme {CRYPT}"},
		{"{Plain}hunter2", "unknown password scheme {Plain}"},
		{"$6$salt$hunter2hunter2", "damaged $6$"},
		{"$5$", "damaged $5$"},
		{"$5$salt", "damaged $5$"},
		{"$5$rounds=1000000000000000000000$salt$" + sum5, "$5$ asks for more than 1000000 rounds"},
		{"$5$rounds=1000001$salt$" + sum5, "$5$ asks for more than 1000000 rounds"},
		{"$5$rounds=999$salt$" + sum5, "damaged $5$"},
		{"$5$rounds=$salt$" + sum5, "damaged $5$"},
		{"$5$rounds=-5000$salt$" + sum5, "damaged $5$"},
		{"$5$rounds=5000", "damaged $5$"},
		{"$5$12345678901234567$" + sum5, "damaged $5$"},
		{"$1$salt", "damaged $1$"},
		{"$1$123456789$hunter2hunter2hunter22", "damaged $1$"},
		{"{SSHA}hunter2hunter2", "damaged {SSHA}"},
		{"{ssha}", "damaged {SSHA}"},
		{"{SHA}hunter2!", "damaged {SHA}"},
		{"{SHA}" + strings.Repeat("A", 40) + "==", "damaged {SHA}"},
		{"{SSHA}" + strings.Repeat("A", 200), "damaged {SSHA}"},
		{"*hunter2", "damaged mysql_native_password"},
		{"*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1", "damaged mysql_native_password"},
		{"$A$005$hunter2", "damaged caching_sha2_password"},
		{"$A$FFF$12345678901234567890" + sum5, "caching_sha2_password asks for more than 1000000 rounds"},
		{"$A$000$12345678901234567890" + sum5, "damaged caching_sha2_password"},
		{"$A$0x5$12345678901234567890" + sum5, "damaged caching_sha2_password"},
		{"$A$005.12345678901234567890" + sum5, "damaged caching_sha2_password"},
		{"$pbkdf2-sha256$4294967296$hunter2$hunter2", "PBKDF2 asks for more than 2000000 rounds"},
		{"$pbkdf2-sha256$0$hunter2$hunter2", "damaged PBKDF2"},
		{"$pbkdf2-sha256$1000$hunter2", "damaged PBKDF2"},
		{"$pbkdf2-sha256$1000$hunter22$hunter22", "damaged PBKDF2"},
		{"pbkdf2_sha256$1000$hunter2$hunter2!", "damaged PBKDF2"},
		{"pbkdf2_sha256$99999999$salt$" + sum, "PBKDF2 asks for more than 2000000 rounds"},
		{"pbkdf2_md5$1000$hunter2$hunter2", "without a scheme"},
		{"hunter2", "without a scheme"},
		{"", "without a scheme"},
		{"{plain}", "empty"},
		{"$2b$16$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "cost 16 is over 15"},
		{"$2b$04$hunter2", "damaged bcrypt"},
		{"$2b$xx$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "damaged bcrypt"},
		{"$argon2id$v=19$m=104857600,t=1,p=1$" + salt + "$" + sum, "m=104857600 is over"},
		{"$argon2id$v=19$m=4096,t=1000,p=1$" + salt + "$" + sum, "t=1000 is over"},
		{"$argon2id$v=19$m=4096,t=1,p=255$" + salt + "$" + sum, "p=255 is over"},
		{"$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + sum, "m=262144,t=5 together are over"},
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
		k, err := readStored(stored)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.weak(); got != want {
			t.Errorf("weak(%q) = %v, want %v", stored, got, want)
		}
	}
}
