package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

// noon is when the events of the tests happened.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// event is one of alice's.
func event(id string, action audit.Action, bytes int64) audit.Event {
	return audit.Event{ID: id, Time: noon(), User: "alice", Action: action, Bytes: bytes, Path: "/a"}
}

func writeEvents(t *testing.T, d *db.DB, events ...audit.Event) {
	t.Helper()
	n, err := d.Events().Write(t.Context(), events)
	if err != nil || n != len(events) {
		t.Fatalf("wrote %d of %d events: %v", n, len(events), err)
	}
}

// rows is the answer to a query, as text.
func (d *testDB) rows(query string, args ...any) string {
	d.t.Helper()
	rows, err := d.sql.QueryContext(d.t.Context(), query, args...)
	check(d.t, err)
	defer func() { _ = rows.Close() }() // only read
	columns, err := rows.Columns()
	check(d.t, err)
	var lines []string
	for rows.Next() {
		values, into := make([]*string, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		check(d.t, rows.Scan(into...))
		var line []string
		for _, v := range values {
			line = append(line, *v)
		}
		lines = append(lines, strings.Join(line, " "))
	}
	check(d.t, rows.Err())
	return strings.Join(lines, "\n")
}

func TestEventsAreRows(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		writeEvents(t, d.DB, audit.Event{
			ID: "x-1", Time: noon(), Node: "n/1", Session: "s1", User: "alice", Remote: "192.0.2.1:4711", TLS: true,
			Action: audit.Rename, Path: "/中 'a\"😀", Target: "/b", Bytes: 12, Duration: 1500 * time.Millisecond, Err: "No",
		}, event("x-2", audit.Login, 0))
		got := d.rows("SELECT id, node, session, username, remote, tls, action, path, target, bytes, duration_ms, error FROM events ORDER BY id")
		want := "x-1 n/1 s1 alice 192.0.2.1:4711 1 rename /中 'a\"😀 /b 12 1500 No\nx-2   alice  0 login /a  0 0 "
		if got != want {
			t.Errorf("rows\n%s\nwant\n%s", got, want)
		}
	})
}

// Nothing that a client says keeps the rest from being recorded.
func TestEventsOfAnyText(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		odd := event("x-1", audit.Upload, 1)
		odd.User, odd.Path = strings.Repeat("中", 300), strings.Repeat("/\xff\x00", 3000)
		odd.Target, odd.Remote, odd.Err = strings.Repeat("😀", 3000), strings.Repeat("1", 100), strings.Repeat("é", 300)
		odd.Session, odd.Node = strings.Repeat("s", 100), strings.Repeat("n", 300)
		writeEvents(t, d.DB, odd)
		if got := d.rows("SELECT COUNT(*) FROM events WHERE username LIKE '中中%' AND target LIKE '😀%'"); got != "1" {
			t.Errorf("%s rows", got)
		}
	})
}

// A batch that is offered again, since the answer to the first attempt was lost, counts
// once.
func TestEventsAreThereOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		for range 3 {
			writeEvents(t, d.DB, event("x-1", audit.Upload, 5), event("x-2", audit.Upload, 6))
		}
		if got := d.rows("SELECT COUNT(*), (SELECT bytes FROM traffic) FROM events"); got != "2 11" {
			t.Errorf("events and bytes: %s", got)
		}
	})
}

func TestEventsWithoutTable(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		d.exec("ALTER TABLE traffic RENAME TO elsewhere")
		if n, err := d.Events().Write(t.Context(), []audit.Event{event("x-1", audit.Upload, 5)}); n != 0 || err == nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		d.exec("ALTER TABLE elsewhere RENAME TO traffic")
		writeEvents(t, d.DB, event("x-1", audit.Upload, 5)) // nothing was left behind
	})
}

func TestTraffic(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		late := event("a-5", audit.Download, 1000)
		late.Time = noon().AddDate(0, 0, 1)
		broken := event("a-3", audit.Upload, 50)
		broken.Err = "connection lost"
		refused := event("a-6", audit.Upload, 0)
		refused.User, refused.Err = "bob", "no"
		other := event("a-7", audit.Upload, 7)
		other.User = "alice "
		writeEvents(t, d.DB, event("a-1", audit.Upload, 100), event("a-2", audit.Upload, 0), broken,
			event("a-4", audit.Download, 9), late, refused, event("a-8", audit.Delete, 0))
		writeEvents(t, d.DB, other, event("a-9", audit.Download, 1))
		got := d.rows("SELECT CONCAT(username, '.'), day, direction, bytes, files FROM v_traffic ORDER BY username, day, direction")
		want := "alice. 2026-03-01 down 10 2\nalice. 2026-03-01 up 150 2\nalice. 2026-03-02 down 1000 1\nalice . 2026-03-01 up 7 1"
		if got != want {
			t.Errorf("traffic\n%s\nwant\n%s", got, want)
		}
	})
}

// Nodes that add to the same rows at once lose nothing.
func TestTrafficOfNodesAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		const nodes, batches, each = 4, 10, 20
		var wg sync.WaitGroup
		for node := range nodes {
			handle := open(t, d.dsn)
			wg.Go(func() {
				for batch := range batches {
					var events []audit.Event
					for i := range each {
						e := event(fmt.Sprintf("%d-%d-%d", node, batch, i), audit.Upload, 10)
						e.User = fmt.Sprintf("user%d", (i+node)%each)
						events = append(events, e)
					}
					writeAtLast(t, handle, events)
				}
			})
		}
		wg.Wait()
		if got := d.rows("SELECT COUNT(*), SUM(bytes), SUM(files), MIN(bytes) FROM v_traffic"); got != "20 8000 800 400" {
			t.Errorf("rows, bytes, files, least: %s", got)
		}
	})
}

