package main

import (
	"errors"
	"fmt"
	"time"
)

// Until when no new session may begin on a node any more: the drain_delay of node.env, by the
// end of which directors have noticed. By way of the database a node hears of its drain at its
// next heartbeat.
const (
	drainedLimit      = 2 * time.Second
	drainedBeatsLimit = drainedLimit + 2*time.Second
)

func stageDrain(l *lab) {
	last := len(l.nodes) - 1
	for i, way := range []struct {
		name  string
		limit time.Duration
		order func(*node) error
	}{
		{"by SIGTERM", drainedLimit, func(n *node) error { n.sigterm(); return nil }},
		{"by spdserver drain", drainedBeatsLimit, func(n *node) error {
			_, err := l.command(l.spdserver("drain", "--node", n.name(), "--config", n.config())...)
			return err
		}},
		{"by SQL", drainedBeatsLimit, func(n *node) error {
			_, err := l.database.query("UPDATE nodes SET draining = 1 WHERE name = '" + n.name() + "'")
			return err
		}},
	} {
		n := l.nodes[max(last-i, 0)]
		l.check("drain "+way.name+" with four transfers running", func() (string, error) { return l.drain(n, way.limit, way.order) })
		l.check("drained node started again: back in the pool", func() (string, error) {
			begun := time.Now()
			if err := n.start(); err != nil {
				return "", err
			}
			err := l.awaitCluster()
			return "after " + since(begun), err
		})
	}
}

func (l *lab) drain(n *node, limit time.Duration, order func(*node) error) (string, error) {
	data := content{seed: 31, size: 5 * slowBytes} // about five seconds
	if err := l.put("/drain.down", data); err != nil {
		return "", err
	}
	flows := []*flow{
		{mode: "EPSV", up: true, how: plainFTP, path: "/drain.up1", data: data, rate: slowBytes},
		{mode: "PORT", up: true, how: explicit, path: "/drain.up2", data: data, rate: slowBytes},
		{mode: "PASV", how: implicit, path: "/drain.down", data: data},
		{mode: "EPRT", how: plainFTP, path: "/drain.down", data: data},
	}
	if err := n.begin(flows...); err != nil {
		return "", err
	}
	director, _, err := l.activeDirector()
	if err != nil {
		return "", err
	}
	sleep(l.ctx, 500*time.Millisecond)
	probe := startProbe()
	begun := time.Now()
	if err := order(n); err != nil {
		return "", err
	}
	out, err := l.await("the director notices", outLimit, func() error { return director.sees(n, false) })
	for _, f := range flows {
		err = errors.Join(err, f.wait())
	}
	transfers := time.Since(begun)
	exit := n.process.exit(outLimit)
	probe.end()
	if err := errors.Join(err, exit); err != nil {
		return "", err
	}
	refused, err := probe.onlyWithin(begun, begun) // nobody
	measured := fmt.Sprintf("weight 0 after %s, %s; four transfers ended with 226 within %s, exit code 0", seconds(out), refused, seconds(transfers))
	return measured, errors.Join(err, atMost("drain", out, limit), probe.noneOn(n, begun.Add(limit)))
}
