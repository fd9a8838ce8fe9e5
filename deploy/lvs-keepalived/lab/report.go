package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// report counts checks. It may be used concurrently.
type report struct {
	mu             sync.Mutex
	passed, failed int
}

// check runs a numbered check, which returns what it measured. It tells whether it passed.
func (l *lab) check(name string, try func() (measured string, err error)) bool {
	begun := time.Now()
	measured, err := try()
	return l.report.add(name, measured, err, time.Since(begun))
}

func (r *report) add(name, measured string, err error, took time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	verdict := "PASS"
	if err != nil {
		verdict = "FAIL"
		measured = strings.TrimSpace(strings.Join([]string{measured, err.Error()}, " "))
		r.failed++
	} else {
		r.passed++
	}
	fmt.Printf("%s %3d  %5.1f s  %s", verdict, r.passed+r.failed, took.Seconds(), name)
	if measured != "" {
		fmt.Printf(": %s", measured)
	}
	fmt.Println()
	return err == nil
}

// sum prints the closing line and returns the exit code.
func (r *report) sum(took time.Duration) int {
	fmt.Printf("%d passed, %d failed, %.0f s\n", r.passed, r.failed, took.Seconds())
	if r.failed > 0 || r.passed == 0 {
		return 1
	}
	return 0
}

// since is a duration as reports have it.
func since(begun time.Time) string { return seconds(time.Since(begun)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// atMost is an error if a duration exceeds what is allowed.
func atMost(what string, got, limit time.Duration) error {
	if got > limit {
		return fmt.Errorf("%s took %s, allowed are %s", what, seconds(got), seconds(limit))
	}
	return nil
}
