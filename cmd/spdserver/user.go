package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

// userCommands is what the commands under "user" share.
type userCommands struct {
	databaseCommands
	defaultBucket func() string
	scheme        func() string // of new passwords
}

// newUserCommand administers accounts.
func newUserCommand(u userCommands) *cobra.Command {
	user := &cobra.Command{
		Use:   "user",
		Short: "Administer accounts",
		Long: "Administer accounts. Changes hold for the next login on every node. The accounts are rows of\n" +
			"the table users, which can be edited with any SQL client as well.",
		Args: noArguments,
		RunE: showHelp,
	}
	user.AddCommand(u.add(), u.set(), u.passwd(), u.list(), u.show(), u.del())
	return user
}

func (u userCommands) add() *cobra.Command {
	f := userFlags{scheme: u.scheme}
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add an account",
		Example: "  spdserver user add alice\n  spdserver user add bob --prefix shared/ --permissions ro --quota-bytes 10GiB",
		Args:    oneName,
	}
	f.register(cmd.Flags(), true)
	cmd.RunE = u.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
		a, err := f.account(cmd.Flags(), args[0])
		if err == nil {
			err = usage(auth.CheckName(a.Name))
		}
		if err != nil {
			return err
		}
		if err := unused(cmd.Context(), accounts, a.Name); err != nil {
			return err
		}
		inherited, err := ofGroup(cmd.Context(), accounts, a.Group)
		if err != nil {
			return err
		}
		change, err := f.newAccount(cmd.Flags(), &a, inherited, u.defaultBucket())
		if err != nil {
			return err
		}
		if err := f.setPasswords(cmd, &a, true); err != nil {
			return err
		}
		change.Password = &a.Password
		err = accounts.AddUser(cmd.Context(), a.Name, change)
		if errors.Is(err, auth.ErrExists) {
			return taken(a.Name)
		}
		if err != nil {
			return err
		}
		added, err := accounts.Find(cmd.Context(), a.Name)
		if err != nil {
			return err
		}
		printf(cmd, "Account %s added: bucket %s, prefix %q, permissions %s.\n", printable(a.Name), added.Bucket, added.Prefix, added.Permissions)
		return nil
	})
	return cmd
}

func (u userCommands) set() *cobra.Command {
	f := userFlags{scheme: u.scheme}
	cmd := &cobra.Command{
		Use:   "set NAME --FLAG...",
		Short: "Change what is given, and nothing else",
		Example: "  spdserver user set alice --status suspended\n  spdserver user set alice --quota-bytes 0 --expires never\n" +
			"  spdserver user set alice --group office --inherit quota_bytes,permissions",
		Args: oneName,
	}
	f.register(cmd.Flags(), false)
	cmd.RunE = u.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
		a, err := f.account(cmd.Flags(), args[0])
		if err != nil {
			return err
		}
		if err := f.setPasswords(cmd, &a, false); err != nil {
			return err
		}
		change := f.change(cmd.Flags(), &a)
		if change.IsEmpty() {
			return usageError{errors.New("nothing to change: give at least one flag, see `spdserver user set --help`")}
		}
		if err := accounts.UpdateUser(cmd.Context(), a.Name, change); err != nil {
			return explain(err, a.Name)
		}
		printf(cmd, "Account %s changed.\n", printable(a.Name))
		return nil
	})
	return cmd
}

func (u userCommands) passwd() *cobra.Command {
	f := userFlags{scheme: u.scheme}
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set an account's password",
		Args:  oneName,
	}
	f.registerPasswords(cmd.Flags())
	cmd.RunE = u.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
		a := auth.Account{User: auth.User{Name: args[0]}}
		if _, err := accounts.Find(cmd.Context(), a.Name); errors.Is(err, auth.ErrNotFound) {
			return explain(err, a.Name) // before anybody is asked for a password
		}
		if err := f.parse(cmd.Flags(), &a); err != nil {
			return err
		}
		others := cmd.Flags().Changed("ro-password") || cmd.Flags().Changed("password-expires")
		onlyOthers := others && !f.mainGiven(cmd.Flags())
		if err := f.setPasswords(cmd, &a, !onlyOthers); err != nil {
			return err
		}
		change := f.change(cmd.Flags(), &a)
		if !onlyOthers {
			change.Password = &a.Password
		}
		if err := accounts.UpdateUser(cmd.Context(), a.Name, change); err != nil {
			return explain(err, a.Name)
		}
		printf(cmd, "Password of %s changed.\n", printable(a.Name))
		return nil
	})
	return cmd
}

func (u userCommands) list() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all accounts",
		Args:  noArguments,
		RunE: u.with(func(cmd *cobra.Command, accounts *db.DB, _ []string) error {
			users, faulty := accounts.ListUsers(cmd.Context()) // faulty rows do not hide the others
			if users == nil && faulty != nil {
				return faulty
			}
			if asJSON {
				return errors.Join(printUsersJSON(cmd, users), faulty)
			}
			return errors.Join(printUsers(cmd, users), faulty)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (u userCommands) show() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show all about an account but its passwords, and which group a value comes from",
		Args:  oneName,
		RunE: u.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
			a, origins, err := accounts.Explain(cmd.Context(), args[0])
			if err != nil {
				return explain(err, args[0])
			}
			if asJSON {
				return printJSON(cmd, withParts(toJSON(a), a, origins))
			}
			return printUser(cmd, a, origins)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func (u userCommands) del() *cobra.Command {
	return &cobra.Command{
		Use:   "del NAME",
		Short: "Delete an account; its files stay in the store",
		Args:  oneName,
		RunE: u.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
			a, err := accounts.Find(cmd.Context(), args[0])
			if errors.Is(err, auth.ErrNotFound) {
				return explain(err, args[0])
			}
			where := "the store" // a faulty row can be deleted, too
			if err == nil {
				where = fmt.Sprintf("bucket %s under %q", a.Bucket, a.Prefix)
			}
			if err := accounts.DeleteUser(cmd.Context(), args[0]); err != nil {
				return explain(err, args[0])
			}
			printf(cmd, "Account %s deleted. Its files are not: they stay in %s.\n", printable(args[0]), where)
			return nil
		}),
	}
}

func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("give one account name, not %d", len(args))}
	}
	return nil
}

// usage is a usageError, if it is an error.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// ofGroup is what a new account of a group inherits; "" is no group.
func ofGroup(ctx context.Context, accounts *db.DB, group string) (map[string]string, error) {
	if group == "" {
		return nil, nil
	}
	inherited, err := accounts.Inherited(ctx, group)
	return inherited, explainGroup(err, group)
}

// unused tells whether the name is free, before anybody is asked for a password.
func unused(ctx context.Context, accounts *db.DB, name string) error {
	_, err := accounts.Find(ctx, name)
	if err == nil {
		return taken(name)
	}
	if errors.Is(err, auth.ErrNotFound) {
		return nil
	}
	return err
}

func taken(name string) error {
	return fmt.Errorf("account %s exists already: change it with `spdserver user set` or choose another name", printable(name))
}

// explain says what to do about an account that is not there.
func explain(err error, name string) error {
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return fmt.Errorf("no account %s: names are exact, see `spdserver user list`", printable(name))
	case errors.Is(err, db.ErrNoGroup):
		return fmt.Errorf("%w: names are exact, see `spdserver group list`", err)
	}
	return err
}
