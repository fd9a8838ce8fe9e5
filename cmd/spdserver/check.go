package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/store"
)

// checkTimeout bounds each check.
const checkTimeout = 10 * time.Second

// errCheckFailed: the lines printed say what.
var errCheckFailed = errors.New("not everything is in order; see above")

func newCheckCommand(load func() (config.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "check --config spd.yaml",
		Short: "Check configuration, database, store and certificates; one line each",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return check(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
}

// check prints a line for each thing that serve will need. It changes nothing.
func check(ctx context.Context, cfg config.Config, out io.Writer) error {
	failed := false
	for _, c := range []struct {
		what string
		run  func(context.Context, config.Config) (string, error)
	}{
		{"configuration", func(context.Context, config.Config) (string, error) { return "valid", nil }},
		{"database", checkDatabase},
		{"store", checkBucket},
		{"certificate", checkCertificate},
	} {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		found, err := c.run(ctx, cfg)
		cancel()
		if err != nil {
			failed = true
			fmt.Fprintf(out, "FAIL  %-14s %v\n", c.what, err)
			continue
		}
		fmt.Fprintf(out, "ok    %-14s %s\n", c.what, found)
	}
	if failed {
		return errCheckFailed
	}
	return nil
}

func checkDatabase(ctx context.Context, cfg config.Config) (string, error) {
	database, err := db.Open(ctx, cfg.Database.DSN.Reveal(), db.Options{})
	if err != nil {
		return "", fmt.Errorf("database.dsn: %w", err)
	}
	defer func() { _ = database.Close() }() // nothing was written
	if err := database.Ping(ctx); err != nil {
		return "", fmt.Errorf("database.dsn: %w: is the server running, and are host, user and password right?", err)
	}
	err = database.CheckSchema(ctx)
	if errors.Is(err, db.ErrSchemaOld) {
		return "reachable; serve or migrate will bring the schema up to date", nil
	}
	if err != nil {
		return "", err
	}
	return "reachable, schema up to date", nil
}

func checkBucket(ctx context.Context, cfg config.Config) (string, error) {
	client, err := newS3Client(cfg.S3, nil)
	if err != nil {
		return "", fmt.Errorf("s3: %w", err)
	}
	defer client.Close()
	create := cfg.S3.CreateBucket
	cfg.S3.CreateBucket = false
	a := App{Log: slog.New(slog.DiscardHandler), cfg: cfg, client: client}
	err = a.checkStore(ctx)
	if create && errors.Is(err, store.ErrNoBucket) {
		return fmt.Sprintf("reachable; serve will make bucket %q", cfg.S3.Bucket), nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("reachable, bucket %q exists", cfg.S3.Bucket), nil
}

// expirySoon is when a certificate deserves a word.
const expirySoon = 14 * 24 * time.Hour

func checkCertificate(_ context.Context, cfg config.Config) (string, error) {
	if cfg.TLS.Cert == "" {
		return "none: FTPS is off (tls.cert, tls.key)", nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLS.Cert, cfg.TLS.Key)
	if err != nil {
		return "", fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", fmt.Errorf("tls.cert: %w", err)
	}
	left := time.Until(leaf.NotAfter)
	date := leaf.NotAfter.Format(time.DateOnly)
	switch {
	case left <= 0:
		return "", fmt.Errorf("tls.cert: expired on %s: renew it", date)
	case left < expirySoon:
		return "valid, but expires soon, on " + date, nil
	}
	return "valid until " + date, nil
}
