package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spdscheme/spdserver/guard"
)

// However many connections are refused, it is one line a minute, and none without them.
func TestRefusalsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := &App{
			Log:  slog.New(slog.NewTextHandler(&log, nil)),
			gate: guard.NewGate(guard.Limits{}, nil, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil),
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { a.logRefusals(ctx) })
		for range 3 {
			for range 1000 {
				if _, err := a.gate.Enter(netip.MustParseAddr("192.0.2.1")); err == nil {
					t.Fatal("not refused")
				}
			}
			time.Sleep(2*refusalsEvery + time.Second)
		}
		cancel()
		running.Wait()
		if got := strings.Count(log.String(), "denied=1000 rate=0 pending=0"); got != 3 || strings.Count(log.String(), "\n") != 3 {
			t.Errorf("%d lines:\n%s", got, log.String())
		}
	})
}
