package main

import (
	"fmt"
	"math"
	"slices"
)

// perNode is how many sessions the checks make for each node.
const perNode = 12

// tolerance is how far from its share a node may be.
const tolerance = 0.3

func stageSpread(l *lab) {
	sessions := perNode * len(l.nodes)
	for _, addresses := range []int{1, 30} {
		l.check(fmt.Sprintf("%d sessions from %d address(es)", sessions, addresses), func() (string, error) {
			return l.spread(sessions, addresses)
		})
	}
}

// spread opens sessions, all at the same time, and counts where they land.
func (l *lab) spread(sessions, addresses int) (string, error) {
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
			return "", fmt.Errorf("session %d: %w", i, err)
		}
		open = append(open, s)
		counts[s.node]++
	}
	share := float64(sessions) / float64(len(l.nodes))
	most := 0.0
	var measured []int
	for _, n := range l.nodes {
		measured = append(measured, counts[n.name()])
		most = max(most, math.Abs(float64(counts[n.name()])-share)/share)
	}
	slices.Sort(measured)
	text := fmt.Sprintf("%v, at most %.0f %% off", measured, 100*most)
	if most > tolerance {
		return text, fmt.Errorf("allowed are %.0f %%", 100*tolerance)
	}
	return text, nil
}
