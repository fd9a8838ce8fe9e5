package storetest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/store"
)

// Spliced makes a body a store.Splicer, for tests of what is between a store and its caller.
func Spliced(body io.ReadCloser) io.ReadCloser { return splicedBody{body} }

type splicedBody struct{ io.ReadCloser }

var _ store.Splicer = splicedBody{}

// SpliceInto implements store.Splicer.
func (b splicedBody) SpliceInto(pipe, n int) (int, error) {
	p := make([]byte, min(n, pipeSize))
	n, err := b.Read(p)
	if n > 0 {
		if _, writeErr := unix.Write(pipe, p[:n]); writeErr != nil {
			return 0, fmt.Errorf("write into pipe: %w", writeErr)
		}
	}
	return n, err
}

// pipeSize is what a pipe holds if nobody has asked for more, in bytes.
const pipeSize = 64 << 10

// ReadSpliced reads a body to its end by SpliceInto, as far as that is possible; that is the
// number of bytes spliced. The rest is read.
func ReadSpliced(body io.Reader) (data []byte, spliced int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, r.Close(), w.Close()) }()
	fd := int(w.Fd())
	for {
		n, err := store.SpliceInto(body, fd, pipeSize)
		piece := make([]byte, n)
		if _, err := io.ReadFull(r, piece); err != nil {
			return data, len(data), fmt.Errorf("read from pipe: %w", err)
		}
		data = append(data, piece...)
		switch {
		case err == io.EOF:
			return data, len(data), nil
		case errors.Is(err, errors.ErrUnsupported):
			rest, err := io.ReadAll(body)
			return append(data, rest...), len(data), err
		case err != nil:
			return data, len(data), err
		}
	}
}

// testOpenSpliced reads bodies by way of pipes. Whether it is possible or not, no byte is lost.
func testOpenSpliced(f *fixture) {
	data := strings.Repeat("0123456789abcdef", 3<<16) + "end" // 3 MiB
	size := int64(len(data))
	f.put("a", data)
	for _, c := range []struct{ off, n int64 }{
		{0, -1}, {0, 1}, {5, 4096}, {1<<20 - 1, 1<<20 + 2}, {size - 1, -1}, {size / 2, size},
	} {
		body, _, err := f.Open(f.ctx, "a", c.off, c.n, "")
		if err != nil {
			f.Fatalf("Open(%d, %d) = %v", c.off, c.n, err)
		}
		want := data[c.off:]
		if c.n >= 0 {
			want = want[:min(c.n, int64(len(want)))]
		}
		got, spliced, err := ReadSpliced(body)
		if err != nil || string(got) != want {
			f.Errorf("Open(%d, %d), spliced: %d bytes, or others, want %d; %v", c.off, c.n, len(got), len(want), err)
		}
		if f.p.Splices != (spliced == len(want)) || !f.p.Splices && spliced > 0 {
			f.Errorf("Open(%d, %d): %d of %d bytes could be spliced", c.off, c.n, spliced, len(want))
		}
		f.want(nil, body.Close(), "Close of a spliced body")
	}
	body, _, err := f.Open(f.ctx, "a", 0, -1, "")
	f.want(nil, err, "Open")
	head := make([]byte, 1000)
	_, err = io.ReadFull(body, head)
	f.want(nil, err, "Read before SpliceInto")
	rest, _, err := ReadSpliced(body)
	if err != nil || string(head)+string(rest) != data {
		f.Errorf("Read, then SpliceInto: %d bytes, or others; %v", len(head)+len(rest), err)
	}
	f.want(nil, body.Close(), "Close of a body that was read and spliced")
}
