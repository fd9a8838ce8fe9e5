package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// listings takes the time of listings of one directory, next to the bare requests that
// list it.
type listings struct {
	entries int
	times   int  // how often each is done in a round
	ratio   goal // of the time
}

func (l listings) run(ctx context.Context, b *bench, name string) ([]figure, error) {
	defer b.remove(name)
	if err := l.fill(ctx, b, name); err != nil {
		return nil, err
	}
	n, err := b.startNode(nil)
	if err != nil {
		return nil, err
	}
	figures, err := l.onNode(n, name)
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return figures, err
}

func (l listings) fill(ctx context.Context, b *bench, name string) error {
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for i := range l.entries {
		g.Go(func() error { return b.store.put(0, fmt.Sprintf("%s/file-%06d.dat", name, i), 1) })
	}
	return g.Wait()
}

func (l listings) onNode(n *node, name string) ([]figure, error) {
	s, err := n.login(1, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var figures []figure
	for _, verb := range []string{"LIST", "NLST", "MLSD"} {
		var spd, client []float64
		for round := range n.bench.rounds {
			ofSPD, ofClient, err := l.round(n.bench, s[0], verb, name)
			if err != nil {
				return nil, err
			}
			n.bench.progress("  %s, round %d: %.1f ms, %.1f ms the bare requests", verb, round+1, ofSPD, ofClient)
			spd, client = append(spd, ofSPD), append(client, ofClient)
		}
		figures = append(figures, compared(fmt.Sprintf("%s of %d, ms", verb, l.entries), spd, client, l.ratio))
	}
	return figures, nil
}

// round is the median of both in milliseconds, by turns.
func (l listings) round(b *bench, c *ftpClient, verb, dir string) (ofSPD, ofClient float64, err error) {
	var spd, client []float64
	for range l.times {
		begun := time.Now()
		if err := b.store.list(dir, l.entries); err != nil {
			return 0, 0, err
		}
		client = append(client, time.Since(begun).Seconds()*1000)
		listed, err := c.list(verb + " " + dir)
		if err == nil && listed.lines != l.entries {
			err = fmt.Errorf("%s: %d lines, want %d", verb, listed.lines, l.entries)
		}
		if err != nil {
			return 0, 0, err
		}
		spd = append(spd, listed.whole.Seconds()*1000)
	}
	return median(spd), median(client), nil
}

// list asks for a directory, one page after the other.
func (c *s3Client) list(dir string, want int) error {
	token, count := "", 0
	for {
		page, err := c.core.ListObjectsV2(c.bucket, prefix+dir+"/", "", token, "/", 1000)
		if err != nil {
			return err
		}
		count += len(page.Contents)
		if token = page.NextContinuationToken; !page.IsTruncated {
			break
		}
	}
	if count != want {
		return fmt.Errorf("%d objects listed, want %d", count, want)
	}
	return nil
}

// listed is a listing that has come.
type listed struct {
	lines        int
	first, whole time.Duration // from the command to the first byte, and to the reply
}

// list does LIST, NLST or MLSD.
func (c *ftpClient) list(command string) (listed, error) {
	var l listed
	data, err := c.passive()
	if err != nil {
		return l, err
	}
	begun := time.Now()
	if err := c.do("150", command); err != nil {
		_ = data.Close() // never used
		return l, err
	}
	if len(c.buf) < readSize {
		c.buf = make([]byte, readSize)
	}
	for err == nil {
		var n int
		if n, err = data.Read(c.buf); n > 0 && l.lines == 0 {
			l.first = time.Since(begun)
		}
		l.lines += bytes.Count(c.buf[:n], []byte("\n"))
		_ = data.SetDeadline(time.Now().Add(opTimeout)) // data fails then, too
		_ = c.conn.SetDeadline(time.Now().Add(opTimeout))
	}
	err = c.end(command, data, nil)
	l.whole = time.Since(begun)
	return l, err
}

// endless measures the listing of a directory that is too large to be kept in memory.
type endless struct {
	entries int
	memory  goal // MiB by which the node grows
	first   goal // percent of the time until the first byte
}

func (e endless) run(_ context.Context, b *bench, name string) ([]figure, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	store := &http.Server{ReadHeaderTimeout: opTimeout, Handler: e}
	ended := make(chan error, 1)
	go func() { ended <- store.Serve(l) }() // waited for below
	defer func() {
		_ = store.Close() // its client has gone
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	n, err := b.startNode(map[string]string{"s3.endpoint": "http://" + l.Addr().String(), "s3.create_bucket": "false"})
	if err != nil {
		return nil, err
	}
	figures, err := e.onNode(n, name)
	if endErr := n.end(); err == nil {
		err = endErr
	}
	return figures, err
}

func (e endless) onNode(n *node, dir string) ([]figure, error) {
	s, err := n.login(1, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var figures []figure
	for _, verb := range []string{"LIST", "NLST", "MLSD"} {
		before, err := memoryOf(n.Pid(), "VmRSS")
		if err != nil {
			return nil, err
		}
		listed, err := s[0].list(verb + " " + dir)
		if err == nil && listed.lines != e.entries {
			err = fmt.Errorf("%s: %d lines, want %d", verb, listed.lines, e.entries)
		}
		if err != nil {
			return nil, err
		}
		peak, err := memoryOf(n.Pid(), "VmHWM")
		if err != nil {
			return nil, err
		}
		figures = append(figures,
			single(verb+", MiB that the node grew", mib(peak-before), e.memory),
			single(verb+", first byte, percent of the time", 100*listed.first.Seconds()/listed.whole.Seconds(), e.first),
			single(verb+", seconds", listed.whole.Seconds(), goal{}))
	}
	return figures, nil
}

// ServeHTTP implements http.Handler: a store in which every directory has that many files.
// Their names are such that a directory might come before all of them.
func (e endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method != http.MethodGet || q.Get("list-type") == "" {
		return // the bucket is there
	}
	type object struct {
		Key, LastModified, ETag, StorageClass string
		Size                                  int
	}
	type page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name, Prefix          string
		KeyCount, MaxKeys     int
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
	}
	const pageSize = 1000
	answer := page{Name: bucket, Prefix: q.Get("prefix"), MaxKeys: pageSize}
	first, _ := strconv.Atoi(q.Get("continuation-token")) // none: 0
	last := e.entries
	if strings.Contains(answer.Prefix, "IMG") {
		last = 0
	}
	for i := first; i < min(first+pageSize, last); i++ {
		answer.Contents = append(answer.Contents, object{
			Key: fmt.Sprintf("%sIMG-%07d.jpg", answer.Prefix, i), Size: i,
			LastModified: "2026-01-02T03:04:05.678Z", ETag: `"d41d8cd98f00b204e9800998ecf8427e"`, StorageClass: "STANDARD",
		})
	}
	answer.KeyCount = len(answer.Contents)
	if next := first + pageSize; next < last {
		answer.IsTruncated, answer.NextContinuationToken = true, strconv.Itoa(next)
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(answer) // a client that has gone needs no answer
}
