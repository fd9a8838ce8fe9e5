package auth

import (
	"sync"
	"time"
)

// paceMax bounds the classes that are known; rows with more different ones are unlikely.
const paceMax = 256

// pace knows how long hash operations take here, so that all refusals can take as long as
// one of the dearest kind of hash that was met. Its methods may be called concurrently.
type pace struct {
	mu      sync.Mutex
	fastest map[string]time.Duration // of each class: what a busy machine adds is left out
}

func newPace() *pace { return &pace{fastest: make(map[string]time.Duration)} }

func (p *pace) note(class string, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.fastest[class]
	if !ok && len(p.fastest) >= paceMax {
		return
	}
	if !ok || took < known {
		p.fastest[class] = took
	}
}

// dearest is the time of the class that takes longest.
func (p *pace) dearest() (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.fastest {
		longest = max(longest, d)
	}
	return longest
}
