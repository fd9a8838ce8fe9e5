package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// crowdOfUploads measures how much memory a node takes when far more is uploaded at the
// same time than its buffers hold.
type crowdOfUploads struct {
	budget string // transfer.memory
	load   load
	peak   goal // MiB
}

// run first does a mixed load, which leaves behind a heap that has been used.
func (c crowdOfUploads) run(ctx context.Context, b *bench, name string) ([]figure, error) {
	n, err := b.startNode(map[string]string{"transfer.memory": c.budget})
	if err != nil {
		return nil, err
	}
	figures, err := c.onNode(ctx, n, name)
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return figures, err
}

func (c crowdOfUploads) onNode(ctx context.Context, n *node, name string) ([]figure, error) {
	if err := mix(ctx, n, name+"-mix"); err != nil {
		return nil, fmt.Errorf("mixed load: %w", err)
	}
	mixed, err := memoryOf(n.Pid(), "VmHWM")
	if err != nil {
		return nil, err
	}
	l := c.load
	l.Dir = name
	s, err := n.login(l.Clients, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	o, err := n.measure(s, l)
	if err != nil {
		return nil, err
	}
	if err := n.bench.check(l, o); err != nil {
		return nil, err
	}
	peak, err := memoryOf(n.Pid(), "VmHWM")
	if err != nil {
		return nil, err
	}
	return []figure{
		single("peak RSS, MiB", mib(peak), c.peak),
		single("peak RSS of the mixed load, MiB", mib(mixed), goal{}),
		single(perByte().cpu, perByte().ofCPU(o, o.CPU.Gateway), goal{}),
		single(perByte().rate, perByte().ofRate(o), goal{}),
	}, nil
}

// mix does a bit of everything at the same time.
func mix(ctx context.Context, n *node, dir string) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, l := range []load{
		{Upload: true, Clients: 10, Size: 1 << 10},
		{Clients: 10, Size: 1 << 10, Choice: 10},
		{Upload: true, Clients: 10, Size: 1 << 20},
		{Clients: 100, Size: 100 << 10, Choice: 1},
		{Upload: true, Clients: 2, Size: 64 << 20},
		{Clients: 2, Size: 64 << 20, Choice: 1},
	} {
		l.Duration, l.Dir = n.bench.duration, fmt.Sprintf("%s-%d", dir, i)
		g.Go(func() error { return n.do(ctx, l) })
	}
	return g.Wait()
}

// do does a load with sessions of its own, and removes the files.
func (n *node) do(ctx context.Context, l load) error {
	defer n.bench.remove(l.Dir)
	if !l.Upload {
		if err := n.bench.fill(ctx, l); err != nil {
			return err
		}
	}
	s, err := n.login(l.Clients, false)
	if err != nil {
		return err
	}
	defer s.close()
	_, err = n.measure(s, l)
	return err
}
