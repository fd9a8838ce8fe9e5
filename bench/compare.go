package main

import (
	"context"
	"fmt"
	"time"
)

// comparison is a load that is done by turns through SPD and straight to the store.
type comparison struct {
	load   load
	tls    bool // FTPS, with encrypted data connections
	scale  scale
	cpu    goal
	rate   goal
	memory goal // peak of the resident set, MiB
}

// scale says in which units a load is told.
type scale struct {
	cpu, rate string
	ofCPU     func(o outcome, seconds float64) float64
	ofRate    func(o outcome) float64
}

func perFile() scale {
	return scale{
		cpu: "CPU-ms a file", ofCPU: func(o outcome, seconds float64) float64 { return seconds * 1000 / float64(o.Files) },
		rate: "files a minute", ofRate: func(o outcome) float64 { return float64(o.Files) / o.Seconds * 60 },
	}
}

func perRequest() scale {
	return scale{
		cpu: "CPU-ms a request", ofCPU: perFile().ofCPU,
		rate: "requests a second", ofRate: func(o outcome) float64 { return float64(o.Files) / o.Seconds },
	}
}

// perByte counts in GB of 10^9 bytes.
func perByte() scale {
	return scale{
		cpu: "CPU-s a GB", ofCPU: func(o outcome, seconds float64) float64 { return seconds * 1e9 / float64(o.Bytes) },
		rate: "MB a second", ofRate: func(o outcome) float64 { return float64(o.Bytes) / 1e6 / o.Seconds },
	}
}

// tell is a round in a line.
func (s scale) tell(spd, client outcome) string {
	return fmt.Sprintf("%s: SPD %s (store %s, FTP clients %s), S3 client %s (store %s); %s: %s, %s",
		s.cpu, number(s.ofCPU(spd, spd.CPU.Gateway)), number(s.ofCPU(spd, spd.CPU.Store)), number(s.ofCPU(spd, spd.CPU.Load)),
		number(s.ofCPU(client, client.CPU.Gateway)), number(s.ofCPU(client, client.CPU.Store)),
		s.rate, number(s.ofRate(spd)), number(s.ofRate(client)))
}

// run does the rounds.
func (c comparison) run(ctx context.Context, b *bench, name string) ([]figure, error) {
	n, err := b.startNode(nil)
	if err != nil {
		return nil, err
	}
	figures, err := c.onNode(ctx, n, name)
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return figures, err
}

func (c comparison) onNode(ctx context.Context, n *node, name string) ([]figure, error) {
	l := c.load
	l.Dir = name
	if l.Duration != 0 {
		l.Duration = n.bench.duration
	}
	if !l.Upload {
		if err := n.bench.fill(ctx, l); err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		defer n.bench.remove(l.Dir)
	}
	s, err := n.login(l.Clients, c.tls)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := forgetPeak(n.Pid()); err != nil {
		return nil, err
	}
	defer n.bench.profile(n, name)()

	var cpu, cpuClient, rate, rateClient []float64
	for round := range n.bench.rounds {
		spd, client, err := c.round(n, s, l, round)
		if err != nil {
			return nil, err
		}
		cpu = append(cpu, c.scale.ofCPU(spd, spd.CPU.Gateway))
		cpuClient = append(cpuClient, c.scale.ofCPU(client, client.CPU.Gateway))
		rate, rateClient = append(rate, c.scale.ofRate(spd)), append(rateClient, c.scale.ofRate(client))
		n.bench.progress("  round %d: %s", round+1, c.scale.tell(spd, client))
	}
	peak, err := memoryOf(n.Pid(), "VmHWM")
	if err != nil {
		return nil, err
	}
	return []figure{
		compared(c.scale.cpu, cpu, cpuClient, c.cpu),
		compared(c.scale.rate, rate, rateClient, c.rate),
		single("peak RSS, MiB", mib(peak), c.memory),
	}, nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// round does the load once through SPD and once without.
func (c comparison) round(n *node, s sessions, l load, round int) (spd, client outcome, err error) {
	dir := l.Dir
	if l.Upload {
		l.Dir = fmt.Sprintf("%s-%d", dir, round)
	}
	if spd, err = n.measure(s, l); err != nil {
		return spd, client, fmt.Errorf("through SPD: %w", err)
	}
	if err = n.bench.check(l, spd); err != nil {
		return spd, client, fmt.Errorf("through SPD: %w", err)
	}
	if l.Upload {
		l.Dir = fmt.Sprintf("%s-%d-s3", dir, round)
	}
	time.Sleep(settle)
	client, err = runS3Client(s3Job{Endpoint: n.bench.s3, StorePid: n.bench.minio.Pid(), Bucket: bucket, Load: l})
	if err == nil {
		err = n.bench.check(l, client)
	}
	time.Sleep(settle)
	return spd, client, err
}

// settle is how long the store and the disk get between two measurements.
const settle = 300 * time.Millisecond
