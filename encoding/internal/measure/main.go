// Command measure prints how often the detector is right.
//
//	go run ./encoding/internal/measure [-v CASE] [DIRECTORY]
//
// The directory holds names as encoding/testdata/names does, which is the one it takes if
// none is given.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/encoding/internal/figures"
)

const (
	names  = "encoding/testdata/names"
	models = "encoding/models.bin"
)

func main() {
	verbose := flag.String("v", "", "print the mistakes of cases with this in their name, such as \"none gbk\"")
	flag.Parse()
	dir := names
	if flag.NArg() > 0 {
		dir = flag.Arg(0)
	}
	if err := run(dir, *verbose); err != nil {
		log.Fatal(err)
	}
}

func run(dir, verbose string) error {
	n, err := figures.Load(dir)
	if err != nil {
		return err
	}
	f := figures.Measure(n)
	for _, m := range f.Mistakes {
		if title := m.Case + " " + m.Name.Encoding; verbose != "" && strings.Contains(title, verbose) {
			fmt.Printf("%s %s: %s read as %s (%s)\n", title, m.Name.Lang, m.Name.Text, m.Got, m.Taken)
		}
	}
	printCases(f)
	fmt.Printf("| %-36s | %8s | %8.1f | %6d |\n", "CPU, µs a name", "<= 20", speed(n.Singles), len(n.Singles))
	if info, err := os.Stat(models); err == nil {
		fmt.Printf("| %-36s | %8s | %8.2f | %6s |\n", "tables, MiB", "<= 2", float64(info.Size())/(1<<20), "")
	}
	printHints(f)
	return nil
}

func printCases(f *figures.Figures) {
	fmt.Printf("| %-36s | %8s | %8s | %6s |\n|---|---:|---:|---:|\n", "Case", "reach", "measured", "of")
	for _, c := range f.Cases() {
		reach, below := "", ""
		if c.Reach > 0 {
			reach = fmt.Sprintf("%.2f", c.Reach)
			if c.Got < c.Reach {
				below = " below"
			}
		}
		fmt.Printf("| %-36s | %8s | %8.2f | %6d |%s\n", c.Name, reach, c.Got, c.Of, below)
	}
}

// printHints prints what hints do for each charset.
func printHints(f *figures.Figures) {
	fmt.Printf("\n| %-36s | %8s | %8s | %8s | %6s |\n|---|---:|---:|---:|---:|\n", "Charset", "no hint", "right", "GB18030", "names")
	line := func(title string, h figures.Hinted) {
		fmt.Printf("| %-36s | %8.2f | %8.2f | %8.2f | %6d |\n", title, h.None.Percent(), h.Right.Percent(), h.Wrong.Percent(), h.None.All)
	}
	for _, name := range f.Encodings() {
		line(name, f.Single[name])
	}
	line("all but UTF-8", f.Legacy)
	line("names in sessions", f.InSession)
}

// speed returns the CPU time of a name in a session of its own, in microseconds.
func speed(all []figures.Name) float64 {
	start := cpu()
	for _, n := range all {
		_ = encoding.NewDetector(encoding.Hints{}).Decode(n.Wire)
	}
	return float64((cpu() - start).Microseconds()) / float64(max(1, len(all)))
}

// cpu returns the CPU time that the process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
