package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/lvs"
)

// newLVSCommand is about clusters behind LVS with Keepalived.
func newLVSCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "lvs",
		Short: "Write and check the configuration of a cluster behind LVS with Keepalived",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.PersistentFlags().StringVar(&file, "cluster", "cluster.yaml", "description of the cluster")
	load := func() (*lvs.Cluster, error) {
		c, err := lvs.Load(file)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s:\n%w", file, err)}
		}
		return c, nil
	}
	cmd.AddCommand(newLVSRenderCommand(load), newLVSCheckCommand(load))
	return cmd
}

func newLVSRenderCommand(load func() (*lvs.Cluster, error)) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "render --cluster cluster.yaml [--out DIR]",
		Short: "Write the files of each director and node",
		Long: "Write the files of each director and node into DIR/NAME, as they belong below / on that machine.\n" +
			"Without --out they are printed.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			files := c.Files()
			for _, host := range slices.Sorted(maps.Keys(files)) {
				if dir == "" {
					printFiles(cmd.OutOrStdout(), host, files[host])
				} else if err := writeFiles(filepath.Join(dir, host), files[host]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "directory to write to")
	return cmd
}

func printFiles(to io.Writer, host string, files []lvs.File) {
	for _, f := range files {
		fmt.Fprintf(to, "=== %s: /%s\n%s\n", host, f.Path, f.Data)
	}
}

func writeFiles(dir string, files []lvs.File) error {
	for _, f := range files {
		name := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // as /etc
			return err
		}
		if err := os.WriteFile(name, f.Data, f.Mode); err != nil {
			return err
		}
	}
	return nil
}

// errDiffers ends a check that has found something.
var errDiffers = errors.New("this machine differs from the cluster's description; see above")

func newLVSCheckCommand(load func() (*lvs.Cluster, error)) *cobra.Command {
	var host, root string
	cmd := &cobra.Command{
		Use:   "check --cluster cluster.yaml",
		Short: "Tell what on this director or node differs from the description",
		Long: "Tell what on this director or node differs from the description: files, kernel settings, addresses,\n" +
			"packet filters, IPVS services. One line each, and exit code 1 if there is one. Needs root.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if host == "" {
				if host, err = thisHost(c); err != nil {
					return err
				}
			}
			found, err := c.Check(cmd.Context(), host, lvs.System(root))
			if err != nil {
				return err
			}
			for _, line := range found {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if len(found) > 0 {
				return errDiffers
			}
			fmt.Fprintln(cmd.OutOrStdout(), host, "is as described.")
			return nil
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "name of this machine in the description; by default found by host name and addresses")
	cmd.Flags().StringVar(&root, "root", "/", "where the files are, if not below /")
	return cmd
}

// thisHost finds the machine in the description.
func thisHost(c *lvs.Cluster) (string, error) {
	addresses, err := lvs.LocalAddresses()
	if err != nil {
		return "", fmt.Errorf("list this machine's addresses: %w", err)
	}
	if host := c.HostOf(hostName(), addresses); host != "" {
		return host, nil
	}
	return "", usageError{errors.New("this machine is not in the description: name it with --host")}
}
