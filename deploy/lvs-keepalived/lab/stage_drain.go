package main

import (
	"errors"
	"fmt"
	"time"
)

// drainedLimit is when no new session may begin on a node any more.
const drainedLimit = 2 * time.Second

func stageDrain(l *lab) {
	n := l.nodes[len(l.nodes)-1]
	l.check("drain by SIGTERM with four transfers running", func() (string, error) { return l.drain(n) })
	l.check("drained node started again: back in the pool", func() (string, error) {
		begun := time.Now()
		if err := n.start(); err != nil {
			return "", err
		}
		err := l.awaitCluster()
		return "after " + since(begun), err
	})
}

func (l *lab) drain(n *node) (string, error) {
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
	n.sigterm()
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
	refused, err := probe.onlyWithin(begun, begun.Add(drainedLimit))
	measured := fmt.Sprintf("weight 0 after %s, %s; four transfers ended with 226 within %s, exit code 0", seconds(out), refused, seconds(transfers))
	return measured, errors.Join(err, atMost("drain", out, drainedLimit), probe.noneOn(n, begun.Add(drainedLimit)))
}
