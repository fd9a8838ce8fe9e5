package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/guard"
)

// failureSlot is how finely the times of failed logins are kept: a row for so long.
const failureSlot = 10 * time.Second

// Bans are the tables bans, login_failures and login_places.
type Bans struct{ db *DB }

var _ guard.Journal = (*Bans)(nil)

// Bans returns what nodes know together about guesses.
func (d *DB) Bans() *Bans { return &Bans{d} }

// Charge implements guard.Journal.
func (t *Bans) Charge(ctx context.Context, at, since time.Time, n int, subjects ...guard.Subject) ([]guard.Count, error) {
	var rows []any
	for _, s := range subjects {
		rows = append(rows, string(s.Kind), fit(s.Name, 190), at.UTC().Truncate(failureSlot).Format(secondsLayout), n)
	}
	_, err := t.db.exec(ctx, "INSERT INTO login_failures (kind, subject, at, failures) VALUES "+repeated("(?, ?, ?, ?)", ", ", len(subjects))+
		t.db.dialect.adding([]string{"kind", "subject", "at"}, "login_failures", "failures"), rows...)
	if err != nil {
		return nil, fmt.Errorf("count a failed login: %w", err)
	}
	counts, err := t.counts(ctx, at, since, subjects)
	if err != nil {
		return nil, fmt.Errorf("read failed logins: %w", err)
	}
	return counts, nil
}

// counts reads failures and bans at once.
func (t *Bans) counts(ctx context.Context, at, since time.Time, subjects []guard.Subject) ([]guard.Count, error) {
	const banned = -1
	var failures, bans []any
	for _, s := range subjects {
		failures = append(failures, string(s.Kind), fit(s.Name, 190), since.UTC().Format(secondsLayout))
		bans = append(bans, string(s.Kind), fit(s.Name, 190), micros(at))
	}
	counts := make([]guard.Count, len(subjects))
	err := t.db.query(ctx, func(scan func(...any) error) error {
		var kind, name string
		var n int
		if err := scan(&kind, &name, &n); err != nil {
			return err
		}
		for i, s := range subjects {
			switch {
			case string(s.Kind) != kind || fit(s.Name, 190) != name:
			case n == banned:
				counts[i].Banned = true
			default:
				counts[i].Failures = n
			}
		}
		return nil
	}, "SELECT kind, subject, CASE WHEN SUM(failures) > 0 THEN SUM(failures) ELSE 0 END FROM login_failures WHERE "+
		repeated("(kind = ? AND subject = ? AND at > ?)", " OR ", len(subjects))+" GROUP BY kind, subject UNION ALL "+
		"SELECT kind, subject, -1 FROM bans WHERE "+
		repeated("(kind = ? AND subject = ? AND (until IS NULL OR until > ?))", " OR ", len(subjects)), append(failures, bans...)...)
	return counts, err
}

func repeated(part, between string, n int) string {
	return strings.Repeat(part+between, n-1) + part
}

// banTries is how often a ban is begun against others who do the same.
const banTries = 5

var errBanContended = errors.New("the row changes all the time")

// Ban implements guard.Journal.
func (t *Bans) Ban(ctx context.Context, b guard.Ban, first, longest time.Duration) (guard.Ban, bool, error) {
	for range banTries {
		known, err := t.bansWhere(ctx, "kind = ? AND subject = ?", string(b.Kind), fit(b.Name, 190))
		if err != nil {
			return guard.Ban{}, false, err
		}
		mine := false
		switch {
		case len(known) > 0 && known[0].Err != nil:
			return guard.Ban{}, false, known[0].Err
		case len(known) == 0:
			b.Strikes, b.Until = 1, b.Since.Add(min(first, longest))
			mine, err = t.insertBan(ctx, b)
		case known[0].Until.IsZero() || known[0].Until.After(b.Since):
			return known[0].Ban, false, nil
		default:
			b.Strikes = known[0].Strikes + 1
			b.Until = b.Since.Add(doubled(first, longest, b.Strikes-1))
			mine, err = t.renewBan(ctx, b, known[0].Ban)
		}
		if err == nil && mine {
			_, err = t.db.exec(ctx, "DELETE FROM login_failures WHERE kind = ? AND subject = ?", string(b.Kind), fit(b.Name, 190))
		}
		if err != nil {
			return guard.Ban{}, false, fmt.Errorf("ban: %w", err)
		}
		if mine {
			return b, true, nil
		}
	}
	return guard.Ban{}, false, fmt.Errorf("ban: %w", errBanContended)
}

// doubled is d, doubled so many times, but no longer than longest.
func doubled(d, longest time.Duration, times int) time.Duration {
	for range times {
		if d >= longest/2 {
			return longest
		}
		d *= 2
	}
	return min(d, longest)
}

