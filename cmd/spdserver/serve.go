package main

import (
	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/config"
)

func newServeCommand(load func() (config.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "serve --config spd.yaml",
		Short: "Serve FTP, with accounts in a database and files in S3",
		Long: "Serve FTP until SIGTERM, then let running transfers finish (ftp.drain_delay, ftp.drain_timeout) and exit.\n" +
			"A second signal ends it at once. At the start it waits for database and store.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			app, err := New(cfg)
			if err != nil {
				return err
			}
			return app.Run(cmd.Context())
		},
	}
}

func newMigrateCommand(load func() (config.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate --config spd.yaml",
		Short: "Bring the database schema up to date",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			database, err := openAccounts(cmd.Context(), load)
			if err != nil {
				return err
			}
			cmd.Println("The schema is up to date.")
			return database.Close()
		},
	}
}
