package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
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
		{"client CA", checkClientCA},
		{"audit", checkAudit},
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
	found, err := checkPair("tls.cert", cfg.TLS.Cert, cfg.TLS.Key)
	for _, c := range cfg.TLS.MoreCerts {
		if err != nil {
			break
		}
		var more string
		more, err = checkPair("tls.more_certs: "+c.Cert, c.Cert, c.Key)
		found += "; " + c.Cert + " " + more
	}
	return found, err
}

// checkPair looks at a certificate and its key.
func checkPair(key, certFile, keyFile string) (string, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return "", fmt.Errorf("%s, and its key: %w", key, err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return validity(key, leaf)
}

// validity tells until when a certificate holds.
func validity(key string, c *x509.Certificate) (string, error) {
	left := time.Until(c.NotAfter)
	date := c.NotAfter.Format(time.DateOnly)
	switch {
	case left <= 0:
		return "", fmt.Errorf("%s: expired on %s: renew it", key, date)
	case left < expirySoon:
		return "valid, but expires soon, on " + date, nil
	}
	return "valid until " + date, nil
}

// checkClientCA looks at the authorities of clients' certificates.
func checkClientCA(_ context.Context, cfg config.Config) (string, error) {
	if cfg.TLS.ClientCA == "" {
		return "none: clients are asked for no certificates (tls.client_ca)", nil
	}
	data, err := os.ReadFile(cfg.TLS.ClientCA)
	if err != nil {
		return "", fmt.Errorf("tls.client_ca: %w", err)
	}
	var found string
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("tls.client_ca: %w", err)
		}
		if found, err = validity("tls.client_ca: "+c.Subject.String(), c); err != nil {
			return "", err
		}
	}
	if found == "" {
		return "", fmt.Errorf("tls.client_ca: %s: %w", cfg.TLS.ClientCA, errNoCertificates)
	}
	return found, nil
}

// checkAudit looks whether the sinks of the audit trail can be opened and reached. Nothing is
// written, but a file that is missing is made, as serve would.
func checkAudit(ctx context.Context, cfg config.Config) (string, error) {
	sinks := cfg.Audit.Sinks
	trail, err := openAudit(cfg.Audit, &db.DB{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	if err := trail.Close(ctx); err != nil {
		return "", err
	}
	for _, s := range sinks {
		if err := reachSink(ctx, s); err != nil {
			return "", fmt.Errorf("audit.sinks: %s: %w", s, err)
		}
	}
	if trail == nil {
		return "none (audit.sinks)", nil
	}
	return fmt.Sprintf("%d sinks can be opened", len(trail.Status())), nil
}

// reachSink connects to a syslog receiver. By UDP nobody answers: that cannot be checked.
func reachSink(ctx context.Context, s config.AuditSink) error {
	network, address := map[string]string{"tcp": "tcp", "tls": "tcp", "unix": "unixgram"}[s.Transport], s.Address
	if network == "" {
		return nil
	}
	if s.Path != "" {
		address = s.Path
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil && network == "unixgram" {
		conn, err = dialer.DialContext(ctx, "unix", address)
	}
	if err != nil || s.Transport != "tls" {
		if conn != nil {
			_ = conn.Close() // nothing was written
		}
		return err
	}
	defer func() { _ = conn.Close() }() // nothing was written
	config, err := syslogTLS(s)
	if err != nil {
		return err
	}
	config.ServerName, _, _ = net.SplitHostPort(address) // it was good enough to connect to
	return tls.Client(conn, config).HandshakeContext(ctx)
}
