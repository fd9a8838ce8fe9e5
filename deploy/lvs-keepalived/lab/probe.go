package main

import (
	"fmt"
	"sync"
	"time"
)

// probe makes a new session every so often, as new clients do, until it is told to stop.
type probe struct {
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	made    int
	refused []refusal
	landed  map[string][]time.Time // when a session on this node began
}

// refusal is a session that did not come about.
type refusal struct {
	begun time.Time
	err   error
}

const (
	probeEvery = 50 * time.Millisecond
	probeLimit = 8 * time.Second // above the time in which directors take over
)

func startProbe() *probe {
	p := &probe{stop: make(chan struct{}), landed: make(map[string][]time.Time)}
	p.done.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-p.stop:
				return
			case <-time.After(probeEvery):
				p.done.Go(func() { p.once(clientIP(1 + i%30)) })
			}
		}
	})
	return p
}

func (p *probe) once(from string) {
	begun := time.Now()
	s, err := connect(vip4, from, plainFTP, fast)
	if err == nil {
		defer s.quit()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	if err != nil {
		p.refused = append(p.refused, refusal{begun, err})
		return
	}
	p.landed[s.node] = append(p.landed[s.node], begun)
}

// end waits for what is on its way.
func (p *probe) end() {
	close(p.stop)
	p.done.Wait()
}

// onlyWithin is an error if a session was refused that began before from or after to.
func (p *probe) onlyWithin(from, to time.Time) (string, error) {
	text := fmt.Sprintf("%d of %d new sessions refused", len(p.refused), p.made)
	for _, r := range p.refused {
		if r.begun.Before(from) || r.begun.After(to) {
			return text, fmt.Errorf("one %s after the event: %w", seconds(r.begun.Sub(from)), r.err)
		}
	}
	return text, nil
}

// noneOn is an error if a session began on a node after a time.
func (p *probe) noneOn(n *node, after time.Time) error {
	for _, begun := range p.landed[n.name()] {
		if begun.After(after) {
			return fmt.Errorf("a session began on %s %s too late", n.name(), seconds(begun.Sub(after)))
		}
	}
	return nil
}

// connectTo connects until a session lands on a node: which one is the director's choice.
func connectTo(n *node, from string, how security, user string) (*session, error) {
	for range 40 * len(n.lab.nodes) {
		s, err := connect(vip4, from, how, user)
		if err != nil {
			return nil, err
		}
		if s.node == n.name() {
			return s, nil
		}
		s.quit()
	}
	return nil, fmt.Errorf("no session lands on %s", n.name())
}
