package main

import (
	"context"
	"time"
)

// sizes takes the rate of SIZE on one connection, next to that of the bare request for an
// object's properties.
type sizes struct {
	times int // how often each is done in a round
	ratio goal
}

func (z sizes) run(_ context.Context, b *bench, name string) ([]figure, error) {
	defer b.remove(name)
	if err := b.store.put(0, name+"/file", 1); err != nil {
		return nil, err
	}
	n, err := b.startNode(nil)
	if err != nil {
		return nil, err
	}
	f, err := z.onNode(n, name+"/file")
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return []figure{f}, err
}

func (z sizes) onNode(n *node, path string) (figure, error) {
	s, err := n.login(1, false)
	if err != nil {
		return figure{}, err
	}
	defer s.close()
	var spd, client []float64
	for round := range n.bench.rounds {
		ofSPD, ofClient, err := z.round(n.bench, s[0], path)
		if err != nil {
			return figure{}, err
		}
		n.bench.progress("  round %d: %.0f/s, %.0f/s the bare requests", round+1, ofSPD, ofClient)
		spd, client = append(spd, ofSPD), append(client, ofClient)
	}
	return compared("SIZE, per second", spd, client, z.ratio), nil
}

// turn is how often one is done before the other has its turn.
const turn = 100

// round returns how many each does in a second.
func (z sizes) round(b *bench, c *ftpClient, path string) (ofSPD, ofClient float64, err error) {
	var spd, client time.Duration
	for range z.times / turn {
		begun := time.Now()
		for range turn {
			if err := b.store.head(path); err != nil {
				return 0, 0, err
			}
		}
		client += time.Since(begun)
		begun = time.Now()
		for range turn {
			if err := c.do("213", "SIZE "+path); err != nil {
				return 0, 0, err
			}
		}
		spd += time.Since(begun)
	}
	return float64(z.times) / spd.Seconds(), float64(z.times) / client.Seconds(), nil
}
