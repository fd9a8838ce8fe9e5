package main

import (
	"errors"
	"fmt"
	"time"
)

// splitLimit is until a node that cannot reach the database gets no new sessions.
const splitLimit = 5 * time.Second

func stageSplit(l *lab) {
	l.check("a node without database: no new sessions; its uploads have one owner", l.split)
}

// split cuts a node off the database while two uploads run there. One of them goes on. The
// client of the other comes again, elsewhere: from then on that upload is the other node's.
func (l *lab) split() (string, error) {
	n := l.nodes[0]
	stays := &flow{mode: "EPSV", up: true, how: plainFTP, path: "/split.stays", data: content{seed: 61, size: 48 << 20}, rate: 3 << 20}
	moves := &flow{mode: "EPSV", up: true, how: plainFTP, path: "/split.moves", data: content{seed: 62, size: 80 << 20}, rate: 4 << 20}
	if err := n.begin(stays, moves); err != nil {
		return "", err
	}
	if _, err := l.await("parts are up", nodeLimit, func() error { return moved(moves, 20<<20) }); err != nil {
		return "", err
	}
	director, _, err := l.activeDirector()
	if err != nil {
		return "", err
	}
	if err := n.cutOff(l.database.ip()); err != nil {
		return "", err
	}
	out, err := l.await("the director notices", outLimit, func() error { return director.sees(n, false) })
	// The node does not hear that this client has gone: only its data stops.
	resumed, resumeErr := resumeElsewhere(moves)
	staysText, staysErr := l.finishedOrResumed(stays)
	healErr := n.heal()
	moves.abandon()
	backErr := l.awaitCluster()
	sleep(l.ctx, 3*time.Second) // for what the node may still try
	again, err2 := connect(vip4, clientIP(0), plainFTP, fast)
	if err2 != nil {
		return "", err2
	}
	defer again.quit()
	ownerErr := moves.data.verify(again, moves.path)
	measured := fmt.Sprintf("drained after %s; upload that stayed: %s; upload that moved: %s, and still after the node was back", seconds(out), staysText, resumed)
	return measured, errors.Join(err, resumeErr, staysErr, healErr, backErr, ownerErr, atMost("drain", out, splitLimit))
}

// resumeElsewhere goes on with an upload whose first connection is still open.
func resumeElsewhere(f *flow) (string, error) {
	text, err := resume(f, nil)
	if err != nil {
		return "", fmt.Errorf("taking over: %w", err)
	}
	return text, nil
}

// cutOff drops all that a node sends to an address.
func (n *node) cutOff(ip string) error {
	return n.lab.commands(
		"ip netns exec "+n.name()+" nft add table ip cut",
		"ip netns exec "+n.name()+" nft add chain ip cut out { type filter hook output priority 0 ; }",
		"ip netns exec "+n.name()+" nft add rule ip cut out ip daddr "+ip+" drop",
	)
}

func (n *node) heal() error {
	return n.lab.commands("ip netns exec " + n.name() + " nft delete table ip cut")
}
