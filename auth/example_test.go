package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

// staff are accounts of one's own: as many as there are passwords.
type staff map[string]string

func (s staff) Find(_ context.Context, name string) (*auth.Account, error) {
	password, ok := s[name]
	if !ok {
		return nil, auth.ErrNotFound
	}
	return &auth.Account{
		User:     auth.User{Name: name, Bucket: "files", Prefix: name + "/", Permissions: auth.ReadWrite},
		Password: password,
		Status:   auth.Active,
	}, nil
}

func (s staff) FindAll(ctx context.Context, names []string) (map[string]auth.Found, error) {
	found := make(map[string]auth.Found)
	for _, name := range names {
		if account, err := s.Find(ctx, name); err == nil {
			found[name] = auth.Found{Account: account}
		}
	}
	return found, nil
}

// ReplacePassword is called for {plain} passwords, and for weak hashes if Options say so.
func (s staff) ReplacePassword(_ context.Context, name string, _ auth.PasswordColumn, _, hash string) error {
	s[name] = hash
	return nil
}

func (staff) LoggedIn(context.Context, string, time.Time) error { return nil }

var _ auth.Users = staff{}

func ExampleUsers() {
	logins := auth.New(staff{"alice": "{plain}secret"}, auth.Options{})
	// server.Options.Login takes logins.Login.
	from := auth.Connection{From: netip.MustParseAddr("192.0.2.1")}
	for _, password := range []string{"wrong", "secret"} {
		user, err := logins.Login(context.Background(), "alice", password, from)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(user.Name, "may", user.Permissions, "below", user.Prefix)
	}
	// Output:
	// login incorrect
	// alice may rw below alice/
}
