package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/moves"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/retry"
)

// A rescan waits for a moment in which nothing is under way: so often, and so long each time.
const (
	rescanTries = 6
	rescanPause = 3 * time.Second
)

// newCounter returns what makes counts from the store.
func newCounter(database *db.DB, files store.Opener, node string, log *slog.Logger) *quota.Counter {
	return &quota.Counter{
		Counts: database.Counts(), Stores: files, Node: node, Log: log,
		Places: func(ctx context.Context, n quota.Name) ([]quota.Place, error) {
			if n.User == "" {
				return []quota.Place{quota.PlaceOf(n)}, nil
			}
			account, err := database.Find(ctx, n.User)
			if errors.Is(err, auth.ErrNotFound) {
				return nil, quota.ErrNoAccount
			}
			if err != nil {
				return nil, err
			}
			return quota.PlacesOf(&account.User), nil
		},
	}
}

// countAgain asks for the quotas of an account and its mounts to be counted again: a rename
// between them was begun by a node that has died.
func (a *App) countAgain(ctx context.Context, m moves.Move) {
	account, err := a.database.Find(ctx, m.Owner)
	if err == nil {
		for _, o := range quotasOf(&account.User) {
			err = errors.Join(err, a.database.Counts().Reserve(ctx, quota.Reservation{Name: o.name, Lease: time.Now()}))
		}
	}
	if err != nil {
		a.Log.Warn("quotas not counted again after a rename", "user", m.Owner, "err", err)
	}
}

// newQuotaCommand shows and repairs what counts for quotas.
func newQuotaCommand(load func() (config.Config, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quota",
		Short: "Show what accounts use of their quotas, or count it again",
		Args:  noArguments,
		RunE:  showHelp,
	}
	q := quotaCommands{load}
	cmd.AddCommand(&cobra.Command{
		Use:   "show [USER...]",
		Short: "Show what accounts with a quota, and their mounts, use of it",
		RunE: q.each(func(cmd *cobra.Command, c *quota.Counter, o quotaOf) error {
			used, err := c.Counts.Used(cmd.Context(), o.name)
			if errors.Is(err, quota.ErrNotCounted) {
				printf(cmd, "%s: not counted yet\n", o)
				return nil
			}
			if err == nil {
				printf(cmd, "%s: %s\n", o, o.of(used))
			}
			return err
		}),
	}, &cobra.Command{
		Use:   "rescan [USER...]",
		Short: "Count again, from the store, what accounts with a quota and their mounts use",
		Long: "Count again, from the store, what accounts with a quota and their mounts use. Clients may go on:\n" +
			"what they store or delete meanwhile is counted, too. While that never ends, a count is too high\n" +
			"rather than too low, and the nodes count again by themselves later.",
		RunE: q.each(func(cmd *cobra.Command, c *quota.Counter, o quotaOf) error {
			used, exact, err := c.Count(cmd.Context(), o.name, rescanTries, rescanPause)
			if err != nil {
				return fmt.Errorf("%s: %w", o, err)
			}
			printf(cmd, "%s: %s\n", o, o.of(used))
			if exact {
				return nil
			}
			printf(cmd, "%s: this is the most it can be; files came or went all the time, it will be counted again\n", o)
			return c.Counts.Reserve(cmd.Context(), quota.Reservation{Name: o.name, Lease: time.Now()})
		}),
	})
	return cmd
}

// quotaOf is one count: of an account, or of a mount of it.
type quotaOf struct {
	user, mount string
	name        quota.Name
	limit       quota.Amount
}

// String is how it is shown.
func (o quotaOf) String() string {
	if o.mount != "" {
		return printable(o.user) + " " + printable(o.mount)
	}
	return printable(o.user)
}

// of tells what is used of the limit.
func (o quotaOf) of(used quota.Amount) string {
	return fmt.Sprintf("%d of %s bytes, %d of %s files", used.Bytes, limitText(o.limit.Bytes), used.Files, limitText(o.limit.Files))
}

func limitText(limit int64) string {
	if limit <= 0 {
		return "any"
	}
	return fmt.Sprint(limit)
}

// quotasOf lists the counts that an account has limits of.
func quotasOf(u *auth.User) []quotaOf {
	var all []quotaOf
	if u.QuotaBytes > 0 || u.QuotaFiles > 0 {
		name, limit := quota.NameOf(u, nil)
		all = append(all, quotaOf{user: u.Name, name: name, limit: limit})
	}
	for _, m := range u.Mounts {
		if m.Quota == auth.OwnQuota && (m.QuotaBytes > 0 || m.QuotaFiles > 0) {
			name, limit := quota.NameOf(u, &m)
			all = append(all, quotaOf{user: u.Name, mount: m.Path, name: name, limit: limit})
		}
	}
	return all
}

type quotaCommands struct {
	load func() (config.Config, error)
}

// each runs something for each count of the accounts that are named, or of all. One that
// fails does not keep the others from being done.
func (q quotaCommands) each(run func(*cobra.Command, *quota.Counter, quotaOf) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, names []string) (err error) {
		cfg, err := q.load()
		if err != nil {
			return err
		}
		database, err := openAccounts(cmd.Context(), q.load)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, database.Close()) }()
		counter, done, err := q.counter(cfg, database)
		if err != nil {
			return err
		}
		defer done()
		users, err := usersNamed(cmd.Context(), database, names)
		for _, u := range users {
			for _, o := range quotasOf(u) {
				err = errors.Join(err, run(cmd, counter, o))
			}
		}
		return err
	}
}

// counter returns what counts without a node; done gives its connections back.
func (q quotaCommands) counter(cfg config.Config, database *db.DB) (c *quota.Counter, done func(), err error) {
	client, err := newS3Client(cfg.S3, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("s3: %w", err)
	}
	files := func(bucket string) (store.Store, error) {
		return retry.Wrap(client.Bucket(bucket), retry.Options{}), nil
	}
	return newCounter(database, files, "", newLogger(cfg.Log, os.Stderr)), client.Close, nil
}

// usersNamed finds accounts by name, or all.
func usersNamed(ctx context.Context, database *db.DB, names []string) (users []*auth.User, err error) {
	if len(names) == 0 {
		accounts, listErr := database.ListUsers(ctx)
		err = listErr
		for _, a := range accounts {
			names = append(names, a.Name)
		}
	}
	for _, name := range names {
		account, findErr := database.Find(ctx, name)
		if findErr != nil {
			err = errors.Join(err, explain(findErr, name))
			continue
		}
		users = append(users, &account.User)
	}
	return users, err
}
