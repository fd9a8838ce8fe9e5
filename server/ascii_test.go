package server

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// textConn is a connection of which only the bytes matter.
type textConn struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (c *textConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *textConn) Write(p []byte) (int, error) { return c.out.Write(p) }

func TestASCII(t *testing.T) {
	for _, test := range []struct{ wire, stored string }{
		{"", ""}, {"a\r\nb\r\n", "a\nb\n"}, {"no end", "no end"}, {"\r\n\r\n", "\n\n"},
		{"bare\rCR", "bare\rCR"}, {"end\r", "end\r"}, {"a\r\r\n", "a\r\n"}, {strings.Repeat("x\r\n", 50_000), strings.Repeat("x\n", 50_000)},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader} {
			got, err := io.ReadAll(newLFReader(&textConn{in: wrap(strings.NewReader(test.wire))}))
			if err != nil || string(got) != test.stored {
				t.Errorf("%s: %.40q is stored as %.40q, %v; want %.40q", name, test.wire, got, err, test.stored)
			}
		}
	}
	for _, test := range []struct{ stored, wire string }{
		{"", ""}, {"a\nb\n", "a\r\nb\r\n"}, {"a\r\nb", "a\r\nb"}, {"\n\n", "\r\n\r\n"}, {"x", "x"}, {"a\r", "a\r"},
	} {
		for _, size := range []int{1, 2, 1000} {
			conn := &textConn{}
			w := &crlfWriter{Conn: conn}
			for rest := []byte(test.stored); len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := conn.out.String(); got != test.wire {
				t.Errorf("by %d: %q is sent as %q, want %q", size, test.stored, got, test.wire)
			}
		}
	}
}
