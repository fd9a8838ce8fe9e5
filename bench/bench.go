package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7" //nolint:depguard // fills the store and looks into it
	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// bucket holds all files, those of SPD and those of the S3 client.
const bucket = "bench"

// bench is what the scenarios share: the servers, and how long to measure.
type bench struct {
	tb      *tb
	program string // spdserver
	dir     string // of the configuration and the certificate
	s3      spdtest.Endpoint
	minio   *spdtest.Process
	dsn     string
	store   *s3Client

	rounds    int
	duration  time.Duration // of a round of small files
	profileTo string        // directory; "": no profiles
	begun     time.Time
}

// newBench builds spdserver and starts the servers, which end with t.
func newBench(t *tb, o options) (*bench, error) {
	b := &bench{tb: t, dir: t.TempDir(), rounds: 3, duration: 5 * time.Second, profileTo: o.profileTo, begun: time.Now()}
	if o.quick {
		b.rounds, b.duration = 1, 3*time.Second
	}
	b.progress("building spdserver")
	b.program = filepath.Join(b.dir, "spdserver")
	if err := build(b.program, o.profileTo != ""); err != nil {
		return nil, err
	}
	b.progress("starting MinIO and MariaDB")
	b.s3, b.minio = spdtest.StartMinIO(t, spdtest.FreeAddr(t), t.TempDir())
	b.dsn = spdtest.MariaDB(t).DSN
	spdtest.NewCertificate(t, filepath.Join(b.dir, "cert.pem"), filepath.Join(b.dir, "key.pem"))
	var err error
	if b.store, err = newS3Client(b.s3, bucket); err != nil {
		return nil, err
	}
	if err := b.store.core.MakeBucket(context.Background(), bucket, minio.MakeBucketOptions{}); err != nil {
		return nil, fmt.Errorf("make bucket: %w", err)
	}
	return b, b.addUser()
}

// progress says what is going on, and since when.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.1fs "+format+"\n", append([]any{time.Since(b.begun).Seconds()}, args...)...)
}

// fill stores what the clients of a load are going to download.
func (b *bench) fill(ctx context.Context, l load) error {
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for client := range l.Clients {
		g.Go(func() error { return b.store.put(client, l.dir(client)+"/warm", warmSize) })
		for n := range l.Choice {
			g.Go(func() error { return b.store.put(client, l.name(client, n), l.Size) })
		}
	}
	return g.Wait()
}

// check looks whether the store has what was uploaded, and removes what takes up space.
func (b *bench) check(l load, o outcome) error {
	if !l.Upload {
		return nil // the clients have counted what they got
	}
	var files int64
	for object := range b.store.core.Client.ListObjects(context.Background(), bucket,
		minio.ListObjectsOptions{Prefix: prefix + l.Dir + "/", Recursive: true}) {
		if object.Err != nil {
			return fmt.Errorf("look into the store: %w", object.Err)
		}
		if filepath.Base(object.Key) != "warm" && object.Size == l.Size {
			files++
		}
	}
	if files != o.Files {
		return fmt.Errorf("the store has %d files of %d bytes, not %d", files, l.Size, o.Files)
	}
	if l.Size > partSize {
		b.remove(l.Dir)
	}
	return nil
}

// remove throws files away. The end of the benchmark would, too, so an error is only shown.
func (b *bench) remove(dir string) {
	ctx := context.Background()
	objects := b.store.core.Client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix + dir + "/", Recursive: true})
	for failed := range b.store.core.RemoveObjects(ctx, bucket, objects, minio.RemoveObjectsOptions{}) {
		b.progress("  cannot remove %s: %v", failed.ObjectName, failed.Err)
	}
}

// profile records where a node spends its CPU, with perf(1), until the function that it
// returns is called.
func (b *bench) profile(n *node, name string) func() {
	if b.profileTo == "" {
		return func() {}
	}
	file := filepath.Join(b.profileTo, name+".perf")
	var said bytes.Buffer
	cmd := command("perf", "record", "--call-graph", "fp", "-F", "499", "-o", file, "-p", strconv.Itoa(n.Pid()))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		b.progress("  no profile: %v", err)
		return func() {}
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // fails only if perf has ended
		_ = cmd.Wait()                         // ends with the signal's error
		if _, err := os.Stat(file); err != nil {
			b.progress("  no profile: %s", bytes.TrimSpace(said.Bytes()))
			return
		}
		b.progress("  profile: perf report --no-children -i %s", file)
	}
}
