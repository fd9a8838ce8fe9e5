package lvs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"
)

// commandTimeout bounds each command of a check.
const commandTimeout = 10 * time.Second

// System is the machine that the program runs on, with its files below root.
func System(root string) Machine {
	return Machine{Root: root, ReadFile: os.ReadFile, Addresses: linkAddresses, Run: run}
}

// linkAddresses lists the addresses of an interface, or of all if link is "".
func linkAddresses(link string) ([]netip.Addr, error) {
	var found []net.Addr
	var err error
	if link == "" {
		found, err = net.InterfaceAddrs()
	} else {
		var i *net.Interface
		if i, err = net.InterfaceByName(link); err == nil {
			found, err = i.Addrs()
		}
	}
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			ips = append(ips, prefix.Addr().Unmap())
		}
	}
	return ips, nil
}

// LocalAddresses lists this machine's addresses.
func LocalAddresses() ([]netip.Addr, error) { return linkAddresses("") }

func run(ctx context.Context, c Command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // our own words
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:/usr/bin:/bin")
	cmd.Stdin = bytes.NewReader(c.Stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
