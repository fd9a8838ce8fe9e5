package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

// newGroupCommand administers groups of accounts.
func newGroupCommand(database databaseCommands) *cobra.Command {
	g := groupCommands{database}
	group := &cobra.Command{
		Use:   "group",
		Short: "Administer groups, whose values accounts inherit",
		Long: "Administer groups. An account takes from its group what is NULL in its own row, and a group from its\n" +
			"parent. The groups are rows of the table groups, which can be edited with any SQL client as well.",
		Args: noArguments,
		RunE: showHelp,
	}
	group.AddCommand(g.add(), g.set(), g.list(), g.show(), g.del())
	return group
}

type groupCommands struct{ databaseCommands }

func (g groupCommands) add() *cobra.Command {
	var f userFlags
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add a group",
		Example: "  spdserver group add office --prefix office/%u --quota-bytes 10GiB",
		Args:    oneName,
	}
	f.registerGroup(cmd.Flags(), true)
	cmd.RunE = g.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
		a, err := f.account(cmd.Flags(), args[0])
		if err == nil {
			err = usage(auth.CheckName(args[0]))
		}
		if err != nil {
			return err
		}
		if err := accounts.AddGroup(cmd.Context(), args[0], f.change(cmd.Flags(), &a)); err != nil {
			return explainGroup(err, args[0])
		}
		printf(cmd, "Group %s added.\n", printable(args[0]))
		return nil
	})
	return cmd
}

func (g groupCommands) set() *cobra.Command {
	var f userFlags
	cmd := &cobra.Command{
		Use:   "set NAME --FLAG...",
		Short: "Change what is given, and nothing else",
		Args:  oneName,
	}
	f.registerGroup(cmd.Flags(), false)
	cmd.RunE = g.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
		a, err := f.account(cmd.Flags(), args[0])
		if err != nil {
			return err
		}
		change := f.change(cmd.Flags(), &a)
		if change.IsEmpty() {
			return usageError{errors.New("nothing to change: give at least one flag, see `spdserver group set --help`")}
		}
		if err := accounts.UpdateGroup(cmd.Context(), args[0], change); err != nil {
			return explainGroup(err, args[0])
		}
		printf(cmd, "Group %s changed.\n", printable(args[0]))
		return nil
	})
	return cmd
}

func (g groupCommands) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all groups",
		Args:  noArguments,
		RunE: g.with(func(cmd *cobra.Command, accounts *db.DB, _ []string) error {
			groups, err := accounts.ListGroups(cmd.Context())
			if err != nil {
				return err
			}
			return printTable(cmd.OutOrStdout(), func(row func(...string)) {
				row("NAME", "PARENT", "STATUS", "BUCKET", "PREFIX", "PERMISSIONS")
				for _, group := range groups {
					row(group.Name, textOr(group.Parent, "-"), string(group.Status), textOr(group.Values["bucket"], "-"),
						textOr(group.Values["prefix"], "-"), textOr(group.Values["permissions"], "-"))
				}
			})
		}),
	}
}

func (g groupCommands) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show what a group says",
		Args:  oneName,
		RunE: g.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
			groups, err := accounts.ListGroups(cmd.Context())
			if err != nil {
				return err
			}
			i := slices.IndexFunc(groups, func(group db.Group) bool { return group.Name == args[0] })
			if i < 0 {
				return explainGroup(auth.ErrNotFound, args[0])
			}
			return printGroup(cmd, groups[i])
		}),
	}
}

// printGroup prints a column a line; those that are NULL are left out.
func printGroup(cmd *cobra.Command, group db.Group) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		row("name", group.Name)
		row("parent", textOr(group.Parent, "none"))
		row("status", string(group.Status))
		for _, column := range append(db.Inheritable(), "note", "created_at", "updated_at") {
			if value, ok := group.Values[column]; ok {
				row(column, value)
			}
		}
	})
}

func (g groupCommands) del() *cobra.Command {
	return &cobra.Command{
		Use:   "del NAME",
		Short: "Delete a group that no account and no other group is in",
		Args:  oneName,
		RunE: g.with(func(cmd *cobra.Command, accounts *db.DB, args []string) error {
			if err := accounts.DeleteGroup(cmd.Context(), args[0]); err != nil {
				return explainGroup(err, args[0])
			}
			printf(cmd, "Group %s deleted.\n", printable(args[0]))
			return nil
		}),
	}
}

// explainGroup says what to do about a group that is not there, or not as it should be.
func explainGroup(err error, name string) error {
	switch {
	case errors.Is(err, auth.ErrNotFound), errors.Is(err, db.ErrNoGroup):
		return fmt.Errorf("no group %s, or no parent of that name: names are exact, see `spdserver group list`", printable(name))
	case errors.Is(err, auth.ErrExists):
		return fmt.Errorf("group %s exists already: change it with `spdserver group set`", printable(name))
	case errors.Is(err, db.ErrGroupInUse):
		return fmt.Errorf("accounts or other groups are in the group %s: take them out first", printable(name))
	}
	return err
}
