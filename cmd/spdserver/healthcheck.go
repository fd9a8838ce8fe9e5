package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/config"
)

// healthTimeout is how long a process that is alive may take to say so.
const healthTimeout = 3 * time.Second

// newHealthcheckCommand asks a running node whether it is alive, for container engines: an
// image with nothing but the binary has no curl.
func newHealthcheckCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running node whether it is alive; exit 1 if it does not answer",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			return askHealth(ctx, address)
		},
	}
	cmd.Flags().StringVar(&address, "admin", defaultAdminAddress(), "address of the admin listener")
	return cmd
}

// defaultAdminAddress is what a node in the same environment would listen on.
func defaultAdminAddress() string {
	if address := os.Getenv("SPD_ADMIN_LISTEN"); address != "" {
		return address
	}
	return config.Default().Admin.Listen
}

func askHealth(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	if ip, err := netip.ParseAddr(host); host == "" || (err == nil && ip.IsUnspecified()) {
		host = "127.0.0.1" // where a node that listens everywhere listens, too
	}
	page := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/healthz"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page.String(), http.NoBody)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", page.String(), err)
	}
	_ = response.Body.Close() // only the status matters
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: %s", page.String(), response.Status)
	}
	return nil
}
