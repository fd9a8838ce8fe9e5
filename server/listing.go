package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// listing is LIST, NLST and MLSD.
type listing struct {
	entries []os.FileInfo
	write   func(w io.Writer, entry os.FileInfo)
	silence time.Duration
}

// prepareListing reads a directory, or finds a file.
func (s *session) prepareListing(c command, dir string) (mover, error) {
	info, err := s.files.Stat(dir)
	if err != nil {
		return nil, err
	}
	l := &listing{entries: []os.FileInfo{info}, silence: s.server.DataTimeout}
	switch c.verb {
	case "LIST":
		now := time.Now()
		l.write = func(w io.Writer, entry os.FileInfo) { writeLong(w, entry, now) }
	case "NLST":
		prefix := dir
		if !info.IsDir() {
			prefix = path.Dir(dir)
		}
		l.write = func(w io.Writer, entry os.FileInfo) { writeName(w, prefix, entry) }
	case "MLSD":
		if !info.IsDir() {
			return nil, &driver.Reply{Code: 501, Text: "MLSD is for directories; use MLST"}
		}
		l.write = writeFacts
	}
	if info.IsDir() {
		l.entries, err = s.files.ReadDir(dir)
	}
	return l, err
}

func (l *listing) move(conn net.Conn) error {
	out := bufio.NewWriterSize(&patientConn{conn, l.silence}, 32<<10)
	for _, entry := range l.entries {
		l.write(out, entry)
	}
	return out.Flush()
}

func (l *listing) fail(error) {}

// patientConn gives the client time for each write, but not for ever.
type patientConn struct {
	net.Conn
	silence time.Duration
}

// Write implements io.Writer.
func (c *patientConn) Write(p []byte) (int, error) {
	if c.silence > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.silence)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// halfYear is how old a file is whose LIST line shows the year, as ls does.
const halfYear = 183 * 24 * time.Hour

// writeLong writes a line of LIST in the form of ls -l. Errors show at Flush.
func writeLong(w io.Writer, entry os.FileInfo, now time.Time) {
	when := entry.ModTime().UTC()
	layout := "Jan _2 15:04"
	if age := now.Sub(when); age > halfYear || age < -time.Hour {
		layout = "Jan _2  2006"
	}
	_, _ = fmt.Fprintf(w, "%s 1 ftp ftp %12d %s %s\r\n", entry.Mode(), entry.Size(), when.Format(layout), entry.Name())
}

// writeName writes a line of NLST: a path that the client can use as it is.
func writeName(w io.Writer, prefix string, entry os.FileInfo) {
	name := entry.Name()
	if prefix != "" && prefix != "." {
		name = path.Join(prefix, name)
	}
	_, _ = fmt.Fprintf(w, "%s\r\n", name)
}

// writeFacts writes a line of MLSD (RFC 3659, 7.2).
func writeFacts(w io.Writer, entry os.FileInfo) {
	kind := "file"
	if entry.IsDir() {
		kind = "dir"
	}
	_, _ = fmt.Fprintf(w, "Type=%s;Size=%d;Modify=%s; %s\r\n",
		kind, entry.Size(), entry.ModTime().UTC().Format("20060102150405"), entry.Name())
}
