package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	perNode   = 12  // sessions that a check makes for each node
	rounds    = 10  // of that many sessions, for a scheduler that only chance makes even
	tolerance = 0.3 // how far from its share a node may be
)

// stageSpread: mh goes by a hash of address and port, so sessions are spread as dice would: a
// node's count of 12 is off by 3 or 4 at any time, and that becomes little only among many. rr
// deals them out in turn.
func stageSpread(l *lab) {
	sessions := perNode * len(l.nodes)
	for _, addresses := range []int{1, 30} {
		l.check(fmt.Sprintf("mh: %d times %d sessions from %d address(es)", rounds, sessions, addresses), func() (string, error) {
			return l.spread(rounds, sessions, addresses)
		})
	}
	l.check("cluster.yaml changed to rr: rendered, and reloaded on both directors", func() (string, error) { return "", l.schedule("rr") })
	for _, addresses := range []int{1, 30} {
		l.check(fmt.Sprintf("rr: %d sessions from %d address(es)", sessions, addresses), func() (string, error) {
			return l.spread(1, sessions, addresses)
		})
	}
	l.check("and back to mh", func() (string, error) { return "", l.schedule("mh") })
}

// spread opens sessions, counts where they land, and looks at the sum of all rounds.
func (l *lab) spread(rounds, sessions, addresses int) (string, error) {
	counts := make(map[string]int)
	once := 0.0 // the worst of a single round
	for range rounds {
		landed, err := l.land(sessions, addresses)
		if err != nil {
			return "", err
		}
		once = max(once, l.unevenness(landed))
		for name, n := range landed {
			counts[name] += n
		}
	}
	var measured []int
	for _, n := range l.nodes {
		measured = append(measured, counts[n.name()])
	}
	slices.Sort(measured)
	most := l.unevenness(counts)
	text := fmt.Sprintf("%v, at most %.0f %% off", measured, 100*most)
	if rounds > 1 {
		text += fmt.Sprintf(" (%.0f %% in a single round)", 100*once)
	}
	if most > tolerance {
		return text, fmt.Errorf("allowed are %.0f %%", 100*tolerance)
	}
	return text, nil
}

// land opens sessions, all open at the same time, and counts them by node.
func (l *lab) land(sessions, addresses int) (map[string]int, error) {
	counts := make(map[string]int)
	var open []*session
	defer func() {
		for _, s := range open {
			s.quit()
		}
	}()
	for i := range sessions {
		s, err := connect(vip4, clientIP(i%addresses), plainFTP, fast)
		if err != nil {
			return nil, fmt.Errorf("session %d: %w", i, err)
		}
		open = append(open, s)
		counts[s.node]++
	}
	return counts, nil
}

// unevenness is how far the node that is furthest from its share is from it.
func (l *lab) unevenness(counts map[string]int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	share := float64(total) / float64(len(l.nodes))
	most := 0.0
	for _, n := range l.nodes {
		most = max(most, math.Abs(float64(counts[n.name()])-share)/share)
	}
	return most
}

// schedule changes how new sessions are spread, on the running cluster.
func (l *lab) schedule(scheduler string) error {
	l.scheduler = scheduler
	if err := l.render(); err != nil {
		return err
	}
	for _, d := range l.directors {
		if _, err := d.shell("kill -HUP $(cat /run/keepalived.pid)"); err != nil {
			return err
		}
	}
	return errors.Join(l.awaitChecked(), l.awaitCluster())
}
