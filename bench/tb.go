package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// tb stands for a test where there is none: the servers of spdtest want one. What fails,
// ends the program.
type tb struct {
	testing.TB // nil: only what is below may be called

	mu       sync.Mutex
	cleanups []func()
}

func (t *tb) Helper() {}

func (t *tb) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

func (t *tb) Error(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (t *tb) Fatal(args ...any)                 { t.fail(fmt.Sprintln(args...)) }
func (t *tb) Fatalf(format string, args ...any) { t.fail(fmt.Sprintf(format+"\n", args...)) }

// TempDir is removed at the end.
func (t *tb) TempDir() string {
	dir, err := os.MkdirTemp("", "spdbench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (t *tb) fail(text string) {
	fmt.Fprint(os.Stderr, text)
	t.cleanUp()
	os.Exit(1)
}

// cleanUp ends the servers, the last one first. A second call waits and does nothing.
func (t *tb) cleanUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
	t.cleanups = nil
}
