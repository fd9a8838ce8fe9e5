package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
)

func newNodeCommand(d databaseCommands) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "List the nodes of the database",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(d.nodeList())
	return cmd
}

// nodeJSON is a node as --json prints it.
type nodeJSON struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Address      string    `json:"address"`
	Version      string    `json:"version"`
	PassivePorts string    `json:"passive_ports"`
	StartedAt    time.Time `json:"started_at"`
	SeenAt       time.Time `json:"seen_at"`
	State        string    `json:"state"` // see stateOf
	Sessions     int       `json:"sessions"`
	Transfers    int       `json:"transfers"`
}

func (d databaseCommands) nodeList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all nodes that are alive, and those that have died in the last day",
		Args:  noArguments,
		RunE: d.with(func(cmd *cobra.Command, database *db.DB, _ []string) error {
			nodes, err := database.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printNodesJSON(cmd, nodes)
			}
			return printNodes(cmd, nodes)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func portsOf(n cluster.Node) string {
	return config.PortRange{First: n.PassiveFirst, Last: n.PassiveLast}.String()
}

// stateOf is "alive", "draining" or "dead".
func stateOf(n cluster.Node) string {
	switch {
	case !n.Alive:
		return "dead"
	case n.Draining:
		return "draining"
	}
	return "alive"
}

func printNodesJSON(cmd *cobra.Command, nodes []cluster.Node) error {
	out := make([]nodeJSON, len(nodes))
	for i, n := range nodes {
		out[i] = nodeJSON{
			ID: n.ID, Name: n.Name, Address: n.Address, Version: n.Version, PassivePorts: portsOf(n),
			StartedAt: n.StartedAt, SeenAt: n.SeenAt, State: stateOf(n), Sessions: n.Sessions, Transfers: n.Transfers,
		}
	}
	return printJSON(cmd, out)
}

func printNodes(cmd *cobra.Command, nodes []cluster.Node) error {
	return printTable(cmd.OutOrStdout(), func(row func(...string)) {
		row("NAME", "STATE", "SESSIONS", "TRANSFERS", "ADDRESS", "PASSIVE PORTS", "VERSION", "STARTED", "SEEN")
		for _, n := range nodes {
			row(n.Name, stateOf(n), strconv.Itoa(n.Sessions), strconv.Itoa(n.Transfers), n.Address, portsOf(n), n.Version,
				timeOr(n.StartedAt, "-"), timeOr(n.SeenAt, "-"))
		}
	})
}

func newDrainCommand(d databaseCommands, nodeName func() string) *cobra.Command {
	var node string
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain [--node NAME] [--wait]",
		Short: "End a node as soon as its transfers are done",
		Long: "End a node, this host's if none is named, as SIGTERM does: /readyz turns red, then (ftp.drain_delay) no new sessions, idle ones get 421,\n" +
			"running transfers finish (up to ftp.drain_timeout), and the process exits with 0. That cannot be taken back.",
		Args: noArguments,
		RunE: d.with(func(cmd *cobra.Command, database *db.DB, _ []string) error {
			if node == "" {
				node = nodeName()
			}
			told, err := database.Drain(cmd.Context(), node)
			if err != nil {
				return err
			}
			if len(told) == 0 {
				return fmt.Errorf("no node %s is alive: see `spdserver node list`", printable(node))
			}
			printf(cmd, "Node %s drains.\n", printable(node))
			if !wait {
				return nil
			}
			if err := awaitEnd(cmd.Context(), database, told); err != nil {
				return err
			}
			printf(cmd, "Node %s has ended.\n", printable(node))
			return nil
		}),
	}
	cmd.Flags().StringVar(&node, "node", "", "name of the node (default cluster.node, or this host's name)")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it has ended")
	return cmd
}

// drainPoll is how often the database is asked whether a node has ended.
const drainPoll = 500 * time.Millisecond

var errNodeDied = errors.New("the node has stopped without ending in order: see its log")

// awaitEnd waits until none of the nodes is listed any more.
func awaitEnd(ctx context.Context, database *db.DB, nodes []cluster.Node) error {
	for {
		all, err := database.Nodes(ctx)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(all, func(n cluster.Node) bool {
			return !slices.ContainsFunc(nodes, func(o cluster.Node) bool { return o.ID == n.ID })
		})
		switch {
		case len(left) == 0:
			return nil
		case !slices.ContainsFunc(left, func(n cluster.Node) bool { return n.Alive }):
			return errNodeDied
		}
		select {
		case <-time.After(drainPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
