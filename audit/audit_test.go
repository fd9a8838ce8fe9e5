package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSink runs write for each event.
type fakeSink struct {
	write  func(Event) error
	closed int
}

var _ Sink = (*fakeSink)(nil)

func (s *fakeSink) Write(e Event) error { return s.write(e) }
func (s *fakeSink) Close() error        { s.closed++; return nil }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mustClose(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	l := New(discard(), NewJSONSink(&out))
	l.Log(t.Context(), Event{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600)), Node: "a", Session: "s1", User: "alice",
		Remote: "192.0.2.1:4711", TLS: true, Action: Upload, Path: "/a<b>\n中.txt", Bytes: 12, Duration: 1500 * time.Millisecond,
	})
	l.Log(t.Context(), Event{Session: "s2", User: "bob", Action: LoginFailed, Err: "login incorrect"})
	mustClose(t, l)

	want := `{"time":"2026-03-01T11:00:00.005Z","node":"a","session":"s1","user":"alice","remote":"192.0.2.1:4711","tls":true,` +
		`"action":"upload","path":"/a<b>\n中.txt","bytes":12,"duration_ms":1500,"ok":true}
{"time":"0001-01-01T00:00:00Z","session":"s2","user":"bob","remote":"","tls":false,"action":"login-failed","bytes":0,` +
		`"duration_ms":0,"ok":false,"err":"login incorrect"}
`
	if out.String() != want {
		t.Errorf("written\n%swant\n%s", out.String(), want)
	}
}

func TestFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for range 2 {
		sink, err := OpenJSONFile(path)
		if err != nil {
			t.Fatal(err)
		}
		l := New(discard(), sink)
		l.Log(t.Context(), Event{Action: Login})
		mustClose(t, l)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("the file holds %q", data)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := OpenJSONFile(filepath.Join(path, "x")); err == nil {
		t.Errorf("a file below a file was opened")
	}
}

func TestEverySinkGetsEveryEventInOrder(t *testing.T) {
	const events, writers = 100, 4
	var got [2][]int64
	l := New(discard(),
		&fakeSink{write: func(e Event) error { got[0] = append(got[0], e.Bytes); return nil }},
		&fakeSink{write: func(e Event) error { got[1] = append(got[1], e.Bytes); return nil }},
	)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range events {
				l.Log(t.Context(), Event{Bytes: int64(i)})
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
	if len(got[0]) != events*writers || l.Dropped() != 0 {
		t.Fatalf("%d events arrived, %d dropped", len(got[0]), l.Dropped())
	}
	for i := range got[0] {
		if got[0][i] != got[1][i] {
			t.Fatal("the sinks got events in different orders")
		}
	}
}

func TestSlowSinkDropsAndCounts(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	written := 0
	sink := &fakeSink{write: func(Event) error {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-release
		written++
		return nil
	}}
	l := New(discard(), sink)
	l.Log(t.Context(), Event{})
	<-entered // the goroutine holds one event; the queue is empty
	for range queueLength + 5 {
		l.Log(t.Context(), Event{})
	}
	if got := l.Dropped(); got != 5 {
		t.Errorf("%d events dropped, want 5", got)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Close with a sink that hangs: %v", err)
	}
	close(release)
	mustClose(t, l) // a second time: waits for the rest
	if written != queueLength+1 || sink.closed != 1 {
		t.Errorf("%d events written, closed %d times", written, sink.closed)
	}
	l.Log(t.Context(), Event{})
	if got := l.Dropped(); got != 6 {
		t.Errorf("after Close %d events dropped, want 6", got)
	}
}

func TestFailingSinkIsReportedOnce(t *testing.T) {
	var report bytes.Buffer
	n, others := 0, 0
	l := New(slog.New(slog.NewTextHandler(&report, nil)),
		&fakeSink{write: func(Event) error {
			n++
			if n <= 3 {
				return errors.New("disk full")
			}
			return nil
		}},
		&fakeSink{write: func(Event) error { others++; return nil }},
	)
	for range 5 {
		l.Log(t.Context(), Event{})
	}
	mustClose(t, l)
	if l.Dropped() != 3 || others != 5 {
		t.Errorf("%d dropped, the other sink got %d", l.Dropped(), others)
	}
	if got := report.String(); strings.Count(got, "disk full") != 1 || !strings.Contains(got, "lost=3") {
		t.Errorf("reported:\n%s", got)
	}
}

func TestNilLog(t *testing.T) {
	var l *Log
	l.Log(t.Context(), Event{})
	if l.Dropped() != 0 {
		t.Error("a nil Log counts")
	}
	mustClose(t, l)
}
