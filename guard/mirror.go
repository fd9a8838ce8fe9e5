package guard

import (
	"context"
	"time"
)

const (
	// overlap is how far back changes are asked for again: a transaction shows what it has
	// changed when it ends.
	overlap = 5 * time.Second
	// wholeEvery is how often all bans are read, whatever has changed: a change may come
	// from a longer transaction, or from a server whose clock is wrong.
	wholeEvery = time.Minute
)

// mirror is what the journal holds of bans in force, read again only as far as it has
// changed. It is for one goroutine at a time.
type mirror struct {
	journal Journal
	most    int // rows that are kept
	rows    map[Subject]Row
	inForce int       // as the journal counts them
	now     time.Time // of the journal, at the last look; zero: there was none
	asked   time.Time // when that was by the clock of this machine
	whole   time.Time // when all rows were read
}

// read looks at the journal, and tells whether a row is another one than before.
func (m *mirror) read(ctx context.Context) (changed bool, err error) {
	if !m.now.IsZero() && time.Since(m.whole) < wholeEvery {
		asked, before := time.Now(), m.now
		s, err := m.journal.Changes(ctx, before.Add(-overlap), m.most)
		if err != nil {
			return false, err
		}
		changed = m.take(s, asked)
		// What was deleted has left no trace but that there are fewer.
		complete := len(m.rows) == s.InForce || m.over() && len(m.rows) >= m.most
		if complete && len(s.Rows) < m.most && !s.Now.Before(before) {
			return changed, nil
		}
	}
	m.whole = time.Time{} // who asks is told of what was taken only when all has been read
	asked := time.Now()
	s, err := m.journal.Active(ctx, m.most)
	if err != nil {
		return false, err
	}
	m.rows, m.whole = make(map[Subject]Row, len(s.Rows)), asked
	m.take(s, asked)
	return true, nil
}

// take takes rows, and drops those that are over.
func (m *mirror) take(s State, asked time.Time) (changed bool) {
	m.inForce, m.now, m.asked = s.InForce, s.Now, asked
	for _, r := range s.Rows {
		if known, ok := m.rows[r.Subject]; !ok || known.Ban != r.Ban || (known.Err == nil) != (r.Err == nil) {
			m.rows[r.Subject] = r
			changed = changed || ok || r.activeAt(s.Now)
		}
	}
	for subject, r := range m.rows {
		if !r.activeAt(s.Now) {
			delete(m.rows, subject)
			changed = true
		}
	}
	return changed
}

// over tells that there are more bans than are kept.
func (m *mirror) over() bool { return m.inForce > m.most }
