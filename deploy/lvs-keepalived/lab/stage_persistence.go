package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// stagePersistence turns the cluster into the variant for small sites, and back.
func stagePersistence(l *lab) {
	l.check("cluster.yaml changed to persistence: all machines", func() (string, error) { return "", l.change("persistence") })
	l.check("persistence: all modes, plain and explicit FTPS", func() (string, error) {
		return "data from the VIP", errors.Join(eachMode(vip4, clientIP(0), plainFTP, modes), eachMode(vip4, clientIP(1), explicit, modes))
	})
	l.check("persistence: each address has one node", func() (string, error) {
		counts, err := l.land(perNode, 1)
		if err == nil && len(counts) != 1 {
			err = errors.New("they should be one")
		}
		return fmt.Sprintf("%d sessions from one address on %d node(s)", perNode, len(counts)), err
	})
	l.check("and back to ranges", func() (string, error) { return "", l.change("ranges") })
}

// change renders another variant and brings it to all machines. Nodes get other ports, so they
// start anew.
func (l *lab) change(variant string) error {
	l.variant = variant
	if err := l.render(); err != nil {
		return err
	}
	for _, n := range l.nodes {
		n.sigterm()
		if err := n.process.exit(nodeLimit); err != nil {
			return err
		}
		if _, err := l.command(in(n.name(), filepath.Join(n.files(), "etc/spd-lvs/setup"), "up")...); err != nil {
			return err
		}
	}
	for _, d := range l.directors {
		if _, err := d.shell(d.files() + "/etc/spd-lvs/setup up && kill -HUP $(cat /run/keepalived.pid)"); err != nil {
			return err
		}
	}
	if err := l.startNodes(); err != nil {
		return err
	}
	return errors.Join(l.awaitChecked(), l.awaitCluster())
}

// awaitChecked waits until no machine differs from what was rendered.
func (l *lab) awaitChecked() error {
	_, err := l.await("no machine differs", 2*time.Minute, func() error {
		for _, d := range l.directors {
			if err := d.lvsCheck(); err != nil {
				return err
			}
		}
		for _, n := range l.nodes {
			if err := n.lvsCheck(); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
