package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server that the lab has started, with a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; valid once done is closed
}

// start runs a program in a network namespace ("" for the clients' own). What it writes
// goes to NAME.log.
func (l *lab) start(name, namespace string, env []string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(l.out, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has it
	args = in(namespace, args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() { // ends with the process; kill and wait wait for it
		p.err = cmd.Wait()
		close(p.done)
	}()
	l.processes = append(l.processes, p)
	return p, nil
}

// in is a command that runs args in a namespace.
func in(namespace string, args ...string) []string {
	if namespace == "" {
		return args
	}
	return append([]string{"ip", "netns", "exec", namespace}, args...)
}

// kill ends a process and its children at once (SIGKILL).
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal goes to the whole process group; one that has ended already is no error.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// exit waits for the end, and returns how the process ended.
func (p *process) exit(limit time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(limit):
		return fmt.Errorf("process still runs after %s", limit)
	}
}

// commandLimit bounds commands that should be quick.
const commandLimit = 60 * time.Second

// command runs a program to its end and returns what it wrote.
func (l *lab) command(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(l.ctx, commandLimit)
	defer cancel()
	return output(exec.CommandContext(ctx, args[0], args[1:]...))
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// commands runs lines, each a command without quotes.
func (l *lab) commands(lines ...string) error {
	for _, line := range lines {
		if _, err := l.command(strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

var errNotYet = errors.New("not yet")

// await asks again and again until ready has no error, and returns how long that took.
func (l *lab) await(what string, limit time.Duration, ready func() error) (time.Duration, error) {
	begun := time.Now()
	for {
		err := ready()
		took := time.Since(begun)
		switch {
		case err == nil:
			return took, nil
		case l.ctx.Err() != nil:
			return took, l.ctx.Err()
		case took > limit:
			return took, fmt.Errorf("%s: not within %s: %w", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
