package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/guard"
)

// banCommands are the commands under "ban".
type banCommands struct{ databaseCommands }

// newBanCommand administers bans.
func newBanCommand(database databaseCommands) *cobra.Command {
	b := banCommands{database}
	ban := &cobra.Command{
		Use:   "ban",
		Short: "List, add and end bans of addresses and accounts",
		Long: "List, add and end bans of addresses, networks and accounts. They hold on every node within two\n" +
			"seconds. They are rows of the table bans, which can be edited with any SQL client as well.",
		Args: noArguments,
		RunE: showHelp,
	}
	ban.AddCommand(b.list(), b.add(), b.del())
	return ban
}

// banJSON is a ban as --json prints it: the columns of the table bans.
type banJSON struct {
	Kind    string     `json:"kind"`
	Subject string     `json:"subject"`
	Reason  string     `json:"reason"`
	Since   time.Time  `json:"since"`
	Until   *time.Time `json:"until"`
	Strikes int        `json:"strikes"`
	Node    string     `json:"node"`
}

func (b banCommands) list() *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the bans in force",
		Args:  noArguments,
		RunE: b.with(func(cmd *cobra.Command, database *db.DB, _ []string) error {
			bans, faulty := database.Bans().List(cmd.Context(), all) // faulty rows do not hide the others
			if bans == nil && faulty != nil {
				return faulty
			}
			if asJSON {
				return errors.Join(printBansJSON(cmd, bans), faulty)
			}
			return errors.Join(printBans(cmd, bans), faulty)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.Flags().BoolVar(&all, "all", false, "also those that are over, and make the next one longer")
	return cmd
}

func printBansJSON(cmd *cobra.Command, bans []guard.Ban) error {
	list := make([]banJSON, len(bans))
	for i, b := range bans {
		list[i] = banJSON{string(b.Kind), b.Name, b.Reason, b.Since, timeOrNull(b.Until), b.Strikes, b.Node}
	}
	return printJSON(cmd, list)
}

func printBans(cmd *cobra.Command, bans []guard.Ban) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		row("KIND", "SUBJECT", "SINCE", "UNTIL", "REASON", "NODE")
		for _, b := range bans {
			row(string(b.Kind), b.Name, timeOr(b.Since, ""), timeOr(b.Until, "deleted"), b.Reason, b.Node)
		}
	})
}

func (b banCommands) add() *cobra.Command {
	var who banSubject
	var reason string
	var length time.Duration
	cmd := &cobra.Command{
		Use:     "add NETWORK | --account NAME",
		Short:   "Ban an address, a network or an account",
		Example: "  spdserver ban add 203.0.113.0/24 --reason abuse\n  spdserver ban add --account alice --for 24h",
		Args:    who.check,
		RunE: b.with(func(cmd *cobra.Command, database *db.DB, args []string) error {
			subject, err := who.of(args)
			if err != nil {
				return err
			}
			now, err := database.Bans().Now(cmd.Context())
			if err != nil {
				return err
			}
			ban := guard.Ban{Subject: subject, Reason: reason, Since: now}
			if length > 0 {
				ban.Until = now.Add(length)
			}
			if err := database.Bans().Add(cmd.Context(), ban); err != nil {
				return err
			}
			printf(cmd, "Banned: %s %s, until %s.\n", subject.Kind, printable(subject.Name), timeOr(ban.Until, "the ban is deleted"))
			return nil
		}),
	}
	who.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "by hand", "for people")
	cmd.Flags().DurationVar(&length, "for", 0, "how long; 0: until it is deleted")
	return cmd
}

func (b banCommands) del() *cobra.Command {
	var who banSubject
	cmd := &cobra.Command{
		Use:   "del NETWORK | --account NAME",
		Short: "End a ban, and forget what led to it",
		Args:  who.check,
		RunE: b.with(func(cmd *cobra.Command, database *db.DB, args []string) error {
			subject, err := who.of(args)
			if err != nil {
				return err
			}
			was, err := database.Bans().Delete(cmd.Context(), subject)
			if err != nil {
				return err
			}
			if !was {
				return fmt.Errorf("no ban of %s %s: see `spdserver ban list --all`", subject.Kind, printable(subject.Name))
			}
			printf(cmd, "No longer banned: %s %s.\n", subject.Kind, printable(subject.Name))
			return nil
		}),
	}
	who.register(cmd)
	return cmd
}

// banSubject is who a command is about.
type banSubject struct{ account string }

func (s *banSubject) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.account, "account", "", "name of an account, instead of a network")
}

func (s *banSubject) check(_ *cobra.Command, args []string) error {
	_, err := s.of(args)
	return err
}

func (s *banSubject) of(args []string) (guard.Subject, error) {
	switch {
	case s.account != "" && len(args) == 0:
		return guard.Subject{Kind: guard.Account, Name: s.account}, nil
	case s.account != "" || len(args) != 1:
		return guard.Subject{}, usageError{errors.New("give one address or network, or --account")}
	}
	network, err := guard.ParseNetwork(args[0])
	if err != nil {
		return guard.Subject{}, usageError{err}
	}
	return guard.Subject{Kind: guard.Address, Name: guard.FormatNetwork(network)}, nil
}
