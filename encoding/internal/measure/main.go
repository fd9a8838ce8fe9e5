// Command measure prints how often the detector is right.
//
//	go run ./encoding/internal/measure DIRECTORY
//
// The directory holds names as JSON, a line each: dev.jsonl and dev-collisions.jsonl with
// {"encoding","lang","utf8","hex"}, dev-sessions.jsonl with lists of utf8 and hex.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spdscheme/spdserver/encoding"
)

type row struct {
	Lang, Encoding string
	UTF8, Hex      string
}

type session struct {
	Encoding  string
	UTF8, Hex []string
}

// verbose prints every mistake of the cases whose name contains it.
//
//nolint:gochecknoglobals // a flag of a tool
var verbose = flag.String("v", "", "print the mistakes of cases with this in their name")

func main() {
	flag.Parse()
	if err := run(flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func run(dir string) error {
	var rows, words []row
	var sessions []session
	err := errors.Join(load(filepath.Join(dir, "dev.jsonl"), &rows), load(filepath.Join(dir, "dev-collisions.jsonl"), &words),
		load(filepath.Join(dir, "dev-sessions.jsonl"), &sessions))
	if err != nil {
		return err
	}
	singles(rows, words)
	inSessions(sessions)
	speed(rows)
	return nil
}

func load[T any](path string, all *[]T) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one T
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return err
		}
		*all = append(*all, one)
	}
	return lines.Err()
}

// share is how many of how many are right.
type share struct{ right, all int }

func (s *share) count(right bool) {
	s.all++
	if right {
		s.right++
	}
}

func (s share) String() string {
	if s.all == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", 100*float64(s.right)/float64(s.all))
}

func wire(h string) string {
	b, err := hex.DecodeString(h)
	if err != nil {
		log.Fatal(err)
	}
	return string(b)
}

func check(title string, r row, hint string) bool {
	d := encoding.NewDetector(encoding.Hints{Server: hint})
	got := d.Decode(wire(r.Hex))
	if got != r.UTF8 && *verbose != "" && strings.Contains(title+" "+r.Encoding, *verbose) {
		name, confidence := d.Charset()
		fmt.Printf("    %s %s %s: %s read as %s (%s, %.3f)\n", title, r.Encoding, r.Lang, r.UTF8, got, name, confidence)
	}
	return got == r.UTF8
}

func singles(rows, words []row) {
	type results struct{ none, right, wrong share }
	by := make(map[string]*results)
	legacy, utf8 := &results{}, &results{}
	var names []string
	for _, r := range rows {
		if by[r.Encoding] == nil {
			by[r.Encoding] = &results{}
			names = append(names, r.Encoding)
		}
		total := legacy
		if r.Encoding == "utf-8" {
			total = utf8
		}
		none, right, wrong := check("none", r, ""), check("right", r, r.Encoding), check("wrong", r, "GB18030")
		for _, s := range []*results{by[r.Encoding], total} {
			s.none.count(none)
			s.right.count(right)
			s.wrong.count(wrong)
		}
	}
	slices.Sort(names)
	fmt.Printf("| %-28s | %8s | %8s | %8s | %6s |\n|---|---|---|---|---|\n", "single names", "no hint", "right", "GB18030", "names")
	line := func(title string, r *results) {
		fmt.Printf("| %-28s | %8s | %8s | %8s | %6d |\n", title, r.none, r.right, r.wrong, r.none.all)
	}
	for _, name := range names {
		line(name, by[name])
	}
	line("all legacy", legacy)
	line("UTF-8 kept", utf8)
	collisions, gbk := &results{}, &results{}
	for _, r := range words {
		none, right, wrong := check("collision", r, ""), check("collision-right", r, r.Encoding), check("collision-wrong", r, "GB18030")
		all := []*results{collisions}
		if r.Encoding == "gbk" {
			all = append(all, gbk)
		}
		for _, s := range all {
			s.none.count(none)
			s.right.count(right)
			s.wrong.count(wrong)
		}
	}
	line("words that are valid UTF-8", collisions)
	line("  of them in GBK", gbk)
}

func inSessions(sessions []session) {
	var byName, byNameHint share
	after := map[int]*share{1: {}, 2: {}, 3: {}, 5: {}, 10: {}}
	for _, s := range sessions {
		none := encoding.NewDetector(encoding.Hints{})
		right := encoding.NewDetector(encoding.Hints{Server: s.Encoding})
		for i, h := range s.Hex {
			got := none.Decode(wire(h))
			byName.count(got == s.UTF8[i])
			if got != s.UTF8[i] && *verbose != "" && strings.Contains("session "+s.Encoding, *verbose) {
				fmt.Printf("    session %s, name %d: %s read as %s\n", s.Encoding, i, s.UTF8[i], got)
			}
			byNameHint.count(right.Decode(wire(h)) == s.UTF8[i])
		}
		for k, result := range after {
			result.count(allRight(s, k))
		}
	}
	fmt.Printf("\nsessions, name by name: %s, right hint %s\n", byName, byNameHint)
	for _, k := range []int{1, 2, 3, 5, 10} {
		fmt.Printf("all names of a session, after %d: %s\n", k, after[k])
	}
}

// allRight sends k names, and then tells whether all of the session are read well.
func allRight(s session, k int) bool {
	d := encoding.NewDetector(encoding.Hints{})
	for _, h := range s.Hex[:min(k, len(s.Hex))] {
		_ = d.Decode(wire(h))
	}
	for i, h := range s.Hex {
		if d.Decode(wire(h)) != s.UTF8[i] {
			return false
		}
	}
	return true
}

// speed prints the CPU time of a name in a session of its own.
func speed(rows []row) {
	start := cpu()
	for _, r := range rows {
		_ = encoding.NewDetector(encoding.Hints{}).Decode(wire(r.Hex))
	}
	fmt.Printf("%.1f µs of CPU a name\n", float64((cpu()-start).Microseconds())/float64(len(rows)))
}

// cpu returns the CPU time that the process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
