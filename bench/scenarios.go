package main

import (
	"context"
	"time"
)

// scenario is something to measure.
type scenario struct {
	name string
	what string
	run  func(ctx context.Context, b *bench, name string) ([]figure, error)
}

// forAWhile marks loads that go on for the time of a round.
const forAWhile = time.Second

// scenarios are all there are, with the figures that they are to reach.
func scenarios() []scenario {
	smallUp := load{Upload: true, Clients: 10, Size: 1 << 10, Duration: forAWhile}
	smallDown := load{Clients: 10, Size: 1 << 10, Duration: forAWhile, Choice: 50}
	crowd := load{Clients: 420, Size: 100 << 10, Duration: forAWhile, Choice: 1}
	largeUp := load{Upload: true, Clients: 1, Size: 512 << 20, Times: 2}
	largeUp4 := load{Upload: true, Clients: 4, Size: 256 << 20, Times: 1}
	largeDown := load{Clients: 1, Size: 512 << 20, Times: 4, Choice: 1}
	largeDown4 := load{Clients: 4, Size: 256 << 20, Times: 2, Choice: 1}
	return []scenario{
		{"small-up", "1 KiB uploads, 10 clients", comparison{load: smallUp, scale: perFile(),
			cpu: goal{Most: 0.30, MostRatio: 1.6}, rate: goal{LeastRatio: 0.85}}.run},
		{"small-down", "1 KiB downloads, 10 clients", comparison{load: smallDown, scale: perFile(),
			cpu: goal{Most: 0.25, MostRatio: 2.7}}.run},
		{"sessions", "100 KiB downloads, 420 sessions", comparison{load: crowd, scale: perRequest(),
			cpu: goal{Most: 0.28, MostRatio: 2.2}, rate: goal{LeastRatio: 0.65}, memory: goal{Most: 120}}.run},
		{"large-up", "one upload of 512 MiB", comparison{load: largeUp, scale: perByte(),
			cpu: goal{Most: 0.45, MostRatio: 0.87}, rate: goal{LeastRatio: 0.9}}.run},
		{"large-up-4", "4 uploads of 256 MiB at once", comparison{load: largeUp4, scale: perByte(),
			cpu: goal{Most: 0.45, MostRatio: 0.87}, rate: goal{LeastRatio: 0.9}}.run},
		{"large-down", "one download of 512 MiB", comparison{load: largeDown, scale: perByte(),
			cpu: goal{Most: 0.26, MostRatio: 1.0}}.run},
		{"large-down-4", "4 downloads of 256 MiB at once", comparison{load: largeDown4, scale: perByte(),
			cpu: goal{Most: 0.26, MostRatio: 1.0}}.run},

		{"ftps-small-up", "1 KiB uploads by FTPS, 10 clients", comparison{load: smallUp, tls: true, scale: perFile(),
			cpu: goal{Most: 1.86}}.run},
		{"ftps-small-down", "1 KiB downloads by FTPS, 10 clients", comparison{load: smallDown, tls: true, scale: perFile(),
			cpu: goal{Most: 1.68}}.run},
		{"ftps-sessions", "100 KiB downloads by FTPS, 420 sessions", comparison{load: crowd, tls: true, scale: perRequest()}.run},
		{"ftps-large-up", "one upload of 512 MiB by FTPS", comparison{load: largeUp, tls: true, scale: perByte(),
			cpu: goal{Most: 1.36}}.run},
		{"ftps-large-up-4", "4 uploads of 256 MiB by FTPS at once", comparison{load: largeUp4, tls: true, scale: perByte(),
			cpu: goal{Most: 1.36}}.run},
		{"ftps-large-down", "one download of 512 MiB by FTPS", comparison{load: largeDown, tls: true, scale: perByte(),
			cpu: goal{Most: 0.78}}.run},
		{"ftps-large-down-4", "4 downloads of 256 MiB by FTPS at once", comparison{load: largeDown4, tls: true, scale: perByte(),
			cpu: goal{Most: 0.78}}.run},

		{"memory", "50 uploads of 64 MiB at once with 256 MiB of buffers, after a mixed load", crowdOfUploads{budget: "256MiB",
			load: load{Upload: true, Clients: 50, Size: 64 << 20, Times: 1}, peak: goal{Most: 330}}.run},
		{"delay", "a store that takes 10 ms longer for each request", distant{delay: 10 * time.Millisecond, files: 200, size: 256 << 20,
			up: goal{Most: 15}, down: goal{Most: 12.5}, large: goal{Least: 0.9}}.run},
		{"size", "10,000 times SIZE, one after the other", sizes{times: 10_000, ratio: goal{LeastRatio: 0.9}}.run},
		{"list", "a directory of 10,000 files", listings{entries: 10_000, times: 9, ratio: goal{MostRatio: 1.15}}.run},
		{"list-endless", "a directory of 1,000,000 files", endless{entries: 1_000_000,
			memory: goal{Most: 64}, first: goal{Most: 2}}.run},
		{"idle", "500 idle sessions", idleSessions{count: 500, each: goal{Most: 32}}.run},
	}
}
