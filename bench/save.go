package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// results is where whole runs are kept, seen from the module's directory.
const results = "bench/results"

// machine is what the figures were measured on.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory uint64 `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// save writes the figures to a file that says when, of what and where they were measured.
func save(figures []figure, begun time.Time) error {
	commit, err := gitCommit()
	if err != nil {
		return err
	}
	m, err := thisMachine()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(struct {
		Date    time.Time `json:"date"`
		Commit  string    `json:"commit"`
		Seconds float64   `json:"seconds"` // of the whole run
		Machine machine   `json:"machine"`
		Figures []figure  `json:"figures"`
	}{begun.UTC().Truncate(time.Second), commit, time.Since(begun).Round(time.Second).Seconds(), m, figures}, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(results, begun.UTC().Format(time.DateOnly)+"-"+commit+".json")
	if err := os.MkdirAll(results, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return err
	}
	fmt.Printf("\n%s, %d cores, Linux %s, %s\nWritten to %s.\n", m.CPU, m.Cores, m.Kernel, m.Go, file)
	return nil
}

// gitCommit names what was built; "-dirty" says that files differed from the commit.
func gitCommit() (string, error) {
	out, err := exec.Command("git", "describe", "--always", "--exclude=*", "--dirty").Output()
	if err != nil {
		return "", fmt.Errorf("git describe: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func thisMachine() (machine, error) {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return machine{}, err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return machine{}, err
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return machine{}, err
	}
	_, model, _ := strings.Cut(string(cpuinfo), "model name")
	model, _, _ = strings.Cut(model, "\n")
	return machine{
		CPU:    strings.TrimSpace(strings.TrimLeft(model, "\t :")),
		Cores:  runtime.NumCPU(),
		Memory: info.Totalram * uint64(info.Unit),
		Kernel: strings.TrimSpace(string(kernel)),
		Go:     runtime.Version(),
	}, nil
}
