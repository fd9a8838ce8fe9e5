package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// load is what a number of clients do at the same time, be it through SPD or straight to
// the store. It travels to the process of the S3 client as JSON.
type load struct {
	Upload   bool
	Clients  int
	Size     int64         // bytes of each file
	Times    int           // files that each client transfers, one after the other
	Duration time.Duration // instead of Times: clients begin new files until then
	Choice   int           // downloads: files of each client, which it takes in turns
	Dir      string        // client i's files are Dir/i/0, Dir/i/1, ...
}

// outcome is what a load has cost.
type outcome struct {
	Files   int64
	Bytes   int64
	Seconds float64 // by the clock
	CPU     cpuTime
}

// cpuTime is how long processes have been busy, in seconds.
type cpuTime struct {
	Gateway float64 // what is measured: spdserver, or the S3 client
	Store   float64
	Load    float64 // the FTP clients, all in this process
}

func (c cpuTime) minus(before cpuTime) cpuTime {
	return cpuTime{c.Gateway - before.Gateway, c.Store - before.Store, c.Load - before.Load}
}

// transfer moves one file between a client and wherever it goes.
type transfer func(client int, name string, size int64) error

// run does the load. The first transfer that fails ends it.
func (l load) run(do transfer) (outcome, error) {
	var files atomic.Int64
	var g errgroup.Group
	begun := time.Now()
	for client := range l.Clients {
		g.Go(func() error {
			for n := 0; n < l.Times || time.Since(begun) < l.Duration; n++ {
				if err := do(client, l.name(client, n), l.Size); err != nil {
					return fmt.Errorf("client %d, file %d: %w", client, n, err)
				}
				files.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return outcome{Files: files.Load(), Bytes: files.Load() * l.Size, Seconds: time.Since(begun).Seconds()}, err
}

// measure does the load, and counts the CPU time that is used meanwhile.
func (l load) measure(do transfer, cpu func() (cpuTime, error)) (outcome, error) {
	before, err := cpu()
	if err != nil {
		return outcome{}, err
	}
	o, err := l.run(do)
	if err != nil {
		return outcome{}, err
	}
	after, err := cpu()
	o.CPU = after.minus(before)
	return o, err
}

func (l load) name(client, n int) string {
	if !l.Upload {
		n %= l.Choice
	}
	return fmt.Sprintf("%s/%d", l.dir(client), n)
}

func (l load) dir(client int) string { return fmt.Sprintf("%s/%d", l.Dir, client) }

const warmSize = 1 << 10 // bytes

// warm makes each client transfer a small file, so that connections are there.
func (l load) warm(do transfer) error {
	var g errgroup.Group
	for client := range l.Clients {
		g.Go(func() error { return do(client, l.dir(client)+"/warm", warmSize) })
	}
	return g.Wait()
}
