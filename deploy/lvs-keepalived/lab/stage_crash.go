package main

import (
	"errors"
	"fmt"
	"time"
)

const (
	crashLimit    = 1500 * time.Millisecond // until the other director has the VIP, and for pauses
	handOverLimit = 500 * time.Millisecond  // for pauses when the VIP is moved by hand
	flowSeconds   = 9                       // how long the transfers run
)

func stageCrash(l *lab) {
	var crashed *director
	l.check("the active director crashes with eight transfers running", func() (string, error) {
		active, standby, err := l.activeDirector()
		if err != nil {
			return "", err
		}
		crashed = active
		return l.takeOver(standby, crashLimit, crashLimit, func() error { active.crash(); return nil })
	})
	l.check("it comes back, and does not disturb the other", func() (string, error) {
		if crashed == nil {
			return "", errors.New("no director has crashed")
		}
		return l.comeBack(crashed)
	})
}

func stageHandOver(l *lab) {
	var before *director
	l.check("planned hand-over with eight transfers running", func() (string, error) {
		active, standby, err := l.activeDirector()
		if err != nil {
			return "", err
		}
		before = active
		return l.takeOver(standby, crashLimit, handOverLimit, func() error { return active.handOver(true) })
	})
	l.check("the other director may have the VIP again", func() (string, error) {
		if before == nil {
			return "", errors.New("no VIP was handed over")
		}
		return "", before.handOver(false)
	})
}

// eightFlows are all modes, up and down, half of them encrypted.
func (l *lab) eightFlows() ([]*flow, error) {
	data := content{seed: 41, size: flowSeconds * slowBytes}
	if err := l.put("/flow.down", data); err != nil {
		return nil, err
	}
	var flows []*flow
	for i, mode := range modes {
		how := []security{plainFTP, explicit}[i%2]
		flows = append(flows,
			&flow{mode: mode, up: true, how: how, path: fmt.Sprintf("/flow.up%d", i), data: data, rate: slowBytes},
			&flow{mode: mode, how: how, path: "/flow.down", data: data})
	}
	for i, f := range flows {
		user := slow
		if f.up {
			user = fast // paced by the client
		}
		s, err := connect(vip4, clientIP(31+i), f.how, user)
		if err != nil {
			return nil, err
		}
		f.start(s)
	}
	return flows, nil
}

// takeOver makes the VIP move while transfers run and new sessions come.
func (l *lab) takeOver(to *director, moveLimit, pauseLimit time.Duration, away func() error) (string, error) {
	flows, err := l.eightFlows()
	if err != nil {
		return "", err
	}
	sleep(l.ctx, 2*time.Second)
	for _, f := range flows {
		f.gaps.reset()
	}
	probe := startProbe()
	sleep(l.ctx, time.Second)
	begun := time.Now()
	if err := away(); err != nil {
		return "", err
	}
	took, err := l.await("the VIP moves", outLimit, to.active)
	there := time.Now()
	var lost error
	pause := time.Duration(0)
	survived := 0
	for _, f := range flows {
		if flowErr := f.waitAndGoOn(); flowErr != nil {
			lost = errors.Join(lost, flowErr)
			continue
		}
		survived++
		pause = max(pause, f.gaps.max())
	}
	probe.end()
	refused, refusedErr := probe.onlyWithin(begun, there)
	measured := fmt.Sprintf("VIP on %s after %s, %d of %d transfers went on, longest pause %s; %s",
		to.name(), seconds(took), survived, len(flows), seconds(pause), refused)
	return measured, errors.Join(err, lost, refusedErr, atMost("moving the VIP", took, moveLimit), atMost("the longest pause", pause, pauseLimit))
}

// comeBack boots a crashed director while a transfer runs.
func (l *lab) comeBack(d *director) (string, error) {
	f := &flow{mode: "EPSV", up: true, how: plainFTP, path: "/back.up", data: content{seed: 42, size: 12 * slowBytes}, rate: slowBytes}
	s, err := connect(vip4, clientIP(31), plainFTP, fast)
	if err != nil {
		return "", err
	}
	f.start(s)
	begun := time.Now()
	<-d.vm.done
	if err := d.boot(); err != nil {
		return "", err
	}
	if _, err := l.await(d.name()+" has booted", bootLimit, d.alive); err != nil {
		return "", err
	}
	booted := time.Since(begun)
	if err := d.startKeepalived(); err != nil {
		return "", err
	}
	if err := l.awaitCluster(); err != nil {
		return "", err
	}
	if err := f.waitAndGoOn(); err != nil {
		return "", err
	}
	if d.active() == nil {
		return "", fmt.Errorf("%s has taken the VIP back", d.name())
	}
	return fmt.Sprintf("booted after %s; a transfer meanwhile paused %s at most", seconds(booted), seconds(f.gaps.max())),
		atMost("the pause", f.gaps.max(), handOverLimit)
}
