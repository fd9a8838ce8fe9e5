package main

import (
	"io"
	"math/rand/v2"
	"sync"
)

const (
	blockSize = 1 << 20   // the content of files repeats after so many bytes
	writeSize = 256 << 10 // of one write
	readSize  = 256 << 10 // of one read
)

// block is what files begin with: noise, so that nothing can be gained by compressing it.
var block = sync.OnceValue(func() []byte { //nolint:gochecknoglobals // a constant
	b := make([]byte, blockSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
})

// writeContent writes the first size bytes of the content.
func writeContent(w io.Writer, size int64) error {
	for off := int64(0); off < size; {
		b := block()[off%blockSize:]
		n, err := w.Write(b[:min(int64(len(b)), writeSize, size-off)])
		off += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// drain reads to the end and returns how many bytes there were.
func drain(r io.Reader, buf []byte) (int64, error) {
	var total int64
	for {
		n, err := r.Read(buf)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