// insertBan is false if somebody was faster.
func (t *Bans) insertBan(ctx context.Context, b guard.Ban) (bool, error) {
	_, err := t.db.exec(ctx, "INSERT INTO bans (kind, subject, reason, since, until, strikes, node) VALUES (?, ?, ?, ?, ?, ?, ?)",
		string(b.Kind), fit(b.Name, 190), fit(b.Reason, 255), micros(b.Since), banUntil(b), b.Strikes, fit(b.Node, 255))
	if t.db.dialect.exists(err) {
		return false, nil
	}
	return err == nil, err
}

// renewBan is false if somebody was faster.
func (t *Bans) renewBan(ctx context.Context, b, old guard.Ban) (bool, error) {
	n, err := t.db.exec(ctx, "UPDATE bans SET reason = ?, since = ?, until = ?, strikes = ?, node = ? "+
		"WHERE kind = ? AND subject = ? AND strikes = ? AND until <= ?",
		fit(b.Reason, 255), micros(b.Since), banUntil(b), b.Strikes, fit(b.Node, 255),
		string(b.Kind), fit(b.Name, 190), old.Strikes, micros(b.Since))
	return n > 0, err
}

// banUntil is the value of bans.until.
func banUntil(b guard.Ban) any {
	if b.Until.IsZero() {
		return nil
	}
	return micros(b.Until)
}

// Now is the time of the database, which all nodes go by.
func (t *Bans) Now(ctx context.Context) (now time.Time, err error) {
	err = t.db.query(ctx, func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		now, err = parseTime(text)
		return err
	}, "SELECT "+t.db.dialect.now(0))
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for the time: %w", err)
	}
	return now, nil
}

// Active implements guard.Journal.
func (t *Bans) Active(ctx context.Context, limit int) (s guard.State, err error) {
	err = t.db.query(ctx, func(scan func(...any) error) error {
		var now string
		if err := scan(&now, &s.InForce); err != nil {
			return err
		}
		s.Now, err = parseTime(now)
		return err
	}, "SELECT moment, in_force FROM "+t.bansInForce())
	if err != nil {
		return s, fmt.Errorf("count bans: %w", err)
	}
	order := ""
	if s.InForce > limit { // to sort so many takes a second or more
		order = " ORDER BY strikes > 0, since DESC"
	}
	s.Rows, err = t.bansWhere(ctx, "until IS NULL OR until > ?"+order+" LIMIT ?", micros(s.Now), limit)
	return s, err
}

// Changes implements guard.Journal. It is one statement: number and rows are of one moment.
func (t *Bans) Changes(ctx context.Context, since time.Time, limit int) (s guard.State, err error) {
	err = t.db.query(ctx, func(scan func(...any) error) error {
		var now string
		var b banRow
		if err := scan(append([]any{&now, &s.InForce}, b.targets()...)...); err != nil {
			return err
		}
		if s.Now, err = parseTime(now); err == nil && b.kind.Valid {
			s.Rows = append(s.Rows, b.read())
		}
		return err
	}, "SELECT moment, in_force, "+banColumns+" FROM "+t.bansInForce()+" LEFT JOIN bans ON changed_at >= ? LIMIT ?", micros(since), limit)
	if err != nil {
		return s, fmt.Errorf("read changes of bans: %w", err)
	}
	return s, nil
}

// bansInForce is a table of one row: the time, and how many bans are in force.
func (t *Bans) bansInForce() string {
	now := t.db.dialect.now(0)
	return "(SELECT " + now + " AS moment, COUNT(*) AS in_force FROM bans WHERE until IS NULL OR until > " + now + ") AS clock"
}

// banColumns are those of banRow.
const banColumns = "kind, subject, reason, since, until, strikes, node"

// banRow is a row of bans as text. All is NULL where there is none.
type banRow struct {
	kind, subject, reason, since, until, node sql.NullString
	strikes                                   sql.NullInt64
}

func (r *banRow) targets() []any {
	return []any{&r.kind, &r.subject, &r.reason, &r.since, &r.until, &r.strikes, &r.node}
}

// read understands what people may have written.
func (r *banRow) read() guard.Row {
	b := guard.Ban{
		Subject: guard.Subject{Kind: guard.Kind(r.kind.String), Name: r.subject.String},
		Reason:  r.reason.String, Strikes: int(r.strikes.Int64), Node: r.node.String,
	}
	err := r.readTimes(&b)
	if err == nil && b.Kind == guard.Address {
		_, err = guard.ParseNetwork(b.Name)
	}
	if err != nil {
		err = fmt.Errorf("bans: %s %q: %w", b.Kind, b.Name, err)
	}
	return guard.Row{Ban: b, Err: err}
}

func (r *banRow) readTimes(b *guard.Ban) (err error) {
	if b.Since, err = parseTime(r.since.String); err != nil {
		return fmt.Errorf("since: %w", err)
	}
	if r.until.Valid {
		if b.Until, err = parseTime(r.until.String); err != nil {
			return fmt.Errorf("until: %w", err)
		}
	}
	return nil
}

