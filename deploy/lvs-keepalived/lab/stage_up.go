package main

import (
	"errors"
	"path/filepath"
	"strings"
)

// stageUp looks at the cluster with lvs check, as an administrator would.
func stageUp(l *lab) {
	l.check("lvs check on both directors and all nodes", func() (string, error) {
		for _, d := range l.directors {
			if err := d.lvsCheck(); err != nil {
				return "", err
			}
		}
		for _, n := range l.nodes {
			if err := n.lvsCheck(); err != nil {
				return "", err
			}
		}
		return "nothing differs", nil
	})
	l.check("lvs check notices what was changed", func() (string, error) {
		n := l.nodes[0]
		if err := l.commands("ip -n "+n.name()+" addr del "+vip4+"/32 dev lo", "ip netns exec "+n.name()+" nft flush table inet spd_lvs"); err != nil {
			return "", err
		}
		err := n.lvsCheck()
		if _, again := l.command(in(n.name(), filepath.Join(n.files(), "etc/spd-lvs/setup"), "up")...); again != nil {
			return "", again
		}
		if err == nil || !strings.Contains(err.Error(), "is not on lo") || !strings.Contains(err.Error(), "nftables") {
			return "", errors.Join(errors.New("it does not notice"), err)
		}
		return "address and rules of n1", n.lvsCheck()
	})
}

func (n *node) lvsCheck() error {
	command := n.lab.spdserver("lvs", "check", "--cluster", n.lab.clusterFile(), "--host", n.name(), "--root", n.files())
	_, err := n.lab.command(in(n.name(), command...)...)
	return err
}

func (d *director) lvsCheck() error {
	command := d.lab.spdserver("lvs", "check", "--cluster", d.lab.clusterFile(), "--host", d.name(), "--root", d.files())
	_, err := d.shell(strings.Join(command, " ") + " 2>&1")
	return err
}
