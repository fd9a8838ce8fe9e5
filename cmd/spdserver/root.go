package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
)

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "spdserver",
		Short:         "FTP and FTPS gateway in front of S3-compatible object storage",
		Version:       version(),
		SilenceErrors: true, // main prints them
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          showHelp,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	var file string
	root.PersistentFlags().StringVar(&file, "config", os.Getenv("SPD_CONFIG"), "configuration file (YAML)")
	load := func() (config.Config, error) { return config.Load(file, os.Environ()) }

	database := databaseCommands{open: func(ctx context.Context) (*db.DB, error) { return openAccounts(ctx, load) }}
	root.AddCommand(
		newDemoCommand(),
		newServeCommand(load),
		newCheckCommand(load),
		newMigrateCommand(load),
		newUserCommand(userCommands{
			databaseCommands: database,
			defaultBucket:    func() string { return setting(load).S3.Bucket },
			scheme:           func() string { return setting(load).Auth.Scheme },
		}),
		newGroupCommand(database),
		newQuotaCommand(load),
		newBanCommand(database),
		newSessionCommand(database),
		newNodeCommand(database),
		newDrainCommand(database, func() string { return nodeName(setting(load)) }),
		newCharsetCommand(),
		newHealthcheckCommand(),
		newLVSCommand(),
	)
	return root
}

// showHelp is for commands that only have others below them. With arguments they are not
// run: noArguments finds that those are no commands.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// noArguments is cobra.NoArgs as a usageError.
func noArguments(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}

// openAccounts opens the database for account administration, migrated.
func openAccounts(ctx context.Context, load func() (config.Config, error)) (*db.DB, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	accounts, err := db.Open(ctx, cfg.Database.DSN.Reveal(), db.Options{})
	if err != nil {
		return nil, err
	}
	if err := accounts.Migrate(ctx); err != nil {
		_ = accounts.Close() // the first error tells more
		return nil, err
	}
	return accounts, nil
}

// setting is the configuration, or nothing if it is faulty: openAccounts reports that.
func setting(load func() (config.Config, error)) config.Config {
	cfg, err := load()
	if err != nil {
		return config.Config{}
	}
	return cfg
}
