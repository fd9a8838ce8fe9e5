package db_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

type importedHash struct{ stored, pass string }

// importedHashes are hashes of other programs, the first of each prefix.
func importedHashes(t *testing.T) (first []importedHash) {
	t.Helper()
	data, err := os.ReadFile("../auth/testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	first = []importedHash{
		{hash, "secret"},
		{"{plain}secret", "secret"},
		// MySQL's caching_sha2_password has control characters in its salt.
		{"$A$005$\x06\x43\x7a\x15\x01\x42\x64\x4d\x74\x18\x7a\x6a\x2f\x0d\x79\x71\x09\x4f\x25\x75" +
			"HfzgHSftZ0OjHzspBPf4e3zu02QWhzQ6J8MsuTBI9p.", "password"},
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			continue
		}
		h := importedHash{fields[1], fields[2]}
		if !slices.ContainsFunc(first, func(known importedHash) bool { return prefix(known.stored) == prefix(h.stored) }) {
			first = append(first, h)
		}
	}
	return first
}

// prefix is what tells schemes apart: all up to the end of the first word.
func prefix(stored string) string {
	if i := strings.IndexAny(stored[1:], "$}"); i >= 0 {
		return stored[:i+2]
	}
	return stored[:1]
}

// A row with a hash of any scheme is an account, and gets a new hash at its first login.
func TestEverySchemeLogsIn(t *testing.T) {
	hashes := importedHashes(t)
	if len(hashes) < 18 {
		t.Fatalf("only %d hashes", len(hashes))
	}
	from := auth.Connection{From: netip.MustParseAddr("192.0.2.1")}
	onEach(t, func(t *testing.T, d *testDB) {
		kept, upgrading := auth.New(d, auth.Options{}), auth.New(d, auth.Options{Rehash: true})
		for i, h := range hashes {
			name := fmt.Sprint("user", i)
			d.exec("INSERT INTO users (username, password, ro_password, bucket) VALUES (?, '{plain}look', ?, 'spd')", name, h.stored)
			if user, err := kept.Login(t.Context(), name, h.pass, from); err != nil || user.Permissions != auth.ReadOnly {
				t.Errorf("%s: %v", prefix(h.stored), err)
			}
			if _, err := kept.Login(t.Context(), name, h.pass+"x", from); !errors.Is(err, auth.ErrDenied) {
				t.Errorf("%s with a wrong password: %v", prefix(h.stored), err)
			}
			for range 2 {
				if _, err := upgrading.Login(t.Context(), name, h.pass, from); err != nil {
					t.Errorf("%s, to be replaced: %v", prefix(h.stored), err)
				}
			}
			got, err := d.Find(t.Context(), name)
			check(t, err)
			if !strings.HasPrefix(got.ReadOnlyPassword, "$argon2id$") || got.Password != "{plain}look" {
				t.Errorf("%s: ro_password is %.12q and password %.12q now", prefix(h.stored), got.ReadOnlyPassword, got.Password)
			}
		}
	})
}

// What MariaDB itself computes from a password.
func TestPasswordsHashedByTheDatabase(t *testing.T) {
	d := openTest(t, spdtest.MariaDB(t).DSN, true)
	a := auth.New(d, auth.Options{})
	for i, expression := range []string{
		"PASSWORD('Grüße')",
		"CONCAT('{SHA}', TO_BASE64(UNHEX(SHA1('Grüße'))))",
		"CONCAT('{SHA256}', SHA2('Grüße', 256))",
		"CONCAT('{MD5}', MD5('Grüße'))",
		"CONCAT('{SSHA512}', REPLACE(TO_BASE64(CONCAT(UNHEX(SHA2(CONCAT('Grüße', 'pepper'), 512)), 'pepper')), '\n', ''))",
		"CONCAT('{plain}', 'Grüße')",
	} {
		name := fmt.Sprint("user", i)
		d.exec("INSERT INTO users (username, password, bucket) VALUES (?, "+expression+", 'spd')", name)
		if _, err := a.Login(t.Context(), name, "Grüße", auth.Connection{From: netip.MustParseAddr("192.0.2.1")}); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
}
