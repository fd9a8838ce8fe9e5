package main

import (
	"cmp"
	"database/sql"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/guard"
)

// BenchmarkRefusals compares how long a login takes to be refused for each reason with how
// long a wrong password takes. "ks" is the distance of the two distributions (Kolmogorov and
// Smirnov): below "same" they cannot be told apart at a level of 1 %.
//
//	go test -run '^$' -bench Refusals -benchtime 200x ./cmd/spdserver
func BenchmarkRefusals(b *testing.B) {
	login := refusalLogin(b)
	reasons := []struct{ name, user, password, from string }{
		{"wrong password", "alice", "guess", "192.0.2.1"}, {"unknown user", "nobody", "guess", "192.0.2.1"},
		{"suspended", "bob", "secret", "192.0.2.1"}, {"outside hours", "carol", "secret", "192.0.2.1"},
		{"foreign address", "erin", "secret", "192.0.2.1"}, {"bad row", "dave", "secret", "192.0.2.1"},
		{"banned, wrong", "alice", "guess", "203.0.113.7"}, {"banned, right", "alice", "secret", "203.0.113.7"},
	}
	took := make([][]time.Duration, len(reasons))
	for b.Loop() { // interleaved and in any order, so that a busy machine is busy for all
		for _, i := range rand.Perm(len(reasons)) {
			r := reasons[i]
			began := time.Now()
			_, err := login(b.Context(), r.user, r.password, auth.Connection{From: netip.MustParseAddr(r.from)})
			took[i] = append(took[i], time.Since(began))
			if !errors.Is(err, auth.ErrDenied) {
				b.Fatalf("%s: %v", r.name, err)
			}
		}
	}
	same := 1.63 * math.Sqrt(2/float64(len(took[0])))
	for i, r := range reasons {
		slices.Sort(took[i])
		b.Logf("%-16s median %8v  p90 %8v  ks %.3f (same: %.3f)", r.name, took[i][len(took[i])/2].Round(10*time.Microsecond),
			took[i][len(took[i])*9/10].Round(10*time.Microsecond), distance(took[0], took[i]), same)
	}
	b.ReportMetric(0, "ns/op") // means nothing here
}

// distance is the largest difference of two distributions; both are sorted.
func distance(a, b []time.Duration) (most float64) {
	for _, at := range slices.Concat(a, b) {
		i, _ := slices.BinarySearchFunc(a, at+1, cmp.Compare[time.Duration])
		j, _ := slices.BinarySearchFunc(b, at+1, cmp.Compare[time.Duration])
		d := float64(i)/float64(len(a)) - float64(j)/float64(len(b))
		most = max(most, d, -d)
	}
	return most
}

// refusalLogin is a login of a node with an account for each reason, and one address that is
// banned.
func refusalLogin(b *testing.B) loginFunc {
	b.Helper()
	file := filepath.Join(b.TempDir(), "spd.db")
	database, err := db.Open(b.Context(), "sqlite://"+file, db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = database.Close() }) // nothing is kept
	if err := database.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	hash, err := auth.HashPassword("secret", auth.DefaultScheme)
	if err != nil {
		b.Fatal(err)
	}
	never, err := auth.ParseHours(time.Now().Add(48*time.Hour).UTC().Format("Mon") + " 00:00-00:01")
	if err != nil {
		b.Fatal(err)
	}
	for name, change := range map[string]func(*auth.Account){
		"alice": func(*auth.Account) {},
		"bob":   func(a *auth.Account) { a.Status = auth.Suspended },
		"carol": func(a *auth.Account) { a.AllowedHours = never },
		"dave":  func(*auth.Account) {},
		"erin":  func(a *auth.Account) { a.AllowedCIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
	} {
		a := auth.Account{User: auth.User{Name: name, Bucket: "spd", Permissions: auth.ReadWrite}, Password: hash, Status: auth.Active}
		change(&a)
		if err := database.CreateUser(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
	bySQL, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = bySQL.Close() }() // everything is committed
	if _, err := bySQL.ExecContext(b.Context(), "UPDATE users SET permissions = 'nonsense' WHERE username = 'dave'"); err != nil {
		b.Fatal(err)
	}
	app := &App{Log: slog.New(slog.DiscardHandler), database: database}
	app.cfg.Guard = config.Default().Guard
	app.cfg.Guard.AddressFailures, app.cfg.Guard.AccountFailures = 1<<30, 0
	app.member = app.newMember()
	app.bans = app.newBans()
	accounts := auth.New(database, auth.Options{})
	login := app.guarded(accounts.Login)
	now, err := database.Bans().Now(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	banned := guard.Ban{Subject: guard.Subject{Kind: guard.Address, Name: "203.0.113.7"}, Since: now}
	if _, _, err := database.Bans().Ban(b.Context(), banned, time.Hour, time.Hour); err != nil {
		b.Fatal(err)
	}
	app.bans.Sync(b.Context())
	return login
}
