package guard

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// pollEvery is how soon a ban of another node, or of a person, is known here.
	pollEvery = time.Second
	// pollTimeout bounds one look at the journal.
	pollTimeout = 5 * time.Second
	// forgetEvery is how often old rows are deleted, by one node.
	forgetEvery = time.Minute
	// leadFor is how long a node reports what it sees before another may.
	leadFor = 10 * time.Second
	// leadJob is its name among the jobs.
	leadJob = "bans"
	// settleBatch is how many good logins are written at a time.
	settleBatch = 500
)

// Run keeps in step with the journal until ctx ends.
func (b *Bans) Run(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	var forgotten time.Time
	for {
		b.Sync(ctx)
		if time.Since(forgotten) >= forgetEvery {
			forgotten = time.Now()
			b.forget(ctx)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			b.saveAll(context.WithoutCancel(ctx)) // good logins of the last second
			return
		}
	}
}

// Sync looks at the journal once, and writes what it does not know yet. While the journal
// does not answer, what is known here goes on.
func (b *Bans) Sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	select {
	case b.syncing <- struct{}{}:
		defer func() { <-b.syncing }()
	case <-ctx.Done():
		return
	}
	changed, err := b.journal.read(ctx)
	if ctx.Err() == nil || err == nil {
		b.answered(ctx, err)
	}
	if err != nil {
		return
	}
	b.shift(b.clock.set(b.journal.now, b.journal.asked))
	b.replace(ctx, changed)
	b.saveAll(ctx)
}

// complain logs a faulty row once.
func (b *Bans) complain(ctx context.Context, err error) {
	b.mu.Lock()
	_, known := b.faulty.get(err.Error())
	b.faulty.put(err.Error(), struct{}{})
	b.mu.Unlock()
	if !known {
		b.Log.WarnContext(ctx, "a row of bans is left out", "err", err)
	}
}

// shift moves the bans that were begun by a clock that was wrong.
func (b *Bans) shift(by time.Duration) {
	if by.Abs() < time.Second {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ban := range slices.Collect(b.own.all) {
		ban.Since, ban.Until = ban.Since.Add(by), ban.Until.Add(by)
		b.own.add(ban)
	}
}

// answered reports an outage once, and not every second.
func (b *Bans) answered(ctx context.Context, err error) {
	b.mu.Lock()
	changed := b.away != (err != nil)
	b.away = err != nil
	b.mu.Unlock()
	switch {
	case changed && err != nil:
		b.Log.WarnContext(ctx, "bans of other nodes cannot be read; those that are known go on", "err", err)
	case changed:
		b.Log.InfoContext(ctx, "bans of other nodes can be read again")
	}
}

// replace takes what the journal says, if it has changed, and what this node has to add.
func (b *Bans) replace(ctx context.Context, changed bool) {
	now := b.clock.now()
	leads := b.lead(ctx, now)
	b.mu.Lock()
	changed = changed || b.added
	b.added = false
	b.mu.Unlock()
	if !changed {
		return
	}
	fresh := b.understood(ctx)
	b.mu.Lock()
	for ban := range b.own.all {
		if _, known := fresh.get(ban.Subject); !known && ban.activeAt(now) {
			fresh.add(ban)
		}
	}
	before := b.bans
	b.bans = fresh
	synced := b.synced
	b.synced = true
	b.mu.Unlock()
	if leads && synced && b.Report != nil {
		b.reportChanges(before, fresh)
	}
}

// understood are the bans of the journal. What is wrong with the others is logged.
func (b *Bans) understood(ctx context.Context) *inForce {
	fresh := newInForce()
	for _, r := range b.journal.rows {
		if r.Err != nil {
			b.complain(ctx, r.Err)
			continue
		}
		fresh.add(r.Ban)
	}
	if over := b.journal.over(); over && !b.over {
		b.Log.WarnContext(ctx, "more bans than can be kept: the oldest of those that nodes have made do not hold",
			"bans", b.journal.inForce, "kept", len(b.journal.rows))
	}
	b.over = b.journal.over()
	return fresh
}

// reportChanges tells of bans that people have made, and of all that are over.
func (b *Bans) reportChanges(before, after *inForce) {
	for ban := range after.all {
		if _, known := before.get(ban.Subject); !known && ban.manual() {
			b.Report(ban, false)
		}
	}
	for ban := range before.all {
		if _, known := after.get(ban.Subject); !known {
			b.Report(ban, true)
		}
	}
}

// lead tells whether this node is the one that reports.
func (b *Bans) lead(ctx context.Context, now time.Time) bool {
	b.mu.Lock()
	until := b.leads
	b.mu.Unlock()
	if left := until.Sub(now); leadFor/2 < left && left <= leadFor {
		return true
	}
	until = now.Add(leadFor)
	mine, err := b.Journal.Lead(ctx, leadJob, b.Holder, now, until)
	if err != nil || !mine {
		return false
	}
	b.mu.Lock()
	b.leads = until
	b.mu.Unlock()
	return true
}

// saveAll writes bans and good logins that the journal does not know yet.
func (b *Bans) saveAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	now := b.clock.now()
	b.mu.Lock()
	bans := slices.Collect(b.own.all)
	places := slices.Collect(maps.Keys(b.unsaved))
	b.mu.Unlock()
	for _, ban := range bans {
		if !ban.activeAt(now) {
			b.mu.Lock()
			b.own.remove(ban.Subject)
			b.mu.Unlock()
			continue
		}
		b.save(ctx, ban)
	}
	for batch := range slices.Chunk(places, settleBatch) {
		if err := b.Journal.Settle(ctx, now, batch...); err != nil {
			b.Log.WarnContext(ctx, "good logins not noted yet", "err", err)
			return
		}
		b.mu.Lock()
		for _, p := range batch {
			delete(b.unsaved, p)
		}
		b.mu.Unlock()
	}
}

// forget deletes what no longer counts, if this node leads. The row of a ban that is over
// stays for as long as the longest one takes: the next ban is longer.
func (b *Bans) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	now := b.clock.now()
	if !b.lead(ctx, now) {
		return
	}
	if err := b.Journal.Forget(ctx, now.Add(-b.Window), now.Add(-b.Longest), now.Add(-trustFor)); err != nil {
		b.Log.WarnContext(ctx, "old failures not deleted", "err", err)
	}
}
