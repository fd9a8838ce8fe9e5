package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPasswordChanged(t *testing.T) {
	fresh := func(pass string) string {
		hash, err := HashPassword(pass, DefaultScheme)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	secret, other := fresh("secret"), fresh("other")
	each := oneOfEach(t)
	for _, c := range []struct {
		name, old, now string
		want           bool
	}{
		{"nothing", secret, secret, false},
		{"another", secret, other, true},
		{"plain replaced by a hash", "{plain}secret", secret, false},
		{"imported replaced by a hash", each["md5-crypt"].stored, secret, false},
		{"weak replaced by a hash", secretHash, secret, false},
		{"plain by another plain", "{plain}secret", "{plain}other", true},
		{"hash by plain", secret, "{plain}secret", true},
		{"hash by nothing", secret, "", true},
		{"hash by a damaged one", secretHash, "$argon2id$", true},
		{"nothing by a hash", "", secret, true},
	} {
		if got := PasswordChanged(c.old, c.now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A session knows what it was let in with, and nobody reads it there.
func TestProof(t *testing.T) {
	users := newAccounts(account("alice", func(a *Account) {
		a.Password, a.ReadOnlyPassword = "{plain}secret", "{plain}look"
		all := ReadWrite
		a.Paths = []PathRule{{Pattern: "/in", Permissions: &all}, {Pattern: "/out", Hidden: true}}
	}))
	a := New(users, Options{})
	for pass, column := range map[string]PasswordColumn{"secret": MainPassword, "look": ReadOnlyPass} {
		user, err := a.Login(t.Context(), "alice", pass, here())
		if err != nil || user.Proof.Column() != column {
			t.Fatalf("%s: %v, proof %v", pass, err, user.Proof)
		}
		row := users.rows["alice"]
		if user.Proof.Changed(&row) || !user.Proof.Equal(row.Prove(column)) {
			t.Errorf("%s: it has changed at once", pass)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("user", "user", user)
		if out := log.String() + fmt.Sprintf("%v %+v %#v", user, *user, user.Proof); strings.Contains(out, "argon2id") {
			t.Errorf("the hash is printed: %s", out)
		}
		if column == ReadOnlyPass {
			if at, _ := user.At("/in"); at != ReadOnly || *row.Paths[0].Permissions != ReadWrite {
				t.Errorf("read-only session: %v in /in, and the account has %v", at, *row.Paths[0].Permissions)
			}
			row.ReadOnlyPassword = ""
		} else {
			row.Password = "{plain}other"
		}
		if !user.Proof.Changed(&row) {
			t.Errorf("%s: the new password is not noticed", pass)
		}
	}
	if (Proof{}).Changed(&Account{Password: "{plain}secret"}) {
		t.Error("what nobody logged in to has changed")
	}
}

// A row that nobody could use is refused like a wrong password, and logged for somebody to
// mend it.
func TestFaultyRowIsRefused(t *testing.T) {
	users := newAccounts(account("alice"))
	users.broken = fmt.Errorf("%w: users.permissions of alice: unknown permission", ErrFaulty)
	var log bytes.Buffer
	a := New(users, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	user, err := a.Login(t.Context(), "alice", "secret", here())
	if !errors.Is(err, ErrDenied) || err.Error() != ErrDenied.Error() || user != nil {
		t.Fatalf("Login = %+v, %v; want just ErrDenied", user, err)
	}
	if a.Hashes() != refusalCost {
		t.Errorf("refused after %d hash operations, want %d", a.Hashes(), refusalCost)
	}
	for _, want := range []string{"level=WARN", "login refused", "user=alice", "users.permissions of alice"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %q: %s", want, log.String())
		}
	}
}
