package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
)

func newSessionCommand(d databaseCommands) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "session",
		Short: "List and end sessions of all nodes",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(d.sessionList(), d.sessionKick())
	return cmd
}

// sessionJSON is a session as --json prints it: the columns of the view v_sessions.
type sessionJSON struct {
	ID       string    `json:"id"`
	Node     string    `json:"node"`
	Username string    `json:"username"`
	Address  string    `json:"address"`
	Port     uint16    `json:"port"`
	TLS      bool      `json:"tls"`
	Since    time.Time `json:"since"`
	Verb     string    `json:"verb"`
	Path     string    `json:"path"`
	Bytes    int64     `json:"bytes"`
}

func (d databaseCommands) sessionList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sessions of all nodes that are alive",
		Args:  noArguments,
		RunE: d.with(func(cmd *cobra.Command, database *db.DB, _ []string) error {
			sessions, err := database.Sessions(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printSessionsJSON(cmd, sessions)
			}
			return printSessions(cmd, sessions)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func printSessionsJSON(cmd *cobra.Command, sessions []cluster.Session) error {
	out := make([]sessionJSON, len(sessions))
	for i, s := range sessions {
		out[i] = sessionJSON{
			ID: s.ID, Node: s.Node, Username: s.User, Address: s.Remote.Addr().String(), Port: s.Remote.Port(),
			TLS: s.TLS, Since: s.Since, Verb: s.Verb, Path: s.Path, Bytes: s.Bytes,
		}
	}
	return printJSON(cmd, out)
}

func printSessions(cmd *cobra.Command, sessions []cluster.Session) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		row("ID", "NODE", "USER", "REMOTE", "TLS", "SINCE", "BYTES", "LAST")
		for _, s := range sessions {
			row(s.ID, s.Node, s.User, s.Remote.String(), yesNo(s.TLS), timeOr(s.Since, "-"),
				config.Size(s.Bytes).String(), textOr(s.Verb+" "+s.Path, "-"))
		}
	})
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (d databaseCommands) sessionKick() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "kick ID | --user NAME",
		Short: "End a session, or all of an account, within seconds",
		Long: "End a session, or all of an account: the client gets 421, an upload in progress is interrupted and\n" +
			"can be resumed. Nothing keeps the client from logging in again: to prevent that, suspend the account.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || (len(args) == 1) == (user != "") {
				return usageError{errors.New("give the id of one session, see `spdserver session list`, or --user NAME")}
			}
			return nil
		},
		RunE: d.with(func(cmd *cobra.Command, database *db.DB, args []string) error {
			id, whose := "", "no session of account "+printable(user)
			if len(args) == 1 {
				id, whose = args[0], "no session "+printable(args[0])
			}
			n, err := database.Kick(cmd.Context(), id, user)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("%s: see `spdserver session list`", whose)
			}
			printf(cmd, "Sessions that end now: %s.\n", strconv.FormatInt(n, 10))
			return nil
		}),
	}
	cmd.Flags().StringVar(&user, "user", "", "all sessions of this account")
	return cmd
}
