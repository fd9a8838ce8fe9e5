// Bench measures spdserver next to the bare S3 client on the same servers, in the same run.
//
// It is run by `make bench`; README.md beside it says how.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"
	"strings"
	"syscall"
	"time"
)

func main() {
	run := benchMain
	if len(os.Args) > 1 && os.Args[1] == s3Command {
		run = s3Main
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options come from the environment, so that make passes them on.
type options struct {
	scenarios []string // patterns of names, as of path.Match; none: all
	quick     bool
	profileTo string // directory for profiles; "": none
}

func environment() (options, error) {
	o := options{
		scenarios: strings.FieldsFunc(os.Getenv("SCENARIO"), func(r rune) bool { return r == ',' || r == ' ' }),
		quick:     os.Getenv("QUICK") != "",
	}
	if os.Getenv("PROFILE") != "" {
		var err error
		if o.profileTo, err = os.MkdirTemp("", "spdbench-profiles-"); err != nil {
			return o, err
		}
	}
	return o, nil
}

// whole: this run measures everything, as the figures of the documentation want it.
func (o options) whole() bool { return len(o.scenarios) == 0 && !o.quick && o.profileTo == "" }

func benchMain() error {
	o, err := environment()
	if err != nil {
		return err
	}
	chosen, err := choose(o.scenarios)
	if err != nil {
		return err
	}
	t := &tb{}
	defer t.cleanUp()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { t.fail("interrupted\n") })()

	b, err := newBench(t, o)
	if err != nil {
		return err
	}
	figures, failed := b.runAll(ctx, chosen)
	fmt.Println()
	if err := table(os.Stdout, figures); err != nil {
		return err
	}
	summary(os.Stdout, figures)
	if failed != nil || !o.whole() {
		return failed
	}
	return save(figures, b.begun)
}

// runAll runs scenarios one after the other. One that fails does not stop the others.
func (b *bench) runAll(ctx context.Context, chosen []scenario) ([]figure, error) {
	var all []figure
	var failed []error
	for _, s := range chosen {
		b.progress("%s: %s", s.name, s.what)
		begun := time.Now()
		figures, err := s.run(ctx, b, s.name)
		if err != nil {
			b.progress("  FAILED: %v", err)
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			figures = []figure{single("failed", 1, goal{None: true})}
		}
		for _, f := range figures {
			f.Scenario = s.name
			all = append(all, f)
		}
		b.progress("  took %.1fs", time.Since(begun).Seconds())
	}
	return all, errors.Join(failed...)
}

// choose finds scenarios by patterns.
func choose(patterns []string) ([]scenario, error) {
	all := scenarios()
	if len(patterns) == 0 {
		return all, nil
	}
	var chosen []scenario
	for _, s := range all {
		for _, p := range patterns {
			if ok, err := path.Match(p, s.name); err != nil {
				return nil, fmt.Errorf("SCENARIO: %s: %w", p, err)
			} else if ok {
				chosen = append(chosen, s)
				break
			}
		}
	}
	if len(chosen) == 0 {
		var names strings.Builder
		for _, s := range all {
			fmt.Fprintf(&names, "\n  %-17s %s", s.name, s.what)
		}
		return nil, fmt.Errorf("SCENARIO: nothing is called that; there are%s", names.String())
	}
	return chosen, nil
}

// summary counts the goals.
func summary(out *os.File, figures []figure) {
	met, missed := 0, []string{}
	for _, f := range figures {
		switch {
		case f.Met == nil:
		case *f.Met:
			met++
		default:
			missed = append(missed, fmt.Sprintf("  %s: %s %s, goal %s", f.Scenario, number(f.SPD), withRatio(f), f.Goal))
		}
	}
	fmt.Fprintf(out, "\n%d of %d goals met.\n", met, met+len(missed))
	if len(missed) > 0 {
		fmt.Fprintf(out, "Missed:\n%s\n", strings.Join(missed, "\n"))
	}
}

func withRatio(f figure) string {
	if f.Ratio == 0 {
		return f.Name
	}
	return fmt.Sprintf("%s (%.2f x)", f.Name, f.Ratio)
}
