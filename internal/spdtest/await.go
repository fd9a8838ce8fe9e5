package spdtest

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// patience is how long a test waits for what must come: much longer than it ever takes.
const patience = 60 * time.Second

var (
	errNotYet   = errors.New("not yet")
	errHopeless = errors.New("waiting is of no use")
)

// Await calls check again and again until it returns nil, and fails the test, with the
// last error, if it does not within a minute.
func Await(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if errors.Is(err, errHopeless) || time.Now().After(deadline) || t.Context().Err() != nil {
			t.Fatalf("waiting until %s: %v", what, err)
		}
		time.Sleep(pollInterval)
	}
}

// Equal is a check for Await: got must be want.
func Equal[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}
