package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// distant measures SPD with a store that is further away: each request takes longer.
type distant struct {
	delay    time.Duration
	files    int   // of 1 KiB, one after the other
	size     int64 // of the large file
	up, down goal  // ms
	large    goal  // rate with the delay / rate without
}

func (d distant) run(ctx context.Context, b *bench, name string) ([]figure, error) {
	proxy, err := newDelayProxy(b.s3.URL)
	if err != nil {
		return nil, err
	}
	defer proxy.close()
	n, err := b.startNode(map[string]string{"s3.endpoint": proxy.url})
	if err != nil {
		return nil, err
	}
	figures, err := d.onNode(ctx, n, proxy, name)
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return figures, err
}

func (d distant) onNode(ctx context.Context, n *node, proxy *delayProxy, name string) ([]figure, error) {
	client, err := newS3Client(spdtest.Endpoint{URL: proxy.url, AccessKey: n.bench.s3.AccessKey, SecretKey: n.bench.s3.SecretKey}, bucket)
	if err != nil {
		return nil, err
	}
	s, err := n.login(1, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	proxy.delay.Store(int64(d.delay))
	small, err := d.small(s, client, name)
	if err != nil {
		return nil, err
	}
	large, err := d.largeDown(ctx, n, s, proxy, name+"-large")
	return append(small, large), err
}

// small takes the time of small files: each is uploaded, and later downloaded.
func (d distant) small(s sessions, client *s3Client, name string) ([]figure, error) {
	l := load{Upload: true, Clients: 1, Dir: name}
	if err := s.makeDirs(l); err != nil {
		return nil, err
	}
	up, clientUp, err := d.times(l.dir(0), s.store, client.put)
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	down, clientDown, err := d.times(l.dir(0), s.retrieve, client.get)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return []figure{
		compared("1 KiB upload, median ms", []float64{up}, []float64{clientUp}, d.up),
		compared("1 KiB download, median ms", []float64{down}, []float64{clientDown}, d.down),
	}, nil
}

// times is how many milliseconds a file takes through SPD and straight to the store, by
// turns, in the median.
func (d distant) times(dir string, spd, client transfer) (ofSPD, ofClient float64, err error) {
	taken := make([][]float64, 2)
	for i := range d.files {
		for j, do := range []transfer{spd, client} {
			begun := time.Now()
			if err := do(0, fmt.Sprintf("%s/%d-%d", dir, i, j), 1<<10); err != nil {
				return 0, 0, err
			}
			taken[j] = append(taken[j], time.Since(begun).Seconds()*1000)
		}
	}
	return median(taken[0]), median(taken[1]), nil
}

// largeDown downloads a large file with and without the delay, by turns.
func (d distant) largeDown(ctx context.Context, n *node, s sessions, proxy *delayProxy, dir string) (figure, error) {
	l := load{Clients: 1, Size: d.size, Times: 8, Choice: 1, Dir: dir}
	if err := n.bench.fill(ctx, l); err != nil {
		return figure{}, err
	}
	defer n.bench.remove(dir)
	rate := func(delay time.Duration) (float64, error) {
		proxy.delay.Store(int64(delay))
		o, err := n.measure(s, l)
		return perByte().ofRate(o), err
	}
	var ratios []float64
	for round := range n.bench.rounds {
		near, err := rate(0)
		if err != nil {
			return figure{}, err
		}
		far, err := rate(d.delay)
		if err != nil {
			return figure{}, err
		}
		n.bench.progress("  round %d: %.0f MB a second, %.0f without the delay", round+1, far, near)
		ratios = append(ratios, fourDigits(far/near))
	}
	f := single("256 MiB download: rate with delay / without", median(ratios), d.large)
	f.Rounds = ratios
	return f, nil
}

// delayProxy passes requests on to the store, each after a delay.
type delayProxy struct {
	url    string
	delay  atomic.Int64 // nanoseconds
	server *http.Server
	ended  chan error
}

func newDelayProxy(target string) (*delayProxy, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		BufferPool: &buffers{sync.Pool{New: func() any { b := make([]byte, readSize); return &b }}},
	}
	p := &delayProxy{url: "http://" + l.Addr().String(), ended: make(chan error, 1)}
	p.server = &http.Server{ReadHeaderTimeout: opTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pause(time.Duration(p.delay.Load()))
		forward.ServeHTTP(w, r)
	})}
	go func() { p.ended <- p.server.Serve(l) }() // close waits for it
	return p, nil
}

// pause sleeps as long as it is told to. time.Sleep would add up to a millisecond.
func pause(d time.Duration) {
	end := time.Now().Add(d)
	for left := d; left > 0; left = time.Until(end) {
		t := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&t, nil) // a signal ends it early
	}
}

func (p *delayProxy) close() {
	_ = p.server.Close() // the store's clients have gone
	if err := <-p.ended; !errors.Is(err, http.ErrServerClosed) {
		panic(err)
	}
}

// buffers implements httputil.BufferPool.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
