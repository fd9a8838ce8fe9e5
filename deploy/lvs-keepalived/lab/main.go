// Lab proves the cluster design on the real IPVS and Keepalived, on one machine.
//
// Two directors are virtual machines (user-mode Linux), as they need a kernel of their own.
// Everything else runs in network namespaces: nodes with the real spdserver, MariaDB, four
// MinIO servers, a router. The lab itself is the clients' machine behind that router.
// run.sh prepares and starts it; README.md tells how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stage is a group of checks that need the same.
type stage struct {
	name  string
	does  string
	short bool // part of the short set
	run   func(*lab)
}

// stages lists them in the order in which they run.
func stages() []stage {
	return []stage{
		{"up", "the cluster comes up, and lvs check agrees", true, stageUp},
		{"modes", "transfers through the VIP in all modes", true, stageModes},
		{"spread", "sessions spread over the nodes", true, stageSpread},
		{"kill", "a killed process; its uploads and downloads go on elsewhere", true, stageKill},
		{"unplug", "a node without its cable", false, stageUnplug},
		{"drain", "a node drained with transfers running", true, stageDrain},
		{"handover", "the VIP moved by hand", true, stageHandOver},
		{"crash", "the active director crashes with eight transfers running", true, stageCrash},
		{"rolling", "all nodes restarted under load", false, stageRolling},
		{"outage", "database away for 30 s; a store node killed", false, stageOutage},
		{"split", "a node that cannot reach the database", false, stageSplit},
		{"persistence", "the variant for small sites", false, stagePersistence},
		{"cost", "SQL statements and sync traffic of sessions and transfers", false, stageCost},
		{"scale", "throughput of 1, 2, 4, 8 nodes with a fixed share of CPU each", false, stageScale},
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "agent" { // inside a director
		fmt.Fprintln(os.Stderr, "lab agent:", serveAgent(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(clientMachine())
}

func clientMachine() int {
	nodes := flag.Int("nodes", 4, "number of nodes, up to 20")
	only := flag.String("stages", "", "stages to run, separated by commas; by default the short set")
	full := flag.Bool("full", false, "run all stages")
	scheduler := flag.String("scheduler", "mh", "how new sessions are spread: mh or rr")
	bin := flag.String("bin", ".tools/bin", "directory of spdserver-lab, minio, umlfp.so and this program")
	out := flag.String("out", ".tools/lab", "directory for logs and rendered files")
	flag.Parse()
	chosen, err := choose(*only, *full)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := newLab(ctx, *nodes, *bin, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 2
	}
	defer l.close()
	l.scheduler = *scheduler
	return l.runAll(chosen)
}

func choose(only string, full bool) ([]stage, error) {
	var chosen []stage
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' || r == ' ' })
	for _, s := range stages() {
		if i := slices.Index(names, s.name); i >= 0 {
			names = slices.Delete(names, i, i+1)
			chosen = append(chosen, s)
		} else if only == "" && (full || s.short) {
			chosen = append(chosen, s)
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("no such stage: %s", strings.Join(names, ", "))
	}
	return chosen, nil
}

// lab is the machines, and what was found out about them.
type lab struct {
	ctx       context.Context
	bin, out  string
	report    report
	scheduler string     // of new sessions
	variant   string     // of the cluster
	processes []*process // all that were started, to end them
	directors []*director
	nodes     []*node
	stores    []*store
	database  *database
	groups    []string // control groups that were made
}

// work is where servers keep their data: memory, and private to the lab (see run.sh).
const work = "/run/lab"

func newLab(ctx context.Context, nodes int, bin, out string) (*lab, error) {
	if nodes < 1 || nodes > maxNodes {
		return nil, fmt.Errorf("-nodes: 1 to %d", maxNodes)
	}
	if os.Getenv("LVS_LAB") == "" {
		return nil, errors.New("start it with run.sh, which gives it namespaces of its own")
	}
	l := &lab{ctx: ctx, variant: "ranges"}
	var err error
	if l.bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	if l.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	for i := 1; i <= 2; i++ {
		l.directors = append(l.directors, newDirector(l, i))
	}
	for i := 1; i <= nodes; i++ {
		l.nodes = append(l.nodes, newNode(l, i))
	}
	return l, os.MkdirAll(work, 0o755)
}

// close ends all processes, and removes what is left on the machine: control groups.
// Namespaces and interfaces go with the lab's own process.
func (l *lab) close() {
	for _, p := range slices.Backward(l.processes) {
		p.kill()
	}
	for _, dir := range l.groups {
		_ = os.Remove(dir) // it is empty now; twice is no matter
	}
}

func (l *lab) runAll(chosen []stage) int {
	started := time.Now()
	fmt.Printf("%d nodes, logs in %s\n", len(l.nodes), l.out)
	if !l.check("the machines are up", l.boot) {
		return l.report.sum(time.Since(started))
	}
	for _, s := range chosen {
		if l.ctx.Err() != nil {
			break
		}
		fmt.Printf("--- %s: %s\n", s.name, s.does)
		begun := time.Now()
		s.run(l)
		fmt.Printf("    (%.1f s)\n", time.Since(begun).Seconds())
	}
	return l.report.sum(time.Since(started))
}

// boot starts everything but keepalived and spdserver, which stageUp does.
func (l *lab) boot() (string, error) {
	begun := time.Now()
	steps := []func() error{l.network, l.startStores, l.startDatabase, l.startDirectors, l.render, l.configureNodes}
	for _, step := range steps {
		if err := step(); err != nil {
			return "", err
		}
	}
	for _, step := range []func() error{l.awaitStores, l.prepareAccounts, l.startNodes, l.awaitDirectors, l.startKeepalived, l.awaitCluster} {
		if err := step(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("directors, nodes, router, database, 4 store nodes after %s", since(begun)), nil
}
