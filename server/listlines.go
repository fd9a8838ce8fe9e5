package server

import (
	"io"
	"path"
	"strconv"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// lineWriter collects lines, and writes as much at a time as a data connection takes well.
type lineWriter struct {
	to  io.Writer
	buf []byte
}

// linesAtOnce is the least that is written, in bytes, while more lines come.
const linesAtOnce = 32 << 10

// full writes the lines if there are enough.
func (w *lineWriter) full() error {
	if len(w.buf) < linesAtOnce {
		return nil
	}
	return w.flush()
}

// flush writes the lines.
func (w *lineWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.to.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// halfYear is how old a file is whose LIST line shows the year, as ls does.
const halfYear = 183 * 24 * time.Hour

// appendLong writes a line of LIST in the form of ls -l.
func appendLong(b []byte, e driver.Entry, now time.Time) []byte {
	when := e.ModTime().UTC()
	layout := "Jan _2 15:04"
	if age := now.Sub(when); age > halfYear || age < -time.Hour {
		layout = "Jan _2  2006"
	}
	b = appendMode(b, e)
	b = append(b, " 1 ftp ftp "...)
	b = appendPadded(b, e.Size(), 12)
	b = append(b, ' ')
	b = when.AppendFormat(b, layout)
	b = append(b, ' ')
	return append(b, e.Name()...)
}

// appendMode writes "drwxr-xr-x".
func appendMode(b []byte, e driver.Entry) []byte {
	kind := byte('-')
	if e.IsDir() {
		kind = 'd'
	}
	b = append(b, kind)
	mode := e.Mode().Perm()
	for i := range 9 {
		letter := byte('-')
		if mode&(0o400>>i) != 0 {
			letter = "rwx"[i%3]
		}
		b = append(b, letter)
	}
	return b
}

// appendPadded writes a number with spaces before it.
func appendPadded(b []byte, n int64, width int) []byte {
	var scratch [20]byte
	digits := strconv.AppendInt(scratch[:0], n, 10)
	for range width - len(digits) {
		b = append(b, ' ')
	}
	return append(b, digits...)
}

// below is what names in a directory have before them, so that the client may use them as
// they are. dir is as the client has written it.
func below(dir string) string {
	switch dir = path.Clean(dir); dir {
	case ".":
		return ""
	case "/":
		return dir
	}
	return dir + "/"
}
