package spdtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// built and builtPlain are files of the program, or why there is none.
var (
	built      = sync.OnceValues(func() (string, error) { return buildProgram("spdserver-race", "-race") })
	builtPlain = sync.OnceValues(func() (string, error) { return buildProgram("spdserver-plain") })
)

// Program builds spdserver with the race detector, once for a test binary, and returns
// the file.
func Program(t testing.TB) string {
	t.Helper()
	return need(t, built)
}

func need(t testing.TB, file func() (string, error)) string {
	t.Helper()
	name, err := file()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// buildProgram holds other test binaries off while it builds. It takes half a second when
// nothing has changed.
func buildProgram(name string, flags ...string) (string, error) {
	root, err := findModule()
	if err != nil {
		return "", err
	}
	file := filepath.Join(root, ".tools", "bin", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // gives the lock back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", file}, flags...), "./cmd/spdserver")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build spdserver: %w\n%s", err, out)
	}
	return file, nil
}

// node is a running spdserver that is judged when it ends.
type node struct {
	*Process
	t       testing.TB
	plain   bool              // built without the race detector
	excused map[*Process]bool // the test has seen to how it ended
}

// start runs a command of spdserver without waiting for anything.
func (n *node) start(args ...string) {
	n.t.Helper()
	program := built
	if n.plain {
		program = builtPlain
	}
	cmd := exec.Command(need(n.t, program), args...)
	cmd.Env = environment()
	p := StartProcess(n.t, cmd, func(context.Context) error { return nil })
	n.Process = p
	n.t.Cleanup(func() { n.judge(p) }) // before the Cleanup of StartProcess
}

// environment is the test's own, without settings of SPD.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SPD_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// judge ends a process and looks at how it took that.
func (n *node) judge(p *Process) {
	p.Stop()
	if !n.excused[p] && p.ExitCode() != 0 {
		n.t.Errorf("spdserver ended with exit code %d", p.ExitCode())
	}
	if strings.Contains(p.Output(), dataRace) {
		n.t.Error("spdserver has a data race")
	}
	if n.t.Failed() {
		out := p.Output()
		n.t.Logf("the end of what spdserver wrote:\n%s", out[max(0, len(out)-shownOutput):])
	}
}

const (
	dataRace    = "WARNING: DATA RACE" // as the race detector reports one
	shownOutput = 16 << 10             // bytes
)

func (n *node) excuse() {
	if n.excused == nil {
		n.excused = make(map[*Process]bool)
	}
	n.excused[n.Process] = true
}

// Kill ends the node at once (SIGKILL).
func (n *node) Kill() {
	n.excuse()
	n.Process.Kill()
}

// Wait waits until the node has ended by itself and returns its exit code, which the test
// then judges.
func (n *node) Wait() int {
	n.t.Helper()
	n.excuse()
	Await(n.t, "spdserver ends", func() error {
		select {
		case <-n.Done():
			return nil
		default:
			return errNotYet
		}
	})
	return n.ExitCode()
}

// Log is what the node has written so far.
func (n *node) Log() string { return n.Output() }

// AwaitLog waits until the node has written text.
func (n *node) AwaitLog(text string) {
	n.t.Helper()
	Await(n.t, "the log says "+text, func() error {
		if strings.Contains(n.Log(), text) {
			return nil
		}
		return n.notYet()
	})
}

// notYet is an error that says whether waiting may help.
func (n *node) notYet() error {
	select {
	case <-n.Done():
		return fmt.Errorf("%w: spdserver has ended with exit code %d", errHopeless, n.ExitCode())
	default:
		return errNotYet
	}
}