// writeAtLast offers events again and again, as a queue does.
func writeAtLast(t *testing.T, d *db.DB, events []audit.Event) {
	for range 100 {
		n, err := d.Events().Write(t.Context(), events)
		if err == nil {
			return
		}
		if n != 0 {
			t.Errorf("%d of a batch were written", n)
		}
	}
	t.Error("events cannot be written")
}

func TestEventsArePrunedByOneNode(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		var events []audit.Event
		for i := range 2500 {
			e := event(fmt.Sprintf("x-%d", i), audit.Upload, 1)
			e.Time = noon().Add(-time.Duration(i) * time.Second)
			events = append(events, e)
		}
		for i := 0; i < len(events); i += 250 {
			writeEvents(t, d.DB, events[i:i+250]...)
		}
		prune := func(node string, now time.Time) string {
			p := db.EventPruner{DB: d.DB, Node: node, Keep: time.Hour, Log: slog.New(slog.DiscardHandler)}
			p.Prune(t.Context(), now)
			return d.rows("SELECT COUNT(*) FROM events")
		}
		now := noon().Add(time.Hour - 100*time.Second)
		if got := prune("a", now); got != "101" {
			t.Errorf("%s rows are left", got)
		}
		if got := prune("b", now.Add(time.Minute)); got != "101" {
			t.Errorf("the other node pruned, too: %s rows are left", got)
		}
		if got := prune("b", now.Add(time.Hour)); got != "0" {
			t.Errorf("the other node did not take over: %s rows are left", got)
		}
		if got := d.rows("SELECT bytes, files FROM v_traffic"); got != "2500 2500" {
			t.Errorf("traffic %s", got)
		}
	})
}

func TestEventsEndWithTheirContext(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := d.Events().Write(ended, []audit.Event{event("x-1", audit.Login, 0)}); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}

// While the database is away the audit trail keeps its events, and nothing is lost or
// there twice when it is back.
func TestEventsSurviveAnOutage(t *testing.T) {
	server := spdtest.MariaDB(t)
	d := openTest(t, server.DSN, true)
	trail := audit.New(slog.New(slog.DiscardHandler), d.Events())
	upload := func(n int) {
		for range n {
			trail.Log(t.Context(), audit.Event{Time: noon(), User: "alice", Action: audit.Upload, Bytes: 10})
		}
	}
	upload(500)
	server.Kill()
	upload(500)
	server.Start()
	upload(500)
	check(t, trail.Close(t.Context()))
	if got := d.rows("SELECT bytes, files, (SELECT COUNT(*) FROM events) FROM v_traffic"); got != "15000 1500 1500" {
		t.Errorf("bytes, files, events: %s", got)
	}
}

// progress tells how far a transfer of alice's has come.
func progress(id string, action audit.Action, bytes int64) audit.Event {
	return audit.Event{Transfer: id, Time: noon(), User: "alice", Action: action, Running: true, Bytes: bytes}
}

// What transfers move counts while they go on, and once.
func TestTrafficOfRunningTransfers(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		traffic := func(want string) {
			t.Helper()
			if got := d.rows("SELECT direction, bytes, files FROM v_traffic ORDER BY direction"); got != want {
				t.Errorf("traffic\n%s\nwant\n%s", got, want)
			}
		}
		ended := func(id, transfer string, action audit.Action, bytes int64, err string) audit.Event {
			e := event(id, action, bytes)
			e.Transfer, e.Err = transfer, err
			return e
		}
		writeEvents(t, d.DB, progress("x", audit.Upload, 10), progress("y", audit.Download, 5), progress("x", audit.Upload, 20))
		traffic("down 5 0\nup 20 0")
		for range 2 { // the answer to the first is lost
			writeEvents(t, d.DB, progress("y", audit.Download, 7), progress("z", audit.Upload, 1), ended("1", "z", audit.Upload, 3, ""))
		}
		traffic("down 7 0\nup 23 1")
		writeEvents(t, d.DB, ended("2", "x", audit.Upload, 30, ""), ended("3", "y", audit.Download, 8, "broken"))
		traffic("down 8 0\nup 33 2")
		if got := d.rows("SELECT COUNT(*), (SELECT COUNT(*) FROM events) FROM traffic_running"); got != "0 3" {
			t.Errorf("running and events: %s", got)
		}
		// A node dies; a day later its transfers are settled.
		writeEvents(t, d.DB, progress("dead", audit.Upload, 100))
		traffic("down 8 0\nup 133 2")
		pruner := db.EventPruner{DB: d.DB, Node: "a", Keep: time.Hour, Log: slog.New(slog.DiscardHandler)}
		pruner.Prune(t.Context(), noon().Add(23*time.Hour))
		if got := d.rows("SELECT COUNT(*) FROM traffic_running"); got != "1" {
			t.Errorf("%s transfers go on", got)
		}
		pruner.Prune(t.Context(), noon().Add(25*time.Hour))
		if got := d.rows("SELECT COUNT(*) FROM traffic_running"); got != "0" {
			t.Errorf("%s transfers go on", got)
		}
		traffic("down 8 0\nup 133 2")
	})
}

func TestReasonsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		writeEvents(t, d.DB, audit.Event{ID: "1", Time: noon(), Remote: "192.0.2.0/24", Action: audit.Ban, Reason: "5 failed logins"})
		if got := d.rows("SELECT action, remote, error FROM events"); got != "ban 192.0.2.0/24 5 failed logins" {
			t.Errorf("%s", got)
		}
	})
}
