package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	loadClients = 50
	loadSize    = 300 << 10
	restarts    = 3 // nodes restarted in the rolling restart
)

func stageRolling(l *lab) {
	l.check(fmt.Sprintf("rolling restart of %d nodes under load of %d clients", min(restarts, len(l.nodes)), loadClients), l.rollingRestart)
}

func (l *lab) rollingRestart() (string, error) {
	load := l.startLoad()
	begun := time.Now()
	var err error
	for _, n := range l.nodes[:min(restarts, len(l.nodes))] {
		if err = n.restart(); err != nil {
			break
		}
	}
	took := since(begun)
	sleep(l.ctx, time.Second)
	load.end()
	return fmt.Sprintf("within %s; %s", took, load), errors.Join(err, load.err())
}

// restart drains a node, starts it again, and waits until directors send sessions to it.
func (n *node) restart() error {
	n.sigterm()
	if err := n.process.exit(nodeLimit); err != nil {
		return fmt.Errorf("%s: %w", n.name(), err)
	}
	if err := n.start(); err != nil {
		return err
	}
	return n.lab.awaitCluster()
}

// load is many clients that store and fetch files in a loop, each time in a new session.
type load struct {
	stop chan struct{}
	done sync.WaitGroup

	mu         sync.Mutex
	transfers  int
	again      int // sessions that were refused or ended between transfers: clients come again
	longest    time.Duration
	unfinished []error // transfers that failed once they had begun, or with wrong bytes
}

func (l *lab) startLoad() *load {
	load := &load{stop: make(chan struct{})}
	for i := range loadClients {
		load.done.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-load.stop:
					return
				default:
					load.round(i, round)
				}
				sleep(l.ctx, 50*time.Millisecond)
			}
		})
	}
	return load
}

// round is one client's visit: a file up, and down again. Plain and encrypted by turns.
func (o *load) round(client, round int) {
	begun := time.Now()
	s, err := connect(vip4, clientIP(client), []security{plainFTP, explicit}[(client+round)%2], fast)
	if err != nil {
		o.comeAgain()
		return
	}
	defer s.close()
	o.loggedIn(time.Since(begun))
	data := content{seed: uint64(client)<<32 | uint64(round), size: loadSize}
	path := fmt.Sprintf("/load.%d", client)
	mode := modes[(client+round)%len(modes)]
	for _, step := range []func() error{
		func() error { return s.upload(mode, path, 0, data.reader(0)) },
		func() error { return data.verify(s, path) },
	} {
		if err := step(); err != nil {
			o.failed(s, mode, err)
			return
		}
		o.finished()
	}
	s.quit()
}

// failed tells a transfer that failed from a session that the server had ended before it.
func (o *load) failed(s *session, mode string, err error) {
	if !s.begun {
		o.comeAgain()
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unfinished = append(o.unfinished, fmt.Errorf("%s on %s: %w", mode, s.node, err))
}

func (o *load) comeAgain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.again++
}

func (o *load) finished() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.transfers++
}

func (o *load) loggedIn(took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.longest = max(o.longest, took)
}

// end waits for what is on its way.
func (o *load) end() {
	close(o.stop)
	o.done.Wait()
}

func (o *load) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.unfinished) > 0 {
		return errors.Join(o.unfinished[:min(len(o.unfinished), 3)]...)
	}
	if o.transfers == 0 {
		return errors.New("no transfers")
	}
	return nil
}

func (o *load) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("%d transfers, %d failed; %d sessions had to begin again; longest login %s",
		o.transfers, len(o.unfinished), o.again, seconds(o.longest))
}
