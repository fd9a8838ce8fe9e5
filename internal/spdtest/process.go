// Package spdtest starts the real servers that tests run against, each private to the
// test that started it, on a free loopback port, with its data in a temporary directory.
package spdtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second // from start until ready
	stopTimeout  = 20 * time.Second // from SIGTERM until SIGKILL
	pollInterval = 20 * time.Millisecond
)

// Process is a child process of a test. Its methods may be called concurrently.
type Process struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when the process has been waited for
	err  error         // of Wait; valid once done is closed
}

// StartProcess starts cmd and returns once ready returns nil. ready is called again and
// again; each call has a second. A process that ends before it is ready, or is not ready
// within a minute, fails the test and shows what it wrote. The process is stopped in
// t.Cleanup. cmd must be fresh; its Stdout and Stderr are captured.
func StartProcess(t testing.TB, cmd *exec.Cmd, ready func(context.Context) error) *Process {
	t.Helper()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", filepath.Base(cmd.Path), err)
	}
	go func() { // ends with the process; Stop and Kill wait for it
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.Stop)
	if err := p.waitReady(ready); err != nil {
		p.Kill()
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, p.Output())
	}
	return p
}

func (p *Process) waitReady(ready func(context.Context) error) error {
	deadline := time.After(startTimeout)
	var last error
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		last = ready(ctx)
		cancel()
		if last == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.Join(errors.New("ended before it was ready"), p.err)
		case <-deadline:
			return errors.Join(errors.New("not ready in time"), last)
		case <-time.After(pollInterval):
		}
	}
}

// Pid is the id of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the process ended, as exec.Cmd.Wait tells it. It waits for the end.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// ExitCode waits for the end and returns the exit code, -1 after a signal.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Output is what the process has written so far, to stdout and stderr.
func (p *Process) Output() string { return p.out.String() }

// Signal sends sig to the process; one that has ended already is no error.
func (p *Process) Signal(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig) // fails only if the process has ended
}

// Stop asks the process to end, waits for it, and kills it if it takes too long.
func (p *Process) Stop() {
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.Kill()
	}
}

// Kill ends the process at once (SIGKILL) and waits for it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// FreeAddr returns a loopback address, "127.0.0.1:port", on which nobody listens. For
// servers that cannot listen on port 0 themselves.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = l.Close() }() // nothing was sent
	return l.Addr().String()
}

// Tool returns the path of a program of the module's .tools/bin, or the value of the
// environment variable env if it is set. A missing program fails the test.
func Tool(t testing.TB, name, env string) string {
	t.Helper()
	path := os.Getenv(env)
	if path == "" {
		path = filepath.Join(moduleRoot(t), ".tools", "bin", name)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing (%v): run `make tools`", name, err)
	}
	return path
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := findModule()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// findModule is the directory of go.mod, found from this source file.
func findModule() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("cannot find the module's directory")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file))), nil
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
