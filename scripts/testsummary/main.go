// Testsummary reads what "go test -json" prints and tells it shortly: a line for each
// package, everything that failed tests printed, and the counts. Its last line is
// "N passed, N failed". A skipped test has not been run, so it counts as failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	s := newSummary(os.Stdout)
	if err := s.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	if !s.finish() {
		os.Exit(1)
	}
}

// event is one line of "go test -json"; see "go doc test2json".
type event struct {
	Action      string
	Package     string
	Test        string  // "" for the package as a whole
	Output      string  // ends in a line break, mostly
	Elapsed     float64 // seconds
	FailedBuild string
}

// run is a test that is running, or the package as a whole.
type run struct {
	output []string
	ended  bool
}

type summary struct {
	out                      io.Writer
	packages                 map[string]*pkg
	passed, failed           int // tests
	goodPackages, badPackage int
}

type pkg struct {
	runs   map[string]*run
	order  []string // of runs
	passed int
	failed int
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, packages: make(map[string]*pkg)}
}

// read takes all events of in. Lines that are none are printed.
func (s *summary) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Fprintf(s.out, "%s", line)
		return
	}
	if e.Action == "build-output" {
		fmt.Fprint(s.out, e.Output)
		return
	}
	if e.Package != "" {
		s.event(e)
	}
}

func (s *summary) event(e event) {
	p := s.packages[e.Package]
	if p == nil {
		p = &pkg{runs: make(map[string]*run)}
		s.packages[e.Package] = p
	}
	r := p.run(e.Test)
	switch e.Action {
	case "output":
		r.output = append(r.output, e.Output)
	case "pass", "fail", "skip":
		r.ended = true
		if e.Test == "" {
			s.packageEnd(e, p)
		} else {
			s.testEnd(e, p, r)
		}
	}
}

func (p *pkg) run(test string) *run {
	r := p.runs[test]
	if r == nil {
		r = &run{}
		p.runs[test] = r
		p.order = append(p.order, test)
	}
	return r
}

func (s *summary) testEnd(e event, p *pkg, r *run) {
	switch e.Action {
	case "pass":
		p.passed++
	case "skip":
		p.failed++
		s.show(e.Package, e.Test, "was skipped, which counts as failed", r)
	default:
		p.failed++
		s.show(e.Package, e.Test, "failed", r)
	}
	r.output = nil
}

// packageEnd prints what the package's tests left unsaid. A package that fails though
// none of its tests does (it does not build, or leaks goroutines) counts as a failed test.
func (s *summary) packageEnd(e event, p *pkg) {
	if e.Action == "fail" {
		for _, test := range p.order {
			if r := p.runs[test]; test != "" && !r.ended {
				p.failed++
				s.show(e.Package, test, "did not end", r)
			}
		}
		if r := p.runs[""]; tells(r.output) {
			s.show(e.Package, "(outside of tests)", "failed", r)
		}
		if p.failed == 0 {
			p.failed = 1
		}
	}
	s.passed += p.passed
	s.failed += p.failed
	word := "ok  "
	switch {
	case p.failed > 0:
		word = "FAIL"
		s.badPackage++
	case e.Action == "skip":
		word = "none" // no test files
	default:
		s.goodPackages++
	}
	fmt.Fprintf(s.out, "%s  %-55s %7.1fs  %d passed, %d failed\n", word, e.Package, e.Elapsed, p.passed, p.failed)
	p.runs = nil
}

// tells tells whether a package's own output says more than that it failed.
func tells(output []string) bool {
	for _, text := range output {
		if !strings.HasPrefix(text, "FAIL") && !strings.HasPrefix(text, "exit status") && strings.TrimSpace(text) != "" {
			return true
		}
	}
	return false
}

// show prints all output of a test.
func (s *summary) show(name, test, what string, r *run) {
	fmt.Fprintf(s.out, "\n=== %s %s %s\n", name, test, what)
	for _, text := range r.output {
		fmt.Fprint(s.out, text)
	}
	fmt.Fprintln(s.out)
}

// finish prints the counts and tells whether all is well: something ran, nothing failed,
// and every package came to its end.
func (s *summary) finish() bool {
	for name, p := range s.packages {
		if p.runs != nil {
			s.failed++
			s.badPackage++
			fmt.Fprintf(s.out, "FAIL  %s did not end\n", name)
		}
	}
	fmt.Fprintf(s.out, "\npackages: %d passed, %d failed\n%d passed, %d failed\n", s.goodPackages, s.badPackage, s.passed, s.failed)
	return s.failed == 0 && s.badPackage == 0 && s.passed > 0
}
