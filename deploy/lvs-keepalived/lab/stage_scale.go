package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	cpuShare       = 3 // percent of one CPU for each node
	clientsPerNode = 8
	scaleFor       = 12 * time.Second // measured, after scaleWarm
	scaleWarm      = 3 * time.Second
	scaleFile      = 64 << 20
	scaleTolerance = 0.1 // that a node may do less than a lone one
)

// point is the throughput of so many nodes.
type point struct {
	nodes int
	rate  float64 // bytes a second, all together
}

func stageScale(l *lab) {
	var points []point
	l.check("a run to warm up the store", func() (string, error) { _, err := l.throughput(1); return "", err })
	for _, nodes := range []int{1, 2, 4, 8} {
		if nodes > len(l.nodes) {
			break
		}
		l.check(fmt.Sprintf("%d node(s) with %d %% of a CPU each, %d clients", nodes, cpuShare, nodes*clientsPerNode), func() (string, error) {
			rate, err := l.throughput(nodes)
			points = append(points, point{nodes, rate})
			each := rate / float64(nodes)
			measured := fmt.Sprintf("%.1f MB/s, %.2f a node", rate/1e6, each/1e6)
			// More than a lone node's is no fault: shares of a few ticks are not dealt out exactly.
			if less := 1 - each/points[0].rate; err == nil && less > scaleTolerance {
				err = fmt.Errorf("%.0f %% less than a lone node's", 100*less)
			}
			return measured, err
		})
	}
	plot := filepath.Join(l.out, "scale.svg")
	l.check("plotted", func() (string, error) { return plot, os.WriteFile(plot, drawScale(points), 0o644) })
}

// throughput lets the first nodes work alone, each with its share of CPU, and sums up what
// clients fetch.
func (l *lab) throughput(nodes int) (float64, error) {
	if err := l.put("/scale.bin", content{seed: 71, size: scaleFile}); err != nil {
		return 0, err
	}
	for _, n := range l.nodes[nodes:] {
		n.process.kill()
	}
	defer func() {
		for _, n := range l.nodes[nodes:] {
			_ = n.start() // awaitCluster notices
		}
	}()
	if err := l.awaitOnly(nodes); err != nil {
		return 0, err
	}
	// Logins come before the limit: a password takes more CPU than many transfers.
	sessions, err := connectAll(nodes * clientsPerNode)
	if err != nil {
		return 0, err
	}
	for _, n := range l.nodes[:nodes] {
		if err := n.limitCPU(cpuShare); err != nil {
			return 0, err
		}
		defer func() { _ = n.limitCPU(0) }() // the next step sets it again
	}
	return l.fetchAll(sessions)
}

func connectAll(clients int) ([]*session, error) {
	var sessions []*session
	for i := range clients {
		s, err := connect(vip4, clientIP(i), explicit, fast)
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

// awaitOnly waits until the active director sends sessions to the first nodes alone.
func (l *lab) awaitOnly(nodes int) error {
	director, _, err := l.activeDirector()
	if err != nil {
		return err
	}
	for i, n := range l.nodes {
		if _, err := l.await("the director sees "+n.name(), nodeLimit, func() error { return director.sees(n, i < nodes) }); err != nil {
			return err
		}
	}
	return nil
}

// fetchAll lets clients fetch a file again and again, and returns bytes a second.
func (l *lab) fetchAll(sessions []*session) (float64, error) {
	var total atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, len(sessions))
	stop := make(chan struct{})
	for _, s := range sessions {
		wg.Go(func() {
			if err := fetchUntil(stop, s, &total); err != nil {
				errs <- err
			}
		})
	}
	sleep(l.ctx, scaleWarm)
	before, begun := total.Load(), time.Now()
	sleep(l.ctx, scaleFor)
	rate := float64(total.Load()-before) / time.Since(begun).Seconds()
	close(stop)
	wg.Wait()
	close(errs)
	var failed error
	for err := range errs {
		failed = errors.Join(failed, err)
	}
	return rate, failed
}

func fetchUntil(stop chan struct{}, s *session, total *atomic.Int64) error {
	defer s.close()
	for {
		conn, err := s.transfer("EPSV", "RETR /scale.bin", 0)
		if err != nil {
			return err
		}
		begun := time.Now()
		ended, err := count(stop, deadlineReader{conn}, total)
		_ = conn.Close() // only read
		if err != nil {
			return fmt.Errorf("data from %s, %s after 150: %w", s.node, since(begun), err)
		}
		if ended {
			return nil
		}
		if _, err := s.reply("226"); err != nil {
			return fmt.Errorf("after the data from %s: %w", s.node, err)
		}
	}
}

// count reads to the end, or until it is told to stop.
func count(stop chan struct{}, r io.Reader, total *atomic.Int64) (stopped bool, err error) {
	buf := make([]byte, 64<<10)
	for {
		select {
		case <-stop:
			return true, nil
		default:
		}
		n, err := r.Read(buf)
		total.Add(int64(n))
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

const cpuPeriod = 100_000 // microseconds

// limitCPU gives a node a share of one CPU, in percent; 0: all it wants. Both versions of
// control groups are known.
func (n *node) limitCPU(percent int) error {
	dir, files := cpuGroup(fmt.Sprintf("spd-lab-%d-%s", os.Getpid(), n.name()), percent)
	if percent == 0 {
		dir = filepath.Dir(dir)
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(n.process.cmd.Process.Pid)), 0o644)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	n.lab.groups = append(n.lab.groups, dir)
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(n.process.cmd.Process.Pid)), 0o644)
}

func cpuGroup(name string, percent int) (string, map[string]string) {
	quota := strconv.Itoa(cpuPeriod * percent / 100)
	const v1 = "/sys/fs/cgroup/cpu"
	if _, err := os.Stat(filepath.Join(v1, "cgroup.procs")); err == nil {
		return filepath.Join(v1, name), map[string]string{"cpu.cfs_period_us": strconv.Itoa(cpuPeriod), "cpu.cfs_quota_us": quota}
	}
	return filepath.Join("/sys/fs/cgroup", name), map[string]string{"cpu.max": quota + " " + strconv.Itoa(cpuPeriod)}
}
