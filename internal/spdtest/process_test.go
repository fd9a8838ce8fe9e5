package spdtest

import (
	"context"
	"net/http"
	"os/exec"
	"testing"
)

func TestMinIOStarts(t *testing.T) {
	dir, addr := t.TempDir(), FreeAddr(t)
	for range 2 { // the second start finds the first one's data and its port free
		e, p := StartMinIO(t, addr, dir)
		if err := HTTPReady(e.URL + "/minio/health/live")(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Kill()
		if err := HTTPReady(e.URL + "/minio/health/live")(t.Context()); err == nil {
			t.Fatal("a killed server answers")
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestProcessEnd(t *testing.T) {
	p := StartProcess(t, exec.Command("sh", "-c", "echo hello; exit 3"), func(context.Context) error { return nil })
	if err := p.Err(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("Err() = %v, want exit status 3", err)
	}
	if got := p.Output(); got != "hello\n" {
		t.Errorf("Output() = %q, want hello", got)
	}
}
