package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/minio/minio-go/v7"                 //nolint:depguard // the bare S3 client is what SPD is compared to
	"github.com/minio/minio-go/v7/pkg/credentials" //nolint:depguard // it has keys
	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

const (
	partSize      = 8 << 20 // transfer.part_size
	partsInFlight = 4       // transfer.parts_in_flight
	crcHeader     = "x-amz-checksum-crc32c"
)

// s3Job is what the process of the S3 client is told.
type s3Job struct {
	Endpoint spdtest.Endpoint
	StorePid int
	Bucket   string
	Load     load
}

// runS3Client does a load straight to the store in a process of its own, so that its CPU
// is counted alone.
func runS3Client(job s3Job) (outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return outcome{}, err
	}
	input, err := json.Marshal(job)
	if err != nil {
		return outcome{}, err
	}
	cmd := command(self, s3Command)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return outcome{}, fmt.Errorf("S3 client: %w", err)
	}
	var o outcome
	return o, json.Unmarshal(output, &o)
}

// s3Command as the first argument makes this program the S3 client.
const s3Command = "s3client"

// s3Main is that process: a job comes on stdin, the outcome goes to stdout.
func s3Main() error {
	var job s3Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return err
	}
	c, err := newS3Client(job.Endpoint, job.Bucket)
	if err != nil {
		return err
	}
	do := c.get
	if job.Load.Upload {
		do = c.put
	}
	if err := job.Load.warm(do); err != nil {
		return err
	}
	o, err := job.Load.measure(do, func() (cpuTime, error) {
		own, err := ownCPU()
		store, storeErr := cpuOf(job.StorePid)
		return cpuTime{Gateway: own, Store: store}, errors.Join(err, storeErr)
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

// s3Client is minio-go, used as sparingly as it can be: payloads unsigned and with CRC32C,
// idle connections enough for all.
type s3Client struct {
	core    *minio.Core
	bucket  string
	buffers sync.Pool // *[]byte to read into
}

func newS3Client(e spdtest.Endpoint, bucket string) (*s3Client, error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return nil, err
	}
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		return nil, err
	}
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 1024, 1024
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:     credentials.NewStaticV4(e.AccessKey, e.SecretKey, ""),
		Region:    "us-east-1",
		Transport: transport,
	})
	newBuffer := func() any { b := make([]byte, readSize); return &b }
	return &s3Client{core: core, bucket: bucket, buffers: sync.Pool{New: newBuffer}}, err
}

// get reads an object and drops it.
func (c *s3Client) get(_ int, name string, size int64) error {
	body, _, _, err := c.core.GetObject(context.Background(), c.bucket, prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // read to its end
	buf := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buf)
	n, err := drain(body, *buf)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes, want %d", n, size)
	}
	return err
}

// head asks for an object's properties.
func (c *s3Client) head(name string) error {
	_, err := c.core.StatObject(context.Background(), c.bucket, prefix+name, minio.StatObjectOptions{})
	return err
}

// put stores the content: in one request, or in parts if it is larger than one.
func (c *s3Client) put(_ int, name string, size int64) error {
	if size > partSize {
		return c.putParts(prefix+name, size)
	}
	data := make([]byte, size)
	copy(data, block())
	_, err := c.core.PutObject(context.Background(), c.bucket, prefix+name, bytes.NewReader(data), size, "", "",
		minio.PutObjectOptions{DisableContentSha256: true, UserMetadata: map[string]string{crcHeader: crc(data)}})
	return err
}

func (c *s3Client) putParts(key string, size int64) error {
	ctx := context.Background()
	id, err := c.core.NewMultipartUpload(ctx, c.bucket, key, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	parts := make([]minio.CompletePart, (size+partSize-1)/partSize)
	free := make(chan []byte, partsInFlight) // the buffers, which bound the parts in flight
	for range partsInFlight {
		free <- make([]byte, partSize)
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range parts {
		buf := <-free
		data := buf[:min(partSize, size-int64(i)*partSize)]
		if _, err := io.ReadFull(contentReader{}, data); err != nil {
			return err
		}
		g.Go(func() error {
			defer func() { free <- buf }()
			opts := minio.PutObjectPartOptions{DisableContentSha256: true, CustomHeader: http.Header{}}
			opts.CustomHeader.Set(crcHeader, crc(data))
			p, err := c.core.PutObjectPart(ctx, c.bucket, key, id, i+1, bytes.NewReader(data), int64(len(data)), opts)
			parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: p.ETag}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = c.core.CompleteMultipartUpload(context.Background(), c.bucket, key, id, parts, minio.PutObjectOptions{})
	return err
}

func crc(data []byte) string {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// contentReader reads the content, again and again from its beginning.
type contentReader struct{}

func (contentReader) Read(p []byte) (int, error) { return copy(p, block()), nil }