func (t *Bans) bansWhere(ctx context.Context, where string, args ...any) (rows []guard.Row, err error) {
	err = t.db.query(ctx, func(scan func(...any) error) error {
		var b banRow
		if err := scan(b.targets()...); err != nil {
			return err
		}
		rows = append(rows, b.read())
		return nil
	}, "SELECT "+banColumns+" FROM bans WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read bans: %w", err)
	}
	return rows, nil
}

// Add makes a ban by hand, or replaces the one of that subject.
func (t *Bans) Add(ctx context.Context, b guard.Ban) error {
	_, err := t.db.exec(ctx, "INSERT INTO bans (kind, subject, reason, since, until, strikes, node) VALUES (?, ?, ?, ?, ?, 0, '')"+
		t.db.dialect.upsert([]string{"kind", "subject"}, []string{"reason", "since", "until", "strikes", "node"}),
		string(b.Kind), b.Name, fit(b.Reason, 255), micros(b.Since), banUntil(b))
	if err != nil {
		return fmt.Errorf("add a ban: %w", err)
	}
	return nil
}

// List returns the bans in force; with all, also those that are over and still make the
// next one longer. Faulty rows are in the error, and do not hide the others.
func (t *Bans) List(ctx context.Context, all bool) ([]guard.Ban, error) {
	now, err := t.Now(ctx)
	if err != nil {
		return nil, err
	}
	where, args := "until IS NULL OR until > ?", []any{micros(now)}
	if all {
		where, args = "1 = 1", nil
	}
	rows, err := t.bansWhere(ctx, where+" ORDER BY since DESC, kind, subject", args...)
	faulty := []error{err}
	var bans []guard.Ban
	for _, r := range rows {
		if r.Err != nil {
			faulty = append(faulty, r.Err)
			continue
		}
		bans = append(bans, r.Ban)
	}
	return bans, errors.Join(faulty...)
}

// Delete ends a ban and forgets its strikes and the failures that led to it; false: there
// was none.
func (t *Bans) Delete(ctx context.Context, s guard.Subject) (bool, error) {
	n, err := t.db.exec(ctx, "DELETE FROM bans WHERE kind = ? AND subject = ?", string(s.Kind), s.Name)
	if err == nil {
		_, err = t.db.exec(ctx, "DELETE FROM login_failures WHERE kind = ? AND subject = ?", string(s.Kind), s.Name)
	}
	if err != nil {
		return false, fmt.Errorf("delete a ban: %w", err)
	}
	return n > 0, nil
}

// Lead implements guard.Journal.
func (t *Bans) Lead(ctx context.Context, job, node string, now, until time.Time) (bool, error) {
	return t.db.Lead(ctx, job, node, now, until)
}

// Settle implements guard.Journal.
func (t *Bans) Settle(ctx context.Context, at time.Time, places ...guard.Place) error {
	var args []any
	for _, p := range places {
		args = append(args, fit(p.Account, 190), guard.FormatNetwork(p.Network), at.UTC().Format(secondsLayout))
	}
	if len(args) == 0 {
		return nil
	}
	_, err := t.db.exec(ctx, "INSERT INTO login_places (username, network, last_at) VALUES "+repeated("(?, ?, ?)", ", ", len(places))+
		t.db.dialect.upsert([]string{"username", "network"}, []string{"last_at"}), args...)
	if err != nil {
		return fmt.Errorf("note %d good logins: %w", len(places), err)
	}
	return nil
}

// Settled implements guard.Journal.
func (t *Bans) Settled(ctx context.Context, p guard.Place, since time.Time) (found bool, err error) {
	err = t.db.query(ctx, func(scan func(...any) error) error {
		found = true
		var one int
		return scan(&one)
	}, "SELECT 1 FROM login_places WHERE username = ? AND network = ? AND last_at > ?",
		fit(p.Account, 190), guard.FormatNetwork(p.Network), since.UTC().Format(secondsLayout))
	if err != nil {
		return false, fmt.Errorf("look for good logins: %w", err)
	}
	return found, nil
}

// Forget implements guard.Journal.
func (t *Bans) Forget(ctx context.Context, failures, bans, places time.Time) error {
	for _, old := range []struct {
		statement string
		before    time.Time
	}{
		{"DELETE FROM login_failures WHERE at < ?", failures},
		{"DELETE FROM bans WHERE until < ?", bans},
		{"DELETE FROM login_places WHERE last_at < ?", places},
	} {
		if _, err := t.db.exec(ctx, old.statement, old.before.UTC().Format(secondsLayout)); err != nil {
			return fmt.Errorf("forget failed logins: %w", err)
		}
	}
	return nil
}
