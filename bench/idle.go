package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// idleSessions measures how much a session takes that does nothing: the growth of the
// resident set, garbage that Go lets lie included, divided by the number of sessions.
type idleSessions struct {
	count int
	each  goal // KiB
}

func (i idleSessions) run(ctx context.Context, b *bench, name string) ([]figure, error) {
	n, err := b.startNode(nil)
	if err != nil {
		return nil, err
	}
	figures, err := i.onNode(ctx, n, name)
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return figures, err
}

func (i idleSessions) onNode(ctx context.Context, n *node, name string) ([]figure, error) {
	l := load{Upload: true, Clients: i.count, Size: 1 << 10, Dir: name}
	if err := n.do(ctx, load{Upload: true, Clients: 1, Size: 1 << 10, Dir: name + "-warm"}); err != nil {
		return nil, err
	}
	before, err := n.settled(ctx)
	if err != nil {
		return nil, err
	}
	s, err := n.login(i.count, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	fresh, err := n.settled(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.storeOneEach(l); err != nil {
		return nil, err
	}
	used, err := n.settled(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.alive(); err != nil {
		return nil, err
	}
	kib := func(after, before int64) float64 { return float64(after-before) / 1024 / float64(i.count) }
	return []figure{
		single("KiB a session", kib(fresh.rss, before.rss), i.each),
		single("of it Go's heap and stacks in use", kib(fresh.inUse, before.inUse), goal{}),
		single("KiB a session after an upload each", kib(used.rss, before.rss), goal{}),
		single("RSS without a session, MiB", mib(before.rss), goal{}),
	}, nil
}

// storeOneEach uploads a file in each session, in few at a time: what many uploads at once
// leave behind is another matter.
func (s sessions) storeOneEach(l load) error {
	if err := s.makeDirs(l); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(fewAtATime)
	for i, c := range s {
		g.Go(func() error { return c.store(l.name(i, 0), l.Size) })
	}
	return g.Wait()
}

// alive: a session that the server has closed costs nothing.
func (s sessions) alive() error {
	var g errgroup.Group
	for _, c := range s {
		g.Go(func() error { return c.do("200", "NOOP") })
	}
	return g.Wait()
}

// usage is what a node has in memory, in bytes.
type usage struct {
	rss   int64
	inUse int64 // spans of the heap, and stacks
}

const (
	collections = 3               // of garbage, at least
	calm        = 3 * time.Second // the resident set has not shrunk for so long
	calmTimeout = time.Minute
)

// settled waits until garbage has been collected and given back to the system. Asking for
// metrics makes the garbage that makes Go collect it.
func (n *node) settled(ctx context.Context) (usage, error) {
	deadline := time.Now().Add(calmTimeout)
	first, _, err := n.memstats(ctx)
	if err != nil {
		return usage{}, err
	}
	for count := first; count < first+collections; {
		if count, _, err = n.memstats(ctx); err != nil {
			return usage{}, err
		}
		if time.Now().After(deadline) {
			return usage{}, errors.New("garbage is not collected")
		}
	}
	least, err := memoryOf(n.Pid(), "VmRSS")
	if err != nil {
		return usage{}, err
	}
	for since := time.Now(); time.Since(since) < calm && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		rss, err := memoryOf(n.Pid(), "VmRSS")
		if err != nil {
			return usage{}, err
		}
		if rss < least {
			least, since = rss, time.Now()
		}
	}
	_, inUse, err := n.memstats(ctx)
	return usage{rss: least, inUse: inUse}, err
}

// memstats reads from the node's metrics how often garbage was collected, and the bytes of
// heap and stacks in use.
func (n *node) memstats(ctx context.Context) (collected, inUse int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+"/metrics", http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	found := map[string]int64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			found[name] = int64(value)
		}
	}
	for _, name := range []string{"go_gc_duration_seconds_count", "go_memstats_heap_inuse_bytes", "go_memstats_stack_inuse_bytes"} {
		if _, ok := found[name]; !ok {
			return 0, 0, fmt.Errorf("the metrics lack %s", name)
		}
	}
	return found["go_gc_duration_seconds_count"],
		found["go_memstats_heap_inuse_bytes"] + found["go_memstats_stack_inuse_bytes"], lines.Err()
}
