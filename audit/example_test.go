package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spdscheme/spdserver/audit"
)

// printer is a sink of one's own: it prints who has uploaded what.
type printer struct{}

func (printer) Write(_ context.Context, events []audit.Event) (int, error) {
	for _, e := range events {
		if e.Action == audit.Upload && e.Err == "" {
			fmt.Printf("%s has uploaded %s (%d bytes)\n", e.User, e.Path, e.Bytes)
		}
	}
	return len(events), nil
}

func (printer) Close() error { return nil }

var _ audit.Sink = printer{}

func ExampleSink() {
	trail := audit.New(slog.New(slog.DiscardHandler), printer{})
	// server.Options.Audit takes trail; the server then logs what clients do.
	trail.Log(context.Background(), audit.Event{
		Time: time.Now(), User: "alice", Action: audit.Upload, Path: "/report.pdf", Bytes: 4711,
	})
	if err := trail.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: alice has uploaded /report.pdf (4711 bytes)
}
