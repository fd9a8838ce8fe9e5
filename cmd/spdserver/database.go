package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/db"
)

// databaseCommands are commands that need the database.
type databaseCommands struct {
	open func(context.Context) (*db.DB, error) // the command closes it
}

// with opens the database for a command and closes it.
func (d databaseCommands) with(run func(*cobra.Command, *db.DB, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		database, err := d.open(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, database.Close()) }()
		return run(cmd, database, args)
	}
}
