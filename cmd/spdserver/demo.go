package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/store/embedded"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	dir      string
	listen   string
	admin    string
	user     string
	password string
	verbose  bool
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try SPD: FTP at once, with an embedded S3 store; nothing else to install",
		Long: "Serve FTP with an S3 store inside this process and accounts in SQLite, both kept in --dir.\n" +
			"FTP takes the same way as in production: through the S3 protocol, over HTTP.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", "./spd-demo", "folder that keeps files and accounts")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:2121", "address for FTP")
	flags.StringVar(&o.admin, "admin", "127.0.0.1:8021", "address for the status page and metrics; empty for none")
	flags.StringVar(&o.user, "user", "demo", "name of the account")
	flags.StringVar(&o.password, "password", "demo", "password of the account")
	flags.BoolVar(&o.verbose, "verbose", false, "log every command")
	return cmd
}

func runDemo(ctx context.Context, o demoOptions, out io.Writer) error {
	if err := o.validate(); err != nil {
		return usageError{err}
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if err := portsFree(o); err != nil {
		return err
	}
	cfg := o.config(dir)
	log := newLogger(cfg.Log, os.Stderr)
	s3, err := embedded.Start(ctx, embedded.Options{Dir: filepath.Join(dir, "store"), Logger: log})
	if err != nil {
		return fmt.Errorf("start the embedded store: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
		defer cancel()
		if err := s3.Close(ctx); err != nil {
			log.Warn("embedded store not closed cleanly", "err", err)
		}
	}()
	cfg.S3.Endpoint = s3.Endpoint
	cfg.S3.AccessKey, cfg.S3.SecretKey = config.Secret(s3.AccessKey), config.Secret(s3.SecretKey)
	if err := ensureSelfSigned(cfg.TLS.Cert, cfg.TLS.Key); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := ensureDemoUser(ctx, cfg, o); err != nil {
		return err
	}
	app, err := New(cfg)
	if err != nil {
		return err
	}
	app.Log = log
	app.Started = func(a Addresses) { o.greet(out, dir, a) }
	return app.Run(ctx)
}

func (o demoOptions) validate() error {
	if err := auth.CheckName(o.user); err != nil {
		return fmt.Errorf("--user: %w", err)
	}
	if err := auth.CheckPassword(o.password); err != nil {
		return fmt.Errorf("--password: %w", err)
	}
	return nil
}

// portsFree finds a port that is taken before anything is made, and names the flag that
// chooses another.
func portsFree(o demoOptions) error {
	for _, port := range []struct{ flag, address string }{{"--listen", o.listen}, {"--admin", o.admin}} {
		if port.address == "" {
			continue
		}
		l, err := listen(port.flag, port.address)
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (o demoOptions) config(dir string) config.Config {
	cfg := config.Default()
	cfg.FTP.Listen = o.listen
	cfg.FTP.PassivePorts = config.PortRange{} // any: nothing to configure
	cfg.FTP.Banner = "SPD demo"
	cfg.TLS.Cert, cfg.TLS.Key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cfg.S3.CreateBucket = true
	cfg.Database.DSN = config.Secret("sqlite://" + filepath.Join(dir, "spd.db"))
	cfg.Admin.Listen = o.admin
	cfg.Log = config.Log{Level: "warn", Format: "text"}
	if o.verbose {
		cfg.Log.Level = "info"
	}
	return cfg
}

// ensureDemoUser makes the account, or gives it the password of this run.
func ensureDemoUser(ctx context.Context, cfg config.Config, o demoOptions) error {
	database, err := db.Open(ctx, cfg.Database.DSN.Reveal(), db.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = database.Close() }() // everything is committed
	if err := database.Migrate(ctx); err != nil {
		return err
	}
	hash, err := auth.HashPassword(o.password, auth.DefaultScheme)
	if err != nil {
		return err
	}
	account := auth.Account{Password: hash, Status: auth.Active}
	account.Name, account.Bucket, account.Prefix = o.user, cfg.S3.Bucket, o.user+"/"
	account.Permissions = auth.ReadWrite
	err = database.CreateUser(ctx, account)
	if errors.Is(err, auth.ErrExists) {
		err = database.UpdateUser(ctx, o.user, db.Change{Password: &hash})
	}
	return err
}

// greet tells what to try.
func (o demoOptions) greet(out io.Writer, dir string, a Addresses) {
	host, port, _ := net.SplitHostPort(a.FTP.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	url := "ftp://" + net.JoinHostPort(host, port)
	fmt.Fprintf(out, `SPD demo is ready.

  URL       %s/
  User      %s
  Password  %s
  Files in  %s
`, url, o.user, o.password, dir)
	if a.Admin != nil {
		fmt.Fprintf(out, "  Status    http://%s/\n", a.Admin)
	}
	fmt.Fprintf(out, `
Try it in another terminal:

  curl -T README.md -u %[1]s:%[2]s %[3]s/ && curl -u %[1]s:%[2]s %[3]s/
  lftp -u %[1]s,%[2]s -e 'set ssl:verify-certificate no' %[3]s

Ctrl-C stops it; the files stay.
`, o.user, o.password, url)
}
